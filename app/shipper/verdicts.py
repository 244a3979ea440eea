"""What an answer of Elasticsearch means for a request and for each of its items.

The rule: a document is given up only when it is the document's own fault. What
the cluster, the network, the rights or an operator can mend is tried again until
it is mended.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

Action = Literal["delivered", "duplicate", "retry", "hold", "dead", "halve"]

RetryReason = Literal["connection", "timeout", "overload", "server_error", "blocked", "auth", "too_large"]

ON_HOLD_UNTIL_MENDED: Final = frozenset(
    {"cluster_block_exception", "index_closed_exception", "validation_exception", "index_not_found_exception"}
)
"""Errors with a 4xx status that say nothing about the document: blocked or closed index, shard limit reached, index may not be made."""

DOCUMENT_FAULTS: Final = frozenset({"not_x_content_exception"})
"""Errors with a 5xx status that are the document's fault all the same: bytes that are no JSON at all."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a request or an item, and why."""

    action: Action
    reason: str = ""
    """Label value of shipper_retries_total or shipper_records_dead_total."""
    status: int = 0
    error_type: str = ""
    detail: str = ""


DELIVERED: Final = Verdict("delivered", status=201)


def judge_item(item: dict[str, Any]) -> Verdict:
    """The verdict on one item of a bulk answer: `{"create": {"status": …, "error": {…}}}`."""
    outcome: dict[str, Any] = next(iter(item.values()))
    status = int(outcome["status"])
    if status < 300:
        return DELIVERED
    error = outcome.get("error") or {}
    error_type = str(error.get("type", ""))
    if status == 409:
        return Verdict("duplicate", status=status, error_type=error_type)
    action, reason = _judge(status, error_type)
    if action == "halve":  # a single item can't be halved; the document alone is too large
        action, reason = "dead", "too_large"
    return Verdict(action, reason, status, error_type, _why(error))


def judge_request(status: int, error: Any) -> Verdict:
    """The verdict on a bulk request that was answered with an error as a whole."""
    details = error if isinstance(error, dict) else {"reason": str(error)}
    error_type = str(details.get("type", ""))
    action, reason = _judge(status, error_type)
    if action == "dead":  # something in it can't be read; smaller requests find out what
        action = "halve"
    return Verdict(action, reason, status, error_type, _why(details))


def status_label(status: int) -> str:
    """The value of the label `status` in shipper_bulk_items_total."""
    if status < 300:
        return "2xx"
    if status >= 500:
        return "5xx"
    return str(status) if status in (400, 401, 403, 409, 413, 429) else "4xx"


def _judge(status: int, error_type: str) -> tuple[Action, str]:
    if error_type in ON_HOLD_UNTIL_MENDED:
        return "retry", "blocked"
    if error_type in DOCUMENT_FAULTS:
        return "dead", "rejected"
    match status:
        case 401 | 403:
            return "hold", "auth"
        case 413:
            return "halve", "too_large"
        case 429:
            return "retry", "overload"
        case 408:
            return "retry", "timeout"
        case 400:
            return "dead", "rejected"
        case _:
            return "retry", "server_error"


def _why(error: dict[str, Any]) -> str:
    """Reason and innermost cause, in one line."""
    reasons: list[str] = []
    cause: Any = error
    while isinstance(cause, dict):
        reason = str(cause.get("reason", "")).split("\n", 1)[0]
        if reason and reason not in reasons:
            reasons.append(reason)
        cause = cause.get("caused_by")
    return ": ".join(reasons[:1] + reasons[1:][-1:])
