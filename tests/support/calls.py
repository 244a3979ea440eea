"""A stand-in for the voice service's stages, with a clock that only it moves: what a turn measures can be told exactly."""

import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from app.clients.calls import CallStages
from app.core.config import Settings
from app.voice import work
from tests.support.backend import Backend


@dataclasses.dataclass
class StageStub:
    """Answers as the real stages do. Durations are seconds on `clock`."""

    asr_seconds: float = 0.12
    first_token_seconds: float = 0.3
    other_tokens_seconds: float = 0.05
    tts_seconds: float = 0.1
    now: float = 0.0
    broken: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Path → an answer, or an exception, instead of the real one."""
    seen: list[httpx.Request] = dataclasses.field(default_factory=list)

    def clock(self) -> float:
        """Seconds since the beginning of the test."""
        return self.now

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """What the stage says."""
        self.seen.append(request)
        path, body = request.url.path, json.loads(request.content)
        broken = self.broken.get(path)
        if isinstance(broken, Exception):
            raise broken
        if broken is not None:
            return broken if isinstance(broken, httpx.Response) else await broken()
        if path == "/asr":
            self.now += self.asr_seconds
            return httpx.Response(200, json={"transcript": work.transcribe(body["speech"])})
        if path == "/llm":
            return httpx.Response(200, content=self._tokens(body["prompt"]))
        if path == "/tts":
            self.now += self.tts_seconds
            return httpx.Response(200, content=work.synthesise(body["text"]))
        return httpx.Response(200, json={"confirmation": work.confirmation(body["task"], "", body["details"])})

    def stages(self, settings: Settings, **overrides: Any) -> CallStages:
        """A client of this stub."""
        chosen = settings.model_copy(update={"voice_url": "http://voice.test", **overrides})
        return CallStages(chosen, httpx.MockTransport(self.answer))

    def install(self, backend: Backend, **overrides: Any) -> "StageStub":
        """Answer the backend's calls."""
        settings = backend.resources.settings.model_copy(update=overrides)
        calls = self.stages(settings)
        backend.app.state.resources = dataclasses.replace(backend.resources, settings=settings, calls=calls)
        return self

    async def _tokens(self, prompt: str) -> AsyncIterator[bytes]:
        tokens = work.tokens_for(prompt, 64)
        self.now += self.first_token_seconds
        yield json.dumps({"token": tokens[0]}).encode() + b"\n"
        self.now += self.other_tokens_seconds
        for token in tokens[1:]:
            yield json.dumps({"token": token}).encode() + b"\n"
        yield json.dumps({"done": True, "tokens": len(tokens)}).encode() + b"\n"
