"""Bodies of requests and answers about voice calls."""

from typing import Annotated, Final

from fastapi import Header, Path
from pydantic import AfterValidator, Base64Bytes, BaseModel, Field, StringConstraints

from app.core.correlation import VALID_CALL_SID, is_valid_call_sid
from app.core.telemetry.metrics import TaskName

LONGEST_SPEECH: Final = 1000

_PATTERN: Final = f"^{VALID_CALL_SID.pattern}$"
_ABOUT: Final = "Id of the call, on every record and span of it."
_EXAMPLE: Final = "CA5f0c1d2e3b4a59687766554433221100"


def _no_secret(value: str | None) -> str | None:
    """Every record of the call would have it."""
    if value is not None and not is_valid_call_sid(value):
        raise ValueError("must not have the form of a key, a token, a card number or an IP address")
    return value


GivenCallSid = Annotated[
    str | None,
    Header(alias="X-Call-SID", pattern=_PATTERN, description="Id that the caller's system gave. It may stand in the body too."),
    AfterValidator(_no_secret),
]
CallSid = Annotated[str, Path(pattern=_PATTERN, description=_ABOUT, examples=[_EXAMPLE])]


class CallWanted(BaseModel):
    """A call to begin."""

    call_sid: Annotated[str, StringConstraints(pattern=_PATTERN), AfterValidator(_no_secret)] | None = Field(
        None, description="Id that the caller's system gave; without one it is made.", examples=[_EXAMPLE]
    )


class CallStarted(BaseModel):
    """A call that began."""

    call_sid: str = Field(description=_ABOUT, examples=[_EXAMPLE])


class Utterance(BaseModel):
    """What the user said."""

    speech: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_SPEECH)] = Field(
        description="Text stands for the sound. It is never logged.", examples=["a table for four at eight"]
    )


class TurnTimings(BaseModel):
    """How long the parts of a turn took, in milliseconds."""

    asr: float = Field(examples=[96.1])
    llm_ttft: float = Field(description="Until the language model's first token.", examples=[231.7])
    llm: float = Field(description="Until its last token.", examples=[273.2])
    tts: float = Field(examples=[101.5])
    end_to_end: float = Field(description="From the end of the speech until the first sound of the answer.", examples=[471.3])


class TurnRead(BaseModel):
    """The answer to an utterance."""

    call_sid: str = Field(examples=[_EXAMPLE])
    turn: int = Field(description="Number of the turn in its call, from 1.", examples=[1])
    transcript: str = Field(examples=["A table for four at eight"])
    reply: str = Field(examples=["Certainly. You said: A table for four at eight"])
    audio: Base64Bytes = Field(description="The reply as a WAV file, in base64.")
    timings_ms: TurnTimings


class TaskWanted(BaseModel):
    """A business task."""

    task: TaskName
    details: dict[Annotated[str, StringConstraints(min_length=1, max_length=32)], Annotated[str, StringConstraints(max_length=200)]] = (
        Field({}, max_length=10, description="What the task needs to know. Never logged.", examples=[{"people": "4", "at": "20:00"}])
    )


class TaskRead(BaseModel):
    """A task that was executed."""

    call_sid: str = Field(examples=[_EXAMPLE])
    task: TaskName
    confirmation: str = Field(description="Number under which it was done.", examples=["RES-1A2B3C4D"])


class CallEnded(BaseModel):
    """A call that is over."""

    call_sid: str = Field(examples=[_EXAMPLE])
    duration_seconds: float = Field(examples=[42.5])
    turns: int = Field(examples=[3])
