"""The `.env` with the generated secrets."""

from pathlib import Path

from app.core.archive_files import ArchiveKey
from app.core.config import Settings, check_secret
from app.stack.env_file import GENERATED, ensure_env_file, read_env_file
from app.stack.secret_files import ELASTICSEARCH_USERS, elasticsearch_user_files, password_of, write_secret_files
from app.stack.stack import Stack
from tests.unit.stack.conftest import OpenStack


def test_a_first_start_makes_strong_secrets_for_the_owner_only(tmp_path: Path) -> None:
    """Every generated secret is there, is long, is unlike the others, and nobody else may read the file."""
    file = tmp_path / ".env"
    assert ensure_env_file(file) == list(GENERATED)
    values = read_env_file(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert values.keys() == set(GENERATED)
    assert len(set(values.values())) == len(GENERATED)
    for name, value in values.items():
        check_secret(name, value)
        assert len(value) == 32 or name in ("LOG_ARCHIVE_IDENTITY", "ERROR_TRACKER_TOKEN")
    assert ArchiveKey(values["LOG_ARCHIVE_IDENTITY"]).recipient.startswith("age1")


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """The file stays byte for byte, so passwords in use go on to work."""
    file = tmp_path / ".env"
    ensure_env_file(file)
    before = file.read_bytes()
    assert ensure_env_file(file) == []
    assert file.read_bytes() == before


def test_missing_secrets_are_added_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    """What people wrote, comments and a missing last line break included, stays; only the missing is appended."""
    file = tmp_path / ".env"
    file.write_text("# mine\nLOG_LEVEL=INFO\nREDIS_PASSWORD=chosen-by-hand-0123")
    file.chmod(0o644)
    added = ensure_env_file(file)
    assert "REDIS_PASSWORD" not in added
    assert file.read_text().startswith("# mine\nLOG_LEVEL=INFO\nREDIS_PASSWORD=chosen-by-hand-0123\n")
    assert set(GENERATED) <= read_env_file(file).keys()
    assert file.stat().st_mode & 0o777 == 0o600


def test_generated_secrets_are_settings() -> None:
    """Each generated name is a secret in the settings class."""
    assert {name.lower() for name in GENERATED} <= Settings.model_fields.keys()


def test_every_elasticsearch_user_has_a_generated_password() -> None:
    """No user of the file realm is without a secret of its own."""
    passwords = [password_of(user) for user in ELASTICSEARCH_USERS]
    assert set(passwords) <= set(GENERATED)
    assert len(set(passwords)) == len(passwords)


def test_the_state_folder_in_the_environment_brings_its_own_env_file(open_at: OpenStack, tmp_path: Path) -> None:
    """A second stack shares neither secrets nor folders with the checkout's."""
    stack = open_at()
    assert stack.paths.env_file == tmp_path / "state" / ".env"
    assert stack.paths.root == tmp_path / "state"
    assert stack.secret("METRICS_TOKEN") == read_env_file(stack.paths.env_file)["METRICS_TOKEN"]


def test_secret_files_are_for_the_owner_only(stack: Stack) -> None:
    """Servers read secrets from files that nobody else can open."""
    write_secret_files(stack)
    files = list(stack.paths.secrets.iterdir())
    assert {file.name for file in files} >= {name.lower() for name in GENERATED}
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert (stack.paths.secrets / "metrics_token").read_text() == stack.secret("METRICS_TOKEN")


def test_password_hashes_stay_as_long_as_the_passwords_do(stack: Stack, open_at: OpenStack) -> None:
    """Salts are random, yet a second start writes the same file; a changed password changes its own line only."""
    first = elasticsearch_user_files(stack)
    assert elasticsearch_user_files(stack) == first
    assert all(line.split(":")[1].startswith("$2a$") for line in first["users"].splitlines())
    changed = elasticsearch_user_files(open_at(ELASTICSEARCH_READER_PASSWORD="another-password-1"))["users"].splitlines()
    differing = [before.split(":")[0] for before, after in zip(first["users"].splitlines(), changed, strict=True) if before != after]
    assert differing == ["nobet_reader"]


def test_long_paths_move_the_socket_not_the_stack(open_at: OpenStack, tmp_path: Path) -> None:
    """A socket's path may have 107 bytes; a stack in a deeper folder still starts."""
    deep = tmp_path / ("deep" * 20) / ("folder" * 10)
    paths = open_at(STACK_DIR=str(deep)).paths
    assert len(str(paths.supervisor_socket)) <= 100
    assert paths.supervisor_socket.parent.stat().st_mode & 0o777 == 0o700
    paths.supervisor_socket.parent.rmdir()
