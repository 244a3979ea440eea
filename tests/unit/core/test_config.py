"""Wrong settings stop the start with a sentence; secrets are never shown."""

from pathlib import Path

import pytest

from app.core.config import ConfigError, Settings, load_settings, parse_status_ranges

GOOD = "k9-Zt4_Lq7wP2xVb8"


@pytest.mark.req("CFG-03", "LOG-31")
def test_an_empty_environment_is_enough() -> None:
    """Everything has a default; optional systems are off."""
    settings = load_settings()
    assert settings.spool_dir is None
    assert settings.redis_url.get_secret_value() == ""
    assert settings.effective_log_level == "DEBUG"


@pytest.mark.req("CFG-03", "CFG-04")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "LOUD"),
        ("SENTRY_SAMPLE_RATE", "3"),
        ("SPOOL_MAX_BYTES", "-1"),
        ("WEB_CONCURRENCY", "many"),
        ("HEALTH_EXTERNAL_URLS", "nonsense"),
        ("SENTRY_FAILED_STATUS_CODES", "5xx"),
        ("LOG_INDEX_PREFIX", "Bad Prefix"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """One line per variable, without a traceback's worth of pydantic."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        load_settings()


@pytest.mark.req("ACC-06", "CFG-03", "CFG-04")
@pytest.mark.parametrize("secret", ["changeme", "admin", "short"])
def test_production_refuses_weak_secrets_without_showing_them(secret: str) -> None:
    """A placeholder or short secret stops the start outside development; its value is not in the message."""
    with pytest.raises(ConfigError, match="POSTGRES_PASSWORD") as refused:
        load_settings(environment="production", metrics_token=GOOD, postgres_password=f"{secret}")
    assert f" {secret} " not in str(refused.value)
    assert load_settings(environment="development", postgres_password=secret).is_trial


@pytest.mark.req("ACC-01")
def test_production_needs_a_metrics_token() -> None:
    """Without one /metrics would be open, or useless."""
    with pytest.raises(ConfigError, match="METRICS_TOKEN"):
        load_settings(environment="production")


@pytest.mark.req("ACC-07")
def test_a_secret_can_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NAME_FILE is read; a missing file is one sentence; the environment wins over the file."""
    (tmp_path / "token").write_text(f"{GOOD}\n", encoding="utf-8")
    monkeypatch.setenv("METRICS_TOKEN_FILE", str(tmp_path / "token"))
    assert load_settings().metrics_token.get_secret_value() == GOOD
    monkeypatch.setenv("METRICS_TOKEN", "from-the-environment")
    assert load_settings().metrics_token.get_secret_value() == "from-the-environment"
    monkeypatch.delenv("METRICS_TOKEN")
    monkeypatch.setenv("METRICS_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="Create the file"):
        load_settings()


@pytest.mark.req("CFG-04")
def test_no_repr_shows_a_secret() -> None:
    """Printing the settings shows masks."""
    settings = load_settings(metrics_token=GOOD, sentry_dsn=f"http://{GOOD}@127.0.0.1/1", database_url=f"sqlite:///{GOOD}")
    assert GOOD not in repr(settings) + str(settings)


@pytest.mark.req("CFG-02")
def test_values_depend_on_the_environment_where_the_documents_say_so() -> None:
    """Trace rate and error endpoints follow the environment unless they are set."""
    production = Settings(environment="production", metrics_token=GOOD)
    assert (production.effective_trace_sample_rate, production.error_endpoints_enabled) == (0.1, False)
    assert (load_settings().effective_trace_sample_rate, load_settings().error_endpoints_enabled) == (1.0, True)
    assert load_settings(trace_sample_rate=0.5).effective_trace_sample_rate == 0.5


def test_status_ranges() -> None:
    """Single codes and ranges, in any mix."""
    assert parse_status_ranges("500-502, 403") == {403, 500, 501, 502}
