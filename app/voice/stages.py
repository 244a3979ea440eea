"""The stages of a call over HTTP: hear (/asr), think (/llm), speak (/tts), and execute a task (/reserve).

The call's id comes in X-Call-SID and is on every record and span. Texts are
never logged: they are what people said.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from app.core import context, tracing
from app.core.logger import get_logger
from app.voice import work
from app.voice.knobs import Part
from app.voice.misbehaviour import CallerGone, Misbehaviour
from app.voice.schemas import Prompt, Script, TaskDone, TaskWanted, Transcript, Utterance

STREAM_TYPE: Final = "application/x-ndjson"
_SPANS: Final[dict[Part, str]] = {"asr": "asr.transcribe", "llm": "llm.generate", "tts": "tts.synthesize", "task": "task.execute"}

log = get_logger(__name__)


class TokenStream(Response):
    """The language model's answer, a line of JSON for each token as it comes, and one at the end that says how many there were."""

    media_type = STREAM_TYPE

    def __init__(self, misbehaviour: Misbehaviour, wanted: Prompt) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._misbehaviour = misbehaviour
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. A failure comes before the first token, and as an error answer."""
        async with _stage("llm", self._misbehaviour, receive):
            gone = asyncio.ensure_future(receive())
            try:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await self._send_tokens(send, gone)
            finally:
                gone.cancel()

    async def _send_tokens(self, send: Send, gone: asyncio.Future[Any]) -> None:
        tokens = work.tokens_for(self._wanted.prompt, self._wanted.max_tokens)
        for place, token in enumerate(tokens):
            if place:
                await asyncio.sleep(self._misbehaviour.knobs.stages.llm.token_seconds)
            if gone.done():
                return
            await send({"type": "http.response.body", "body": _line({"token": token}), "more_body": True})
        await send({"type": "http.response.body", "body": _line({"done": True, "tokens": len(tokens)}), "more_body": False})


def stage_router(misbehaviour: Misbehaviour) -> APIRouter:
    """The four endpoints. A failure has the status and the `code` that the stage's knobs ask for."""
    router = APIRouter(tags=["calls"])

    @router.post("/asr")
    async def recognise(heard: Utterance, request: Request) -> Transcript:
        """Speech recognition."""
        async with _stage("asr", misbehaviour, request.receive):
            return Transcript(transcript=work.transcribe(heard.speech))

    @router.post("/llm", response_class=TokenStream)
    async def think(wanted: Prompt) -> Response:
        """The language model: lines of JSON, `{"token": …}` as they come, `{"done": true, "tokens": n}` at the end."""
        return TokenStream(misbehaviour, wanted)

    @router.post("/tts", response_class=Response, responses={200: {"content": {"audio/wav": {}}}})
    async def speak(script: Script, request: Request) -> Response:
        """Speech synthesis: a WAV file."""
        async with _stage("tts", misbehaviour, request.receive):
            return Response(work.synthesise(script.text), media_type="audio/wav")

    @router.post("/reserve")
    async def execute(wanted: TaskWanted, request: Request) -> TaskDone:
        """A business task, such as a reservation."""
        async with _stage("task", misbehaviour, request.receive):
            call_sid = str(context.current().get("call_sid", ""))
            return TaskDone(confirmation=work.confirmation(wanted.task, call_sid, wanted.details))

    return router


@asynccontextmanager
async def _stage(part: Part, misbehaviour: Misbehaviour, caller_gone: CallerGone) -> AsyncIterator[None]:
    """The stage's span, misbehaviour and record around its work."""
    started = time.perf_counter()
    with tracing.span(_SPANS[part]):
        # The body has been read, so the next message is the caller's goodbye.
        await misbehaviour.before(part, caller_gone)
        yield
    duration = round((time.perf_counter() - started) * 1000, 3)
    log.info("A stage of a call is done", event="voice.stage_completed", stage=part, duration_ms=duration)


def _line(content: dict[str, object]) -> bytes:
    return orjson.dumps(content) + b"\n"
