"""The log records of the endpoints, so that endpoints themselves read as what they do."""

from app.core import context, metrics
from app.core.logger import get_logger

log = get_logger(__name__)


def acting_user(user_id: str) -> str:
    """From here on, every record of this request says whose it is."""
    context.bind(user_id=user_id)
    return user_id


def token_accepted() -> None:
    """The token was checked and is good; who it is stands in this record and all later ones."""
    log.debug("Token accepted", event="token.accepted")


def password_wrong() -> None:
    """Somebody who is signed in gave a wrong password."""
    log.warning("The password was wrong", event="password.refused")


def feed_requested(limit: int) -> None:
    """The feed is about to be read."""
    log.info("Feed requested", event="feed.requested", count=limit)


def suggestion_requested(count: int) -> None:
    """The suggestion service is about to be asked."""
    log.info("Suggestions requested", event="suggestion.requested", count=count)


def graphql_operation(name: str) -> None:
    """From here on, every record of this request names the operation."""
    context.bind(graphql_operation=name)


def graphql_completed(outcome: str) -> None:
    """An operation was executed and gave data."""
    log.info("GraphQL operation executed", event="graphql.completed", outcome=outcome)


def graphql_refused(reason: str) -> None:
    """A document or an argument was no good."""
    log.info("A GraphQL request was refused", event="graphql.refused", reason=reason)


def graphql_failed(error: BaseException) -> None:
    """A resolver raised something unexpected. The error tracker hears of it once, whoever logs it too."""
    log.error("A GraphQL resolver failed", event="graphql.failed", exc_info=error)


def graphql_error(reason: str) -> None:
    """Count a failed operation by its kind."""
    metrics.counter("graphql_errors_total").labels(reason=reason).inc()
