"""Who gets which variable."""

from pathlib import Path

import pytest

from app.core.config import Settings
from app.stack.components import COMPONENTS
from app.stack.environment import base_environment, client_environment, environment, is_choice
from tests.unit.stack.conftest import OpenStack


def _given(open_at: OpenStack, component: str, **chosen: str) -> dict[str, str]:
    return environment(open_at(**chosen), COMPONENTS[component], None)


def test_what_somebody_set_reaches_our_processes(open_at: OpenStack) -> None:
    """A plain setting in the environment or in .env holds for all of our own processes."""
    assert _given(open_at, "app", LOG_LEVEL="WARNING")["LOG_LEVEL"] == "WARNING"
    assert _given(open_at, "shipper", SHIPPER_BATCH_DOCS="7")["SHIPPER_BATCH_DOCS"] == "7"


def test_a_database_of_ones_own_wins(open_at: OpenStack) -> None:
    """Whoever sets DATABASE_URL means it."""
    url = "postgresql+asyncpg://me:secret-of-mine@db.example.org/x"
    assert _given(open_at, "app", DATABASE_URL=url)["DATABASE_URL"] == url


def test_copying_the_example_changes_nothing(open_at: OpenStack) -> None:
    """A .env with every default of .env.example written out runs the same stack."""
    assert _given(open_at, "app", DATABASE_URL="sqlite+aiosqlite:///./nobet.db", VOICE_URL="http://127.0.0.1:8010") == _given(
        open_at, "app"
    )


def test_settings_of_the_stack_stay_with_the_stack(open_at: OpenStack) -> None:
    """The processes get neither the stack's folders nor passwords that they have no use for: the shipper mails nobody."""
    given = _given(open_at, "shipper", SMTP_PASSWORD="mail-password-123", STACK_CACHE_DIR="/elsewhere")
    assert not {"SMTP_PASSWORD", "STACK_CACHE_DIR", "GRAFANA_ADMIN_PASSWORD"} & given.keys()


def test_all_processes_write_to_one_spool(open_at: OpenStack) -> None:
    """SPOOL_DIR is the stack's, whatever stands in the environment of the shell."""
    folders = {_given(open_at, name, SPOOL_DIR="/somewhere")["SPOOL_DIR"] for name in ("app", "voice", "shipper")}
    assert folders == {str(open_at().paths.spool)}


def test_the_shell_is_not_inherited(open_at: OpenStack) -> None:
    """Variables of the shell that mean nothing to the stack don't make two starts differ."""
    open_at(SOMETHING_ELSE="x")
    assert "SOMETHING_ELSE" not in base_environment()


def test_commands_find_a_shifted_stack(open_at: OpenStack) -> None:
    """`nobet story` asks the Elasticsearch of this stack, with the reader's password."""
    stack = open_at(STACK_PORT_OFFSET="300")
    found = client_environment(stack)
    assert found["ELASTICSEARCH_URL"] == "http://127.0.0.1:9500"
    assert found["ELASTICSEARCH_READER_PASSWORD"] == stack.secret("ELASTICSEARCH_READER_PASSWORD")
    assert {name.lower() for name in found} <= Settings.model_fields.keys()


def test_defaults_are_no_choice() -> None:
    """Equal to the default, or empty, is as good as not set."""
    assert not is_choice("WEB_CONCURRENCY", "2")
    assert not is_choice("WEB_CONCURRENCY", "")
    assert is_choice("WEB_CONCURRENCY", "3")


def test_without_a_trace_store_no_spans_are_sent(open_at: OpenStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a machine that can't build Jaeger the services are not told to send to it."""
    monkeypatch.setattr("app.stack.install.go_version", lambda: (0, 0))
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in _given(open_at, "app", STACK_CACHE_DIR=str(tmp_path))
    monkeypatch.setattr("app.stack.install.go_version", lambda: (1, 26))
    assert _given(open_at, "app")["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"
