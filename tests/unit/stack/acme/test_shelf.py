"""The folder with the certificate: what is kept, for whom, and what is never served."""

import stat
import subprocess
from pathlib import Path

import pytest

from app.core.config import load_settings
from app.stack.acme.shelf import Shelf, Trouble, read, target_of
from app.stack.gateway.certificate import certificate_and_key

HOST = "watch.example.org"


def _pair(folder: Path, host: str = HOST) -> tuple[bytes, bytes]:
    return certificate_and_key(load_settings(_env_file=None, gateway_host=host), folder)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """One with a pair of our own."""
    made = Shelf(tmp_path / "live")
    made.seed(*_pair(tmp_path / "made"))
    return made


def _modes(shelf: Shelf) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in shelf.folder.iterdir()}


def test_what_is_there_is_never_seeded_anew(shelf: Shelf, tmp_path: Path) -> None:
    """A restart does not put the self-signed one back over the one of the authority."""
    before = shelf.certificate.read_bytes()
    shelf.seed(*_pair(tmp_path / "other"))
    assert shelf.certificate.read_bytes() == before
    assert shelf.held().self_signed


def test_keys_are_for_the_owner_alone(shelf: Shelf) -> None:
    """Elsewhere than in a container nobody else needs them; the account's key stays the same."""
    assert shelf.account_key() == shelf.account_key()
    assert shelf.folder.stat().st_mode & 0o777 == 0o700
    assert _modes(shelf) == {"certificate.pem": 0o644, "key.pem": 0o600, "account.pem": 0o600}


def test_in_a_container_the_group_reads_the_key_and_not_the_account(tmp_path: Path) -> None:
    """The volume hands its group on to what is made in it: nginx is another user there."""
    folder = tmp_path / "volume"
    folder.mkdir()
    folder.chmod(0o2750)
    shelf = Shelf(folder)
    shelf.seed(*_pair(tmp_path / "made"))
    shelf.account_key()
    assert _modes(shelf) == {"certificate.pem": 0o644, "key.pem": 0o640, "account.pem": 0o600}


def test_a_certificate_for_another_key_is_not_served(shelf: Shelf, tmp_path: Path) -> None:
    """Else nginx would break off every handshake."""
    before = shelf.certificate.read_bytes()
    with pytest.raises(ValueError, match="another key"):
        shelf.install(_pair(tmp_path / "other")[0], "https://ca.example/dir")
    assert shelf.certificate.read_bytes() == before
    assert not shelf.is_from("https://ca.example/dir")


def test_trouble_is_remembered_for_its_target_only(shelf: Shelf) -> None:
    """Corrected names or another authority are tried at once; the same ones wait, after a restart too."""
    target = target_of("https://ca.example/dir", ["b", "a"])
    assert target == target_of("https://ca.example/dir", ["a", "b"])
    shelf.note(Trouble(target, 3, 1.0, 2.0, "no"))
    assert Shelf(shelf.folder).trouble(target).failures == 3
    assert shelf.trouble(target_of("https://ca.example/dir", ["a"])) == Trouble("https://ca.example/dir a")
    (shelf.folder / "trouble.json").write_text("{half", encoding="utf-8")
    assert shelf.trouble(target).failures == 0


def test_the_facts_of_a_certificate_are_read(shelf: Shelf) -> None:
    """Names, authority, life; openssl says the same."""
    held = read(shelf.certificate.read_bytes())
    assert {HOST, f"grafana.{HOST}", "localhost"} <= held.names
    assert (held.ends - held.begins).days == 397
    shown = subprocess.run(["openssl", "x509", "-noout", "-issuer", "-in", str(shelf.certificate)], capture_output=True, check=True)
    assert held.issuer in shown.stdout.decode()


def test_a_chain_that_breaks_off_is_not_served(shelf: Shelf) -> None:
    """The first certificate may be whole: nginx reads all, and would refuse every handshake."""
    before = shelf.certificate.read_bytes()
    broken = before + b"-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
    with pytest.raises(ValueError, match="whole chain"):
        shelf.install(broken, "https://ca.example/dir")
    assert shelf.certificate.read_bytes() == before
    assert {path.name for path in shelf.folder.iterdir()} == {"certificate.pem", "key.pem"}


def test_a_write_that_fails_leaves_nothing_behind(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the old file stays, and no piece with a key in it."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        shelf.account_key()
    assert {path.name for path in shelf.folder.iterdir()} == {"certificate.pem", "key.pem"}


def test_an_unreadable_origin_is_another_authority(shelf: Shelf) -> None:
    """It costs one order more, and no look ends in a fault."""
    (shelf.folder / "origin").write_bytes(b"\xff\xfe")
    assert not shelf.is_from("https://ca.example/dir")
