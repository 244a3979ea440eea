"""How the service misbehaves: set by VOICE_* at the start, and at run time in development."""

import random
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from app.core.config import Settings

Share = Annotated[float, Field(ge=0, le=1)]
LONGEST_LATENCY: Final = 60.0


class Knobs(BaseModel):
    """One setting of all knobs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_seconds: float = Field(ge=0, le=LONGEST_LATENCY, description="Time that an answer takes.", examples=[0.03])
    jitter_seconds: float = Field(ge=0, le=LONGEST_LATENCY, description="Most that it takes longer, evenly spread.", examples=[0.02])
    failure_share: Share = Field(description="Share of answers that are failures.", examples=[0.2])
    failure_status: int = Field(ge=400, le=599, description="HTTP status of failures.", examples=[503])
    failure_code: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Error code in the body of failures.", examples=["model_overloaded"]
    )
    hang_share: Share = Field(description="Share of requests that are never answered.", examples=[0])


class KnobsChange(BaseModel):
    """The knobs to turn; those left out stay."""

    model_config = ConfigDict(extra="forbid")

    latency_seconds: float | None = Field(None, ge=0, le=LONGEST_LATENCY)
    jitter_seconds: float | None = Field(None, ge=0, le=LONGEST_LATENCY)
    failure_share: Share | None = None
    failure_status: int | None = Field(None, ge=400, le=599)
    failure_code: str | None = Field(None, pattern=r"^[a-z][a-z0-9_]{0,63}$")
    hang_share: Share | None = None


class Misbehaviour:
    """The knobs in force, and the dice."""

    def __init__(self, knobs: Knobs, dice: random.Random | None = None) -> None:
        self.knobs = knobs
        self._dice: Final = dice or random.Random()  # noqa: S311 - chance, not secrecy

    @classmethod
    def from_settings(cls, settings: Settings) -> "Misbehaviour":
        """As VOICE_* says."""
        return cls(
            Knobs(
                latency_seconds=settings.voice_latency_seconds,
                jitter_seconds=settings.voice_jitter_seconds,
                failure_share=settings.voice_failure_share,
                failure_status=settings.voice_failure_status,
                failure_code=settings.voice_failure_code,
                hang_share=settings.voice_hang_share,
            )
        )

    def change(self, change: KnobsChange) -> Knobs:
        """Turn the knobs that are given; the others stay."""
        self.knobs = self.knobs.model_copy(update=change.model_dump(exclude_none=True))
        return self.knobs

    def delay(self) -> float:
        """Seconds that the next answer takes."""
        return self.knobs.latency_seconds + self._dice.uniform(0, self.knobs.jitter_seconds)

    def hangs(self) -> bool:
        """Whether the next request is never answered."""
        return self._dice.random() < self.knobs.hang_share

    def fails(self) -> bool:
        """Whether the next answer is a failure."""
        return self._dice.random() < self.knobs.failure_share
