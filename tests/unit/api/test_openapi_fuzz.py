"""Whatever the documentation allows, and much that it doesn't: no 5xx, no status and no content type that isn't documented.

Schemathesis makes the requests from the OpenAPI document, so that a new
endpoint is in without a word. NOBET_FUZZ_SEED repeats a run, NOBET_FUZZ_SECONDS
makes it longer.
"""

import asyncio
import os
import time
import unittest
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.support.backend import Backend, running_backend

SEED: Final = int(os.environ.get("NOBET_FUZZ_SEED", "20261122"))
SECONDS: Final = float(os.environ.get("NOBET_FUZZ_SECONDS", "40"))
"""For all operations together; each gets its share, so that none is left out."""

EXAMPLES: Final = 40
CHECKS: Final = [content_type_conformance, response_schema_conformance]
BY_DESIGN: Final = frozenset({"/crash", "/debug"})
"""These fail on purpose."""

FAILING_SERVICES: Final = frozenset({502, 503})
"""Where an operation documents them, what it needs may be away, and in this test the voice service is."""


class Fuzzer:
    """The application in a loop of its own, and the way of a generated case to it."""

    def __init__(self, runner: asyncio.Runner, backend: Backend, token: str) -> None:
        self._runner: Final = runner
        self._backend: Final = backend
        self._token: Final = token

    def document(self) -> dict[str, Any]:
        """The OpenAPI document that it serves."""
        found: dict[str, Any] = self._runner.run(self._backend.http.get("/openapi.json")).json()
        return found

    def send(self, case: Case[Any], *, signed_in: bool) -> httpx.Response:
        """The answer to a case."""
        kwargs = case.as_transport_kwargs(base_url="http://backend.test")
        headers = {name: value for name, value in dict(kwargs.pop("headers", None) or {}).items() if name.lower() != "authorization"}
        if signed_in:
            headers["Authorization"] = self._token
        prepared = requests.Request(**{**kwargs, "headers": headers}).prepare()
        body: Any = prepared.body
        request = httpx.Request(
            str(prepared.method),
            str(prepared.url),
            headers=[(_raw(name), _raw(value)) for name, value in prepared.headers.items()],
            content=body,
        )
        return self._runner.run(self._backend.http.send(request))


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


@pytest.fixture
def fuzzer(tmp_path: Path) -> Iterator[Fuzzer]:
    """Over an empty database, with one signed-in user and no limit on requests."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        limits = {
            "rate_limit_per_minute": 0,
            "events_requests_per_minute": 10**6,
            "login_failures_per_account": 10**6,
            "login_failures_per_address": 10**6,
        }
        backend = runner.run(stack.enter_async_context(running_backend(tmp_path, log_level="ERROR", **limits)))
        token = runner.run(backend.sign_in("7"))["Authorization"]
        yield Fuzzer(runner, backend, token)
        runner.run(stack.aclose())


def _check(case: Case[Any], response: httpx.Response, documented: dict[str, Any]) -> None:
    """`default` documents nothing here: each status must be named."""
    asked = f"{case.as_curl_command()} -> {response.text[:200]}"
    assert str(response.status_code) in documented, f"status {response.status_code} is not documented: {asked}"
    if response.status_code not in FAILING_SERVICES:
        case.validate_response(response, checks=[not_a_server_error])
    case.validate_response(response, checks=CHECKS)


def _probe(fuzzer: Fuzzer, operation: Any, mode: GenerationMode, documented: dict[str, Any], seconds: float) -> int:
    """Send cases for a while; how many were sent. Raises AssertionError, or what Schemathesis' checks raise."""
    over, sent = time.monotonic() + seconds, 0

    @seed(SEED)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), signed_in=st.booleans())
    def run(case: Case[Any], signed_in: bool) -> None:
        nonlocal sent
        if time.monotonic() > over:
            raise unittest.SkipTest("time is over")  # the only thing that ends a run at once
        sent += 1
        _check(case, fuzzer.send(case, signed_in=signed_in), documented)

    with suppress(unittest.SkipTest, Unsatisfiable):  # an operation without parameters can't be called wrongly
        run()
    return sent


@pytest.mark.req("ERR-07", "ERR-08", "TST-01")
def test_every_endpoint_answers_as_documented_whatever_it_is_sent(fuzzer: Fuzzer) -> None:
    """Good and bad requests to every operation, with and without a token."""
    document = fuzzer.document()
    found: list[Any] = [result.ok() for result in schemathesis.openapi.from_dict(document).get_all_operations()]  # type: ignore[union-attr]
    operations = [operation for operation in found if operation.path not in BY_DESIGN]
    share = SECONDS / len(operations) / len(GenerationMode)
    complaints: list[str] = []
    sent = 0
    for operation in operations:
        documented = document["paths"][operation.path][operation.method]["responses"]
        for mode in GenerationMode:
            try:
                sent += _probe(fuzzer, operation, mode, documented, share)
            except Exception as error:
                complaints.append(f"{operation.label} ({mode.value}): {_told(error)}")
    print(f"NOBET_FUZZ_SEED={SEED}: {sent} requests to {len(operations)} operations")
    assert complaints == [], "\n\n".join(complaints)
    assert sent > len(operations)


def _told(error: BaseException) -> str:
    parts = [str(part) for part in getattr(error, "exceptions", [error])]
    notes = [note for part in getattr(error, "exceptions", [error]) for note in getattr(part, "__notes__", [])]
    return "\n".join([*parts, *notes])[:800]
