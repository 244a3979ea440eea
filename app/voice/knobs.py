"""How the service behaves, part by part: set by VOICE_* at the start, and at run time in development."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.core.config import Settings

Share = Annotated[float, Field(ge=0, le=1)]
LONGEST_LATENCY: Final = 60.0
LONGEST_TOKEN: Final = 1.0

Part = Literal["suggest", "asr", "llm", "tts", "task"]
"""What has knobs of its own: the suggestions, and each stage of a call."""


class PartKnobs(BaseModel):
    """How one part behaves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_seconds: float = Field(
        ge=0, le=LONGEST_LATENCY, description="Time that an answer takes; of `llm`: its first token.", examples=[0.03]
    )
    jitter_seconds: float = Field(ge=0, le=LONGEST_LATENCY, description="Most that it takes longer, evenly spread.", examples=[0.02])
    failure_share: Share = Field(description="Share of answers that are failures.", examples=[0.2])
    failure_status: int = Field(ge=400, le=599, description="HTTP status of failures.", examples=[503])
    failure_code: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Error code in the body of failures.", examples=["model_overloaded"]
    )
    hang_share: Share = Field(description="Share of requests that are never answered.", examples=[0])


class LlmKnobs(PartKnobs):
    """How the language model behaves."""

    token_seconds: float = Field(ge=0, le=LONGEST_TOKEN, description="Time from one token to the next.", examples=[0.005])


class StageKnobs(BaseModel):
    """How the stages of a call behave."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asr: PartKnobs
    llm: LlmKnobs
    tts: PartKnobs
    task: PartKnobs


class Knobs(PartKnobs):
    """All knobs: those of the suggestions at the top, those of a call's stages under `stages`."""

    stages: StageKnobs

    @classmethod
    def from_settings(cls, settings: Settings) -> "Knobs":
        """As VOICE_* says."""
        failures: dict[str, Any] = {"failure_status": settings.voice_failure_status, "failure_code": settings.voice_failure_code}
        return cls(
            latency_seconds=settings.voice_latency_seconds,
            jitter_seconds=settings.voice_jitter_seconds,
            failure_share=settings.voice_failure_share,
            hang_share=settings.voice_hang_share,
            stages=StageKnobs(
                asr=PartKnobs(
                    latency_seconds=settings.voice_asr_latency_seconds,
                    jitter_seconds=settings.voice_asr_jitter_seconds,
                    failure_share=settings.voice_asr_failure_share,
                    hang_share=settings.voice_asr_hang_share,
                    **failures,
                ),
                llm=LlmKnobs(
                    latency_seconds=settings.voice_llm_latency_seconds,
                    jitter_seconds=settings.voice_llm_jitter_seconds,
                    token_seconds=settings.voice_llm_token_seconds,
                    failure_share=settings.voice_llm_failure_share,
                    hang_share=settings.voice_llm_hang_share,
                    **failures,
                ),
                tts=PartKnobs(
                    latency_seconds=settings.voice_tts_latency_seconds,
                    jitter_seconds=settings.voice_tts_jitter_seconds,
                    failure_share=settings.voice_tts_failure_share,
                    hang_share=settings.voice_tts_hang_share,
                    **failures,
                ),
                task=PartKnobs(
                    latency_seconds=settings.voice_task_latency_seconds,
                    jitter_seconds=settings.voice_task_jitter_seconds,
                    failure_share=settings.voice_task_failure_share,
                    hang_share=settings.voice_task_hang_share,
                    **failures,
                ),
            ),
            **failures,
        )

    def of(self, part: Part) -> PartKnobs:
        """Those of one part."""
        return self if part == "suggest" else getattr(self.stages, part)

    def changed(self, change: dict[str, Any]) -> "Knobs":
        """These, with what `change` names replaced, at any depth. Raises pydantic's ValidationError for what can't be turned so."""
        return Knobs.model_validate(_merge(self.model_dump(), change))


def _merge(old: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in change.items():
        before = old.get(key)
        merged[key] = _merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
