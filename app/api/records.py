"""The log records of the endpoints, so that endpoints themselves read as what they do."""

from app.core import context
from app.core.logger import get_logger

log = get_logger(__name__)


def acting_user(user_id: str) -> None:
    """From here on, every record of this request says whose it is."""
    context.bind(user_id=user_id)


def feed_requested(limit: int) -> None:
    """The feed is about to be read."""
    log.info("Feed requested", event="feed.requested", count=limit)


def suggestion_requested(count: int) -> None:
    """The suggestion service is about to be asked."""
    log.info("Suggestions requested", event="suggestion.requested", count=count)
