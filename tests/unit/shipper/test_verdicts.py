"""Verdicts: a document is given up only for its own fault."""

from typing import Any

import pytest

from app.shipper.verdicts import judge_item, judge_request, status_label
from tests.support.bulk import refusal


@pytest.mark.parametrize(
    ("outcome", "action", "reason"),
    [
        ({"status": 201}, "delivered", ""),
        (refusal(409, "version_conflict_engine_exception"), "duplicate", ""),
        (refusal(400, "document_parsing_exception"), "dead", "rejected"),
        (refusal(400, "illegal_argument_exception"), "dead", "rejected"),
        (refusal(500, "not_x_content_exception"), "dead", "rejected"),
        (refusal(413, "content_too_long"), "dead", "too_large"),
        (refusal(429, "es_rejected_execution_exception"), "retry", "overload"),
        (refusal(429, "cluster_block_exception"), "retry", "blocked"),
        (refusal(403, "cluster_block_exception"), "retry", "blocked"),
        (refusal(400, "index_closed_exception"), "retry", "blocked"),
        (refusal(400, "validation_exception"), "retry", "blocked"),
        (refusal(404, "index_not_found_exception"), "retry", "blocked"),
        (refusal(403, "security_exception"), "hold", "auth"),
        (refusal(401, "security_exception"), "hold", "auth"),
        (refusal(503, "unavailable_shards_exception"), "retry", "server_error"),
        (refusal(500, "whatever"), "retry", "server_error"),
    ],
)
def test_items(outcome: dict[str, Any], action: str, reason: str) -> None:
    """Each kind of item that a real server gave has its verdict."""
    verdict = judge_item({"create": outcome})
    assert (verdict.action, verdict.reason) == (action, reason)


@pytest.mark.parametrize(
    ("status", "error", "action", "reason"),
    [
        (401, {"type": "security_exception"}, "hold", "auth"),
        (403, {"type": "security_exception"}, "hold", "auth"),
        (403, {"type": "cluster_block_exception"}, "retry", "blocked"),
        (413, "Request Entity Too Large", "halve", "too_large"),
        (400, {"type": "x_content_parse_exception"}, "halve", "rejected"),
        (429, {"type": "circuit_breaking_exception"}, "retry", "overload"),
        (408, "", "retry", "timeout"),
        (502, "<html>", "retry", "server_error"),
        (503, {"type": "master_not_discovered_exception"}, "retry", "server_error"),
    ],
)
def test_whole_requests(status: int, error: Any, action: str, reason: str) -> None:
    """A request that is refused as a whole never costs a document before it was tried alone."""
    verdict = judge_request(status, error)
    assert (verdict.action, verdict.reason) == (action, reason)


def test_the_reason_names_the_innermost_cause_in_one_line() -> None:
    """A dead letter tells what was wrong, not the server's stack."""
    error = {
        "type": "t",
        "reason": "failed to parse\n at [Source]",
        "caused_by": {"reason": "outer", "caused_by": {"reason": "Expected text"}},
    }
    assert judge_item({"create": {"status": 400, "error": error}}).detail == "failed to parse: Expected text"


def test_statuses_have_few_labels() -> None:
    """Whatever a server answers, the metric keeps its few series."""
    assert [status_label(status) for status in (200, 201, 400, 404, 409, 429, 500, 503)] == [
        "2xx",
        "2xx",
        "400",
        "4xx",
        "409",
        "429",
        "5xx",
        "5xx",
    ]
