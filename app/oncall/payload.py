"""What Alertmanager posts (webhook format 4), checked and cut to what we keep."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

MOST_ALERTS: Final = 20_000
LONGEST_TEXT: Final = 4000
LONGEST_LABEL: Final = 200
GROUP_LABELS: Final = ("alertname", "service", "env")
"""Alerts that agree in these are one incident: the grouping of alertmanager.yml."""


LAST_MOMENT: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""A later one, in its zone still of the year 9999, could not be shown as a date."""


def _epoch(value: Any) -> float:
    moment = datetime.fromisoformat(str(value))
    if moment.year < 1971:
        return 0.0
    return min((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), LAST_MOMENT)


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError("must be an object of texts")  # noqa: TRY004 - pydantic takes ValueError
    return {_storable(key)[:LONGEST_LABEL]: _storable(text)[:LONGEST_TEXT] for key, text in value.items()}


def _storable(value: Any) -> str:
    """PostgreSQL can't store NUL in text. Refused, one such label would be sent again for ever, and hold back the alerts beside it."""
    return str(value).replace("\0", "\ufffd")


Moment = Annotated[float, BeforeValidator(_epoch)]
Texts = Annotated[dict[str, str], BeforeValidator(_texts)]
Storable = Annotated[str, AfterValidator(_storable)]


class Alert(BaseModel):
    """One alert. The same fingerprint and start is the same alert, however often it is told."""

    status: Literal["firing", "resolved"]
    labels: Texts
    annotations: Texts = {}
    starts_at: Moment = Field(alias="startsAt")
    ends_at: Moment = Field(0.0, alias="endsAt")
    url: Storable = Field("", alias="generatorURL", max_length=8000)
    fingerprint: Storable = Field("", max_length=64)

    @property
    def identity(self) -> tuple[str, float]:
        """Fingerprint and start; one is made from the labels where the sender gives none."""
        return self.fingerprint or digest(*sorted(f"{key}={text}" for key, text in self.labels.items())), self.starts_at

    @property
    def group(self) -> tuple[str, str, str]:
        """Name, service and environment."""
        name, service, env = (self.labels.get(label, "")[:LONGEST_LABEL] for label in GROUP_LABELS)
        return name or "(no name)", service, env

    @property
    def severity(self) -> str:
        """Its severity; `warning` when it has none, so that nothing unknown is lost."""
        return self.labels.get("severity", "warning")[:20]


class Webhook(BaseModel):
    """One message of Alertmanager."""

    version: str = "4"
    alerts: list[Alert] = Field(max_length=MOST_ALERTS)


def digest(*parts: str) -> str:
    """A short name for something long, the same in every process."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
