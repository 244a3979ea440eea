"""What the stages pretend to do. The same input gives the same output, so that tests can tell what must come out.

Replace these functions by calls to real engines: docs/voice.md says how.
"""

import hashlib
import io
import math
import wave
import zlib
from collections.abc import Mapping
from typing import Final

SAMPLE_RATE: Final = 8000
"""Hertz: a telephone's."""

WORD_SAMPLES: Final = 480
"""60 ms of sound for each word: enough to count the words by the length."""

_OPENINGS: Final = ("Certainly.", "Of course.", "With pleasure.", "Let me see.", "Gladly.")


def transcribe(speech: str) -> str:
    """The text of an utterance, which here is text already: words with single spaces, the first letter large."""
    text = " ".join(speech.split())
    return text[:1].upper() + text[1:]


def tokens_for(prompt: str, most: int) -> list[str]:
    """The answer of the language model, at most `most` tokens: an opening that depends on the prompt, and what was understood."""
    opening = _OPENINGS[zlib.crc32(prompt.encode()) % len(_OPENINGS)]
    words = f"{opening} You said: {prompt}".split()[:most]
    return [word if place == 0 else f" {word}" for place, word in enumerate(words)]


def synthesise(text: str) -> bytes:
    """A text as a WAV file, 8 bit mono: a short tone for each word, its pitch from its letters."""
    frames = b"".join(_tone(200 + zlib.crc32(word.encode()) % 600) for word in text.split())
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(SAMPLE_RATE)
        sound.writeframes(frames)
    return file.getvalue()


def confirmation(task: str, call_sid: str, details: Mapping[str, str]) -> str:
    """The number under which a task was executed, such as RES-1A2B3C4D: the same for the same wish in the same call."""
    wish = "\n".join([task, call_sid, *(f"{key}={value}" for key, value in sorted(details.items()))])
    return f"{task[:3]}-{hashlib.sha256(wish.encode()).hexdigest()[:8]}".upper()


def _tone(hertz: int) -> bytes:
    return bytes(128 + int(60 * math.sin(2 * math.pi * hertz * place / SAMPLE_RATE)) for place in range(WORD_SAMPLES))
