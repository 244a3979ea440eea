"""The stages of a voice call, over HTTP: hear, think, speak, execute a task.

Each stage has a time limit and a circuit of its own: a language model that is
down doesn't keep reservations from being made. Call id, request id and trace
context go along. Every failure comes out as a VoiceError.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx
import orjson
from pydantic import BaseModel, ValidationError

from app.clients.circuit import CircuitBreaker, CircuitOpenError
from app.clients.voice import VoiceAnswerError, VoiceTimeoutError, VoiceUnreachableError
from app.core import tracing
from app.core.config import Settings
from app.core.telemetry.metrics import STAGES

MAX_CONNECTIONS: Final = 100
"""Requests beyond it wait, within their time limit."""

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of an answer: minutes of speech. What is longer is no answer."""

LONGEST_CODE: Final = 64

Heard = Callable[[], None]
"""Called once, when the first token or the first sound is there."""


class StageRefusedError(VoiceAnswerError):
    """The stage understood and said no, with a 4xx: no table is free, for example. It is healthy."""


class _Transcript(BaseModel):
    transcript: str


class _Done(BaseModel):
    confirmation: str


class CallStages:
    """The stages at VOICE_URL. One connection pool per process."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._configured: Final = bool(settings.voice_url)
        self._limits: Final = {
            "asr": settings.call_asr_timeout_seconds,
            "llm": settings.call_llm_first_token_seconds,
            "tts": settings.call_tts_timeout_seconds,
            "task": settings.call_task_timeout_seconds,
        }
        self._llm_limit: Final = settings.call_llm_timeout_seconds
        self._circuits: Final = {
            stage: CircuitBreaker(f"voice_{stage}", settings.circuit_failures, settings.circuit_open_seconds) for stage in STAGES
        }
        self._http: Final = httpx.AsyncClient(
            base_url=settings.voice_url or "http://unset.invalid",
            timeout=httpx.Timeout(None, connect=settings.voice_timeout_seconds),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            transport=transport,
            trust_env=False,
        )

    async def recognise(self, speech: str) -> str:
        """The text of an utterance. Raises VoiceError."""
        async with self._asked("asr", "/asr", {"speech": speech}) as (response, _):
            return _Transcript.model_validate_json(await _whole(response)).transcript

    async def think(self, prompt: str, on_first_token: Heard) -> str:
        """The language model's whole answer. Raises VoiceError: also when the first token, or the last, is too late."""
        loop = asyncio.get_running_loop()
        last = loop.time() + self._llm_limit
        tokens: list[str] = []
        async with self._asked("llm", "/llm", {"prompt": prompt}) as (response, limit):
            async for line in _lines(response):
                if line.get("done") is True:
                    return "".join(tokens)
                if not tokens:
                    limit.reschedule(last)
                    on_first_token()
                tokens.append(str(line["token"]))
            raise VoiceAnswerError("The language model's answer broke off", "cut_off")

    async def speak(self, text: str, on_first_sound: Heard) -> bytes:
        """A text as sound. Raises VoiceError."""
        async with self._asked("tts", "/tts", {"text": text}) as (response, _):
            return await _whole(response, on_first_sound)

    async def execute(self, task: str, details: Mapping[str, str]) -> str:
        """Have a business task done; its confirmation number. Raises StageRefusedError when it was refused, else VoiceError."""
        async with self._asked("task", "/reserve", {"task": task, "details": dict(details)}) as (response, _):
            return _Done.model_validate_json(await _whole(response)).confirmation

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    @asynccontextmanager
    async def _asked(self, stage: str, path: str, body: dict[str, object]) -> AsyncIterator[tuple[httpx.Response, asyncio.Timeout]]:
        """A stage's successful answer, still to be read, and the time limit of the block."""
        if not self._configured:
            raise VoiceUnreachableError("No voice service is configured", "not_configured")
        circuit = self._circuits[stage]
        try:
            circuit.enter()
        except CircuitOpenError as error:
            raise VoiceUnreachableError("The stage is left alone for a while", "circuit_open", error.retry_after) from error
        try:
            async with (
                asyncio.timeout(self._limits[stage]) as limit,
                self._http.stream("POST", path, json=body, headers=tracing.outgoing_headers()) as response,
            ):
                if not response.is_success:
                    raise await _failure(response)
                yield response, limit
        except StageRefusedError:
            circuit.succeeded()
            raise
        except (TimeoutError, httpx.HTTPError, VoiceAnswerError, ValidationError, ValueError, KeyError) as error:
            circuit.failed()
            raise _told(error) from error
        except BaseException:
            circuit.given_up()
            raise
        circuit.succeeded()


def _told(error: Exception) -> Exception:
    """A failure in our words."""
    if isinstance(error, VoiceAnswerError):
        return error
    if isinstance(error, httpx.TransportError) and not isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout)):
        code = "connect_timeout" if isinstance(error, httpx.ConnectTimeout) else "unreachable"
        return VoiceUnreachableError("The voice service can't be reached", code)
    if isinstance(error, (TimeoutError, httpx.TimeoutException)):
        return VoiceTimeoutError("The stage did not answer in time", "timeout")
    return VoiceAnswerError("The stage gave an answer that can't be read", "bad_answer")


async def _failure(response: httpx.Response) -> VoiceAnswerError:
    status = response.status_code
    kind = StageRefusedError if 400 <= status < 500 else VoiceAnswerError
    return kind(f"The stage answered with status {status}", _code_of(await _whole(response), status))


def _code_of(body: bytes, status: int) -> str:
    """The code in an answer's body, or `http_503` when it has none that can be taken over."""
    try:
        code = orjson.loads(body)["code"]
    except (ValueError, KeyError, TypeError):
        code = None
    usable = isinstance(code, str) and code.isascii() and code.replace("_", "").replace("-", "").replace(".", "").isalnum()
    return str(code)[:LONGEST_CODE] if usable else f"http_{status}"


async def _whole(response: httpx.Response, on_first: Heard | None = None) -> bytes:
    """The body, as far as it may be long. `on_first` is called when its first byte is there."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        if piece and not body and on_first is not None:
            on_first()
        body += piece
        if len(body) > MOST_BYTES:
            raise VoiceAnswerError("The stage's answer is too long", "too_long")
    return bytes(body)


async def _lines(response: httpx.Response) -> AsyncIterator[dict[str, object]]:
    """Each line of JSON as it arrives."""
    read = 0
    async for line in response.aiter_lines():
        read += len(line)
        if read > MOST_BYTES:
            raise VoiceAnswerError("The stage's answer is too long", "too_long")
        content = orjson.loads(line)
        if not isinstance(content, dict):
            raise VoiceAnswerError("The stage gave an answer that can't be read", "bad_answer")
        yield content
