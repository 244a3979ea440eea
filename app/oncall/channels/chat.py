"""Slack, Telegram and ntfy: a text to a room or a phone, with nothing in it that the chat would act upon."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from app.core.config import Settings
from app.oncall.channels.sender import RefusedError, Sender
from app.oncall.messages import Item, Message
from app.oncall.resolve import PAGE, RESOLVED

_SLACK_SECTION: Final = 2900
"""Slack takes 3000 characters in a section."""

_TELEGRAM_TEXT: Final = 4000
_NTFY_TEXT: Final = 3900


class Slack:
    """An incoming webhook; its channel is set in Slack."""

    digests = True

    def __init__(self, settings: Settings, sender: Sender) -> None:
        self._url: Final = settings.slack_webhook_url
        self._buttons: Final = bool(settings.slack_signing_secret.get_secret_value())
        self._sender: Final = sender

    async def send(self, address: str, message: Message) -> None:
        """Post to the webhook."""
        url = self._url.get_secret_value()
        if not url:
            raise RefusedError("SLACK_WEBHOOK_URL is not set")
        await self._sender.post(url, slack_body(message, with_button=self._buttons))


class Telegram:
    """A bot of yours; the contact's address is the chat's id."""

    digests = True

    def __init__(self, settings: Settings, sender: Sender) -> None:
        self._settings: Final = settings
        self._sender: Final = sender

    async def send(self, address: str, message: Message) -> None:
        """Send as plain text: no markup is asked for, so none is read."""
        token = self._settings.telegram_bot_token.get_secret_value()
        if not token:
            raise RefusedError("TELEGRAM_BOT_TOKEN is not set")
        body = {"chat_id": address, "text": f"{message.subject}\n\n{message.text}"[:_TELEGRAM_TEXT], "disable_web_page_preview": True}
        await self._sender.post(f"{self._settings.telegram_url.rstrip('/')}/bot{token}/sendMessage", body)


class Ntfy:
    """A topic of an ntfy server; the contact's address is the topic's web address."""

    digests = True

    def __init__(self, sender: Sender) -> None:
        self._sender: Final = sender

    async def send(self, address: str, message: Message) -> None:
        """Publish; a page is of the highest priority, and its button opens the acknowledge link."""
        parts = urlsplit(address)
        topic = parts.path.strip("/")
        if parts.scheme not in ("http", "https") or not topic:
            raise RefusedError("the contact is no topic address such as https://ntfy.sh/topic")
        first = message.items[0]
        paging = message.kind == PAGE
        body: dict[str, Any] = {
            "topic": topic,
            "title": message.subject,
            "message": message.text[:_NTFY_TEXT],
            "priority": (5 if first.severity == "critical" else 3) if paging else 2,
            "tags": ["rotating_light" if paging else "white_check_mark"],
            "click": first.page if message.total == 1 else message.page,
        }
        if paging and message.total == 1:
            body["actions"] = [{"action": "view", "label": "Acknowledge", "url": first.acknowledge}]
        await self._sender.post(f"{parts.scheme}://{parts.netloc}/", body)


def slack_body(message: Message, with_button: bool) -> dict[str, Any]:
    """Block Kit, and a plain text for notifications. Links are ours; everything else is escaped."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": message.subject[:150], "emoji": False}}]
    blocks += [
        {"type": "section", "text": {"type": "mrkdwn", "text": _mrkdwn(item, message.kind)[:_SLACK_SECTION]}} for item in message.items
    ]
    if message.total > len(message.items):
        more = f"… and {message.total - len(message.items)} more: <{message.page}|all incidents>"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": more}})
    if message.kind == PAGE and message.total == 1:
        button: dict[str, Any] = {"type": "button", "text": {"type": "plain_text", "text": "Acknowledge"}, "style": "primary"}
        first = message.items[0]
        button |= (
            {"action_id": "acknowledge", "value": f"{first.incident_id}.{first.episode}"} if with_button else {"url": first.acknowledge}
        )
        blocks.append({"type": "actions", "elements": [button]})
    return {"text": escape(message.subject), "blocks": blocks}


def escape(text: str) -> str:
    """Slack's three control characters, and its mentions of everybody."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"@(channel|here|everyone)", "@\u2060\\1", plain)


def _mrkdwn(item: Item, kind: str) -> str:
    lines = [f"*{escape(item.summary or item.name)}*", escape(item.description) if kind == PAGE else ""]
    if kind == RESOLVED:
        lines.append(f"Over after {item.lasted}.")
    elif kind != PAGE:
        lines.append(f"Taken by {escape(item.acknowledged_by or 'somebody')}.")
    lines.append(
        escape(f"{item.severity} · {item.service or 'unknown service'} · {item.env or 'unknown environment'} · {item.firing} firing")
    )
    links = [("Runbook", item.runbook), ("Dashboard", item.dashboard), ("Timeline", item.page)]
    lines.append(" · ".join(f"<{link.replace('|', '%7C')}|{name}>" for name, link in links if link))
    return "\n".join(line for line in lines if line)
