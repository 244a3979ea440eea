"""Voice calls in tests: a stand-in for the stages with a clock that only it moves, and somebody on the phone of a running stack."""

import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx

from app.clients.calls import CallStages
from app.core.config import Settings
from app.voice import work
from tests.support.backend import Backend
from tests.support.stack import RunningStack

KNOBS_SECONDS: Final = 30


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


class Caller:
    """Somebody on the phone, over a running stack."""

    def __init__(self, app: httpx.Client, headers: dict[str, str], call_sid: str, traceparent: str = "") -> None:
        """`traceparent` is that of the telephony gateway, when it has begun the trace."""
        self.call_sid: Final = call_sid
        self._app: Final = app
        self._headers: Final = {**headers, "X-Call-SID": call_sid, **({"traceparent": traceparent} if traceparent else {})}

    def begin(self) -> None:
        """Pick up."""
        answer = self._app.post("/api/calls", headers=self._headers)
        assert (answer.status_code, answer.json().get("call_sid")) == (201, self.call_sid), answer.text

    def say(self, speech: str) -> httpx.Response:
        """A turn."""
        return self._app.post(f"/api/calls/{self.call_sid}/turns", json={"speech": speech}, headers=self._headers)

    def want(self, task: str, **details: str) -> httpx.Response:
        """A business task."""
        return self._app.post(f"/api/calls/{self.call_sid}/tasks", json={"task": task, "details": details}, headers=self._headers)

    def hang_up(self) -> httpx.Response:
        """The end."""
        return self._app.post(f"/api/calls/{self.call_sid}/end", headers=self._headers)


@contextmanager
def stage_knobs(stack: RunningStack, **stages: dict[str, Any]) -> Iterator[None]:
    """Turn knobs of some stages of the running voice service, and put back what was before."""
    url = f"{stack.url('voice')}/admin/knobs"
    token = {"Authorization": f"Bearer {stack.secret('METRICS_TOKEN')}"}
    before = httpx.get(url, headers=token, timeout=KNOBS_SECONDS, trust_env=False).raise_for_status().json()["stages"]
    httpx.patch(url, json={"stages": stages}, headers=token, timeout=KNOBS_SECONDS, trust_env=False).raise_for_status()
    try:
        yield
    finally:
        httpx.patch(url, json={"stages": before}, headers=token, timeout=KNOBS_SECONDS, trust_env=False).raise_for_status()
