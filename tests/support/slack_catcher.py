"""A stand-in for Slack's incoming webhooks: takes messages over HTTP and keeps them."""

import json
from typing import Any

from tests.support.receiver import Asked, Receiver, Reply


class SlackCatcher(Receiver):
    """Keeps messages."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.status = 200
        """What it answers; messages answered with another status are not kept."""
        super().__init__()

    def answer(self, asked: Asked) -> Reply:
        """Keep a message, unless it is to be refused."""
        if self.status == 200:
            self.messages.append(json.loads(asked.body))
        return Reply(self.status, b"ok", "text/plain")

    @property
    def url(self) -> str:
        """What to put into SLACK_WEBHOOK_URL."""
        return f"http://{self.address}/services/T0/B0/secret-path"

    def about(self, *texts: str) -> list[str]:
        """The messages that contain all these texts, oldest first, as one text each."""
        found = [json.dumps(message, ensure_ascii=False) for message in list(self.messages)]
        return [message for message in found if all(text in message for text in texts)]
