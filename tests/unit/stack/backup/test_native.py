"""What a native restore does with the folders that it finds. No server is started here."""

import pytest

from app.stack.backup.native import NativePlace
from app.stack.errors import StackError
from app.stack.listeners import free_offset
from app.stack.stack import Stack
from tests.unit.stack.conftest import OpenStack


def test_a_stack_that_was_never_started_is_empty(stack: Stack) -> None:
    """Folders that hold nothing are no data."""
    (stack.paths.data / "postgres").mkdir()
    assert NativePlace(stack).occupied() == []


def test_present_data_is_put_aside_and_never_deleted(stack: Stack) -> None:
    """Data, spool and .env are in one folder afterwards, complete; the stack's own folders are empty."""
    (stack.paths.data / "postgres").mkdir()
    (stack.paths.data / "postgres" / "PG_VERSION").write_text("15")
    (stack.paths.spool / "segment").write_text("record")
    place = NativePlace(stack)
    assert place.occupied() == ["PostgreSQL", "spool"]
    env = stack.paths.env_file.read_text()
    aside = stack.paths.root / place.make_room()
    assert (aside / "data/postgres/PG_VERSION").read_text() == "15"
    assert (aside / "spool/segment").read_text() == "record"
    assert (aside / ".env").read_text() == env
    assert list(stack.paths.data.iterdir()) == list(stack.paths.spool.iterdir()) == []


def test_half_of_a_restore_makes_room_for_the_next_try(stack: Stack) -> None:
    """After an interruption what it had brought goes, and what was put aside before stays."""
    (stack.paths.spool / "segment").write_text("old")
    place = NativePlace(stack)
    aside = stack.paths.root / place.make_room()
    (stack.paths.data / "postgres").mkdir()
    (stack.paths.data / "postgres" / "half").write_text("x")
    assert place.occupied() == []
    assert place.make_room() == ""
    assert list(stack.paths.data.iterdir()) == []
    assert (aside / "spool/segment").read_text() == "old"
    place.finished()
    assert not stack.paths.restoring.exists()


def test_the_old_secrets_are_those_of_the_stack_from_then_on(stack: Stack) -> None:
    """Taking over the settings changes the password with which the stores are reached."""
    place = NativePlace(stack)
    place.put_settings("ELASTICSEARCH_ADMIN_PASSWORD=the-old-password-of-old\n")
    assert place.elasticsearch[1] == ("nobet_admin", "the-old-password-of-old")
    assert stack.paths.env_file.stat().st_mode & 0o777 == 0o600


def test_a_server_that_does_not_run_is_named_with_what_to_do(open_at: OpenStack) -> None:
    """The sentence is a command that helps."""
    stack = open_at(STACK_PORT_OFFSET=str(free_offset()))
    with pytest.raises(StackError, match=r"^PostgreSQL does not answer .*nobet up postgres$"):
        NativePlace(stack).must_run("postgres")
