"""The ways to reach people, one module each over one careful sender.

A channel's `send(address, message)` returns when the other side has taken the
message. It raises RefusedError when trying again is of no use and TryAgainError
when it may be. Without its setting a channel refuses, and only this one does.
"""

from typing import Final, Protocol

from app.core.config import Settings
from app.oncall.channels import chat, mail, pagers
from app.oncall.channels.sender import Sender
from app.oncall.messages import Message


class Channel(Protocol):
    """One way."""

    digests: bool
    """Whether several incidents go into one message."""

    async def send(self, address: str, message: Message) -> None:
        """Send, or raise RefusedError or TryAgainError."""


def make_channels(settings: Settings, sender: Sender) -> dict[str, Channel]:
    """All channels by the name that contacts use."""
    made: Final[dict[str, Channel]] = {
        "email": mail.Email(settings),
        "slack": chat.Slack(settings, sender),
        "telegram": chat.Telegram(settings, sender),
        "ntfy": chat.Ntfy(sender),
        "pagerduty": pagers.PagerDuty(settings, sender),
        "opsgenie": pagers.Opsgenie(settings, sender),
        "webhook": pagers.Webhook(settings, sender),
    }
    return made
