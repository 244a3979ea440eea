"""What the stages take and give."""

from typing import Annotated, Final

from pydantic import BaseModel, Field, StringConstraints

from app.core.telemetry.metrics import TaskName

LONGEST_TEXT: Final = 4000
LONGEST_ANSWER: Final = 200
"""Tokens."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_TEXT)]
Detail = Annotated[str, StringConstraints(max_length=200)]


class Utterance(BaseModel):
    """What somebody said. Text stands for the sound."""

    speech: Text = Field(examples=["a table for four at eight"])


class Transcript(BaseModel):
    """What was understood."""

    transcript: str


class Prompt(BaseModel):
    """What the language model is asked."""

    prompt: Text
    max_tokens: int = Field(64, ge=1, le=LONGEST_ANSWER)


class Script(BaseModel):
    """What is to be spoken."""

    text: Text


class TaskWanted(BaseModel):
    """What is to be done, and the details that it needs."""

    task: TaskName
    details: dict[Annotated[str, StringConstraints(min_length=1, max_length=32)], Detail] = Field({}, max_length=10)


class TaskDone(BaseModel):
    """It was done."""

    confirmation: str = Field(examples=["RES-1A2B3C4D"])
