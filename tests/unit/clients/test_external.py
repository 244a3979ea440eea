"""Calls to other services: what is tried again, what counts as a failure, what the circuit does with it."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from app.clients import external
from app.clients.circuit import CircuitOpenError
from app.clients.external import TRIES, ExternalClient, ExternalTimeoutError, ExternalUnreachableError
from app.core.config import Settings
from tests.support.asgi import sample

pytestmark = pytest.mark.anyio

Answer = Callable[[httpx.Request], httpx.Response]


class Service:
    """A stub that gives its answers in order, the last one for ever, and counts the calls."""

    def __init__(self, *answers: int | type[Exception]) -> None:
        self.calls = 0
        self._answers = answers

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a call."""
        answer = self._answers[min(self.calls, len(self._answers) - 1)]
        self.calls += 1
        if isinstance(answer, int):
            return httpx.Response(answer)
        raise answer("stub", request=request)  # type: ignore[call-arg]

    def client(self, settings: Settings, limit: float = 5) -> ExternalClient:
        """A client of it."""
        return ExternalClient("stub", "http://stub.test", limit, settings, httpx.MockTransport(self))


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "FIRST_PAUSE_SECONDS", 0.001)


@pytest.mark.parametrize("failure", [502, 503, 504, httpx.ReadError, httpx.RemoteProtocolError, httpx.ConnectError, httpx.ConnectTimeout])
async def test_an_idempotent_call_is_tried_again_until_it_works(settings: Settings, failure: int | type[Exception]) -> None:
    """Two failures that may pass, then the answer; each further try is counted."""
    before = sample("external_retries_total", dependency="stub")
    service = Service(failure, failure, 200)
    assert (await service.client(settings).request("GET", "/")).status_code == 200
    assert service.calls == 3
    assert sample("external_retries_total", dependency="stub") - before == 2


@pytest.mark.parametrize(("failure", "calls"), [(503, 1), (500, 1), (httpx.ReadError, 1), (httpx.ConnectError, TRIES)])
async def test_a_post_is_tried_again_only_when_nothing_of_it_was_sent(
    settings: Settings, failure: int | type[Exception], calls: int
) -> None:
    """What may have been done once must not be done twice."""
    service = Service(failure)
    if isinstance(failure, int):
        assert (await service.client(settings).request("POST", "/", {})).status_code == failure
    else:
        with pytest.raises(ExternalUnreachableError):
            await service.client(settings).request("POST", "/", {})
    assert service.calls == calls


@pytest.mark.parametrize("status", [200, 204, 302, 400, 404, 429, 500])
async def test_other_answers_are_final(settings: Settings, status: int) -> None:
    """They would be the same a moment later."""
    service = Service(status)
    assert (await service.client(settings).request("GET", "/")).status_code == status
    assert service.calls == 1


@pytest.mark.req("HLT-05")
async def test_the_time_limit_holds_for_all_tries_together(settings: Settings) -> None:
    """A service that never answers ends in a time-out, counted as such."""

    async def never(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    before = sample("external_requests_total", dependency="stub", outcome="timeout")
    client = ExternalClient("stub", "http://stub.test", 0.05, settings, httpx.MockTransport(never))
    with pytest.raises(ExternalTimeoutError):
        await client.request("GET", "/")
    assert sample("external_requests_total", dependency="stub", outcome="timeout") - before == 1


@pytest.mark.req("ERR-09")
@pytest.mark.parametrize("failure", [500, 503, httpx.ReadTimeout, httpx.ConnectError])
async def test_a_service_that_keeps_failing_is_left_alone(settings: Settings, failure: int | type[Exception]) -> None:
    """After three failed calls in a row it is asked no more; refusals are counted; a health check still asks."""
    service = Service(failure)
    client = service.client(settings)
    for _ in range(3):
        try:
            await client.request("POST", "/", {})
        except (ExternalTimeoutError, ExternalUnreachableError):
            continue
    before = service.calls
    with pytest.raises(CircuitOpenError):
        await client.request("POST", "/", {})
    assert service.calls == before
    try:
        await client.request("GET", "/", probe=True)
    except (ExternalTimeoutError, ExternalUnreachableError):
        pass
    assert service.calls == before + 1


async def test_refusals_of_the_callers_own_making_open_nothing(settings: Settings) -> None:
    """A 4xx says that the service is well."""
    service = Service(404)
    client = service.client(settings)
    for _ in range(10):
        await client.request("GET", "/")
    assert service.calls == 10


async def test_a_caller_that_goes_away_is_no_failure_of_the_service(settings: Settings) -> None:
    """Cancelled calls leave the circuit closed."""

    async def never(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    client = ExternalClient("stub", "http://stub.test", 30, settings, httpx.MockTransport(never))
    for _ in range(5):
        task = asyncio.create_task(client.request("GET", "/"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert client._circuit.state == 0
