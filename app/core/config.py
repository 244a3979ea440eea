"""All settings in one class, read from the environment, `.env` and secret files.

`NAME_FILE` names a file that holds the value of `NAME` (Docker secrets, systemd
credentials). A wrong value stops the start with one sentence per variable that
says what to do; values of secrets are never shown.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.core import settings_sections as sections

WEAK_SECRETS: Final = frozenset({"admin", "changeme", "change_me", "password", "secret", "test", "example", "placeholder", "123456"})
"""Values that are everybody's first guess; refused outside development and test."""

SHORTEST_SECRET: Final = 12
"""Characters; with the 64 letters that `make up` draws from, 72 bits."""

SHORTEST_SIGNING_KEY: Final = 32
"""Characters of JWT_SECRET. RFC 7518, section 3.2: a key for HS256 has at least the size of its hash, 256 bits."""


class ConfigError(Exception):
    """The settings can't be used. The text is for people: one line per variable."""


class SecretFileSource(PydanticBaseSettingsSource):
    """Reads `NAME` from the file that `NAME_FILE` names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The file's text without the closing newline, or None when no `NAME_FILE` is set."""
        name = os.environ.get(f"{field_name.upper()}_FILE")
        if not name:
            return None, field_name, False
        try:
            return Path(name).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except OSError as error:
            raise ConfigError(
                f"{field_name.upper()}_FILE: can't read {name}: {error.strerror}. Create the file or unset the variable."
            ) from None

    def __call__(self) -> dict[str, Any]:
        """All values that come from files."""
        found = ((name, self.get_field_value(field, name)[0]) for name, field in self.settings_cls.model_fields.items())
        return {name: value for name, value in found if value is not None}


class Settings(
    sections.ServiceSettings,
    sections.LogSettings,
    sections.SpoolSettings,
    sections.CorrelationSettings,
    sections.MetricsSettings,
    sections.StoreSettings,
    sections.AuthSettings,
    sections.ChatSettings,
    sections.VoiceSettings,
    sections.CallSettings,
    sections.AnalyticsSettings,
    sections.ShipperSettings,
    sections.RetentionSettings,
    sections.TraceSettings,
    sections.OncallSettings,
    sections.GatewaySettings,
    sections.StackSettings,
    BaseSettings,
):
    """Everything that can be set. Immutable once read."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, that over secret files, those over `.env`."""
        return init_settings, env_settings, SecretFileSource(settings_cls), dotenv_settings

    @field_validator(
        "correlation_headers",
        "metrics_disabled_groups",
        "health_external_urls",
        "health_required",
        "probe_urls",
        "cors_origins",
        "log_cleanup_prefixes",
        "sentry_always_send",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("health_external_urls", "probe_urls")
    @classmethod
    def _named_urls(cls, value: list[str]) -> list[str]:
        for entry in value:
            name, _, url = entry.partition("=")
            if not name or not url.startswith(("http://", "https://")):
                raise ValueError(f"{entry!r} is not of the form name=https://address")
        return value

    @field_validator("log_cleanup_timezone")
    @classmethod
    def _time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value!r} is no time zone. Write a name such as Europe/Istanbul or UTC") from None
        return value

    @field_validator("sentry_failed_status_codes")
    @classmethod
    def _status_ranges(cls, value: str) -> str:
        parse_status_ranges(value)
        return value

    @model_validator(mode="after")
    def _no_weak_secrets(self) -> "Settings":
        if self.is_trial:
            return self
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr) and name.endswith(("_password", "_token", "_secret", "_key")):
                check_secret(name.upper(), value.get_secret_value())
        if 0 < len(self.jwt_secret.get_secret_value()) < SHORTEST_SIGNING_KEY:
            raise ValueError(f"JWT_SECRET is shorter than {SHORTEST_SIGNING_KEY} characters. Set a random value")
        if not self.metrics_token.get_secret_value():
            raise ValueError("METRICS_TOKEN is empty: outside development /metrics needs one. Set a random value of 24 or more characters")
        return self

    @property
    def is_trial(self) -> bool:
        """Development and test, where defaults and open doors on loopback are allowed."""
        return self.environment in ("development", "test")

    @property
    def effective_log_level(self) -> str:
        """The threshold in force: what is set, else DEBUG in development and INFO elsewhere."""
        return self.log_level or ("DEBUG" if self.environment == "development" else "INFO")

    @property
    def effective_trace_sample_rate(self) -> float:
        """The share in force: what is set, else 0.1 in production and 1.0 elsewhere."""
        if self.trace_sample_rate is not None:
            return self.trace_sample_rate
        return 0.1 if self.environment == "production" else 1.0

    @property
    def effective_events_prefix(self) -> str:
        """The prefix in force: what is set, else `events-nobet` for `logs-nobet`."""
        return self.events_index_prefix or f"events-{self.log_index_prefix.removeprefix('logs-')}"

    @property
    def error_endpoints_enabled(self) -> bool:
        """Whether /crash and /debug exist in this process."""
        return self.is_trial if self.enable_error_endpoints is None else self.enable_error_endpoints


def check_secret(name: str, value: str) -> None:
    """Raise ValueError when a secret that is set is a placeholder or too short. Empty means off and passes."""
    if value and (value.lower() in WEAK_SECRETS or len(value) < SHORTEST_SECRET):
        raise ValueError(f"{name} is a placeholder or shorter than {SHORTEST_SECRET} characters. Set a random value")


def parse_status_ranges(text: str) -> frozenset[int]:
    """`500-599,403` as a set of status codes. Raises ValueError on anything else."""
    codes: set[int] = set()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        low, _, high = part.partition("-")
        if not low.isdigit() or (high and not high.isdigit()):
            raise ValueError(f"{part!r} is neither a status code nor a range such as 500-599")
        codes.update(range(int(low), int(high or low) + 1))
    return frozenset(codes)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings. Raises ConfigError with one line per wrong variable; never shows a secret's value."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = (
            f"{'.'.join(str(part) for part in item['loc']).upper()}: {item['msg']}".lstrip(": ")
            for item in error.errors(include_input=False)
        )
        raise ConfigError("Settings can't be used:\n" + "\n".join(f"  {line}" for line in lines)) from None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
