"""/crash and /debug."""

from pathlib import Path

import pytest

from tests.support.backend import Backend, running_backend

pytestmark = pytest.mark.anyio

TOKEN = "0123456789abcdef0123456789"
OUTSIDE = {"environment": "production", "metrics_token": TOKEN, "jwt_secret": TOKEN * 2, "log_level": "INFO"}


@pytest.mark.req("ERR-01", "ERR-02", "HTM-03", "HTM-04", "LOG-23", "J-09")
@pytest.mark.parametrize("path", ["/crash", "/debug", "/api/crash"])
async def test_a_crash_is_500_with_one_terminal_record_and_counts_as_500(backend: Backend, path: str) -> None:
    """500 with the id and nothing else; one terminal ERROR record; requests, errors and exceptions each rise by one."""
    series = [
        ("http_requests_total", {"endpoint": path, "status_code": "500"}),
        ("http_requests_errors_total", {"endpoint": path, "status_code": "500"}),
        ("http_exceptions_total", {"endpoint": path, "exception_type": "ZeroDivisionError"}),
    ]
    before = [await backend.metric(name, **labels) for name, labels in series]
    answer = await backend.http.get(path, headers={"X-Event-ID": "boom"})
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error", "request_id": "boom"})
    assert backend.events("boom") == ["http.request.started", "http.request.failed"]
    assert backend.record("boom", "http.request.failed")["error_type"] == "ZeroDivisionError"
    assert [await backend.metric(name, **labels) - was for (name, labels), was in zip(series, before, strict=True)] == [1, 1, 1]


@pytest.mark.req("ERR-03", "J-09")
@pytest.mark.parametrize("path", ["/crash", "/debug"])
async def test_production_has_no_error_endpoints(tmp_path: Path, path: str) -> None:
    """404 by default, with the operators' token too."""
    async with running_backend(tmp_path, **OUTSIDE) as backend:
        answer = await backend.http.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "Not Found")


@pytest.mark.req("ERR-03")
async def test_where_they_are_enabled_outside_development_they_ask_for_the_token(tmp_path: Path) -> None:
    """401 without the token or with another, 500 with it."""
    async with running_backend(tmp_path, **OUTSIDE, enable_error_endpoints=True) as backend:
        answers = [
            (await backend.http.get("/crash", headers={"Authorization": value} if value else {})).status_code
            for value in ("", "Bearer wrong", f"Bearer {TOKEN}")
        ]
    assert answers == [401, 401, 500]


@pytest.mark.req("ERR-03")
async def test_they_can_be_switched_off_in_development(tmp_path: Path) -> None:
    """ENABLE_ERROR_ENDPOINTS=false is 404 everywhere."""
    async with running_backend(tmp_path, enable_error_endpoints=False) as backend:
        assert (await backend.http.get("/crash")).status_code == 404
