"""PagerDuty, Opsgenie and any webhook: each incident by itself, under a key that lets the end find its beginning."""

import hashlib
import hmac
from typing import Any, Final

import orjson

from app.core.config import Settings
from app.oncall.channels.sender import RefusedError, Sender
from app.oncall.messages import Item, Message
from app.oncall.resolve import ACKNOWLEDGED, PAGE, RESOLVED

_PAGERDUTY_SEVERITY: Final = {"critical": "critical", "warning": "warning"}
_OPSGENIE_PRIORITY: Final = {"critical": "P1", "warning": "P3"}


class PagerDuty:
    """Events API v2. The contact's address is an integration key, or empty for PAGERDUTY_KEY."""

    digests = False

    def __init__(self, settings: Settings, sender: Sender) -> None:
        self._settings: Final = settings
        self._sender: Final = sender

    async def send(self, address: str, message: Message) -> None:
        """Trigger, acknowledge or resolve."""
        key = address or self._settings.pagerduty_key.get_secret_value()
        if not key:
            raise RefusedError("PAGERDUTY_KEY is not set")
        action = {PAGE: "trigger", RESOLVED: "resolve", ACKNOWLEDGED: "acknowledge"}[message.kind]
        for item in message.items:
            body: dict[str, Any] = {"routing_key": key, "event_action": action, "dedup_key": item.incident_id}
            if message.kind == PAGE:
                body |= {
                    "payload": {
                        "summary": f"{item.name} on {item.service}: {item.summary}"[:1024],
                        "source": item.service or "nobet",
                        "severity": _PAGERDUTY_SEVERITY.get(item.severity, "info"),
                        "component": item.service,
                        "group": item.env,
                        "class": item.name,
                        "custom_details": {"description": item.description, "alerts firing": item.firing},
                    },
                    "client": "Nöbet",
                    "client_url": item.page,
                    "links": [
                        {"href": link, "text": text} for text, link in (("Runbook", item.runbook), ("Dashboard", item.dashboard)) if link
                    ],
                }
            await self._sender.post(self._settings.pagerduty_url, body)


class Opsgenie:
    """Alert API v2 with OPSGENIE_KEY. The contact's address is a responder team, or empty for the integration's own."""

    digests = False

    def __init__(self, settings: Settings, sender: Sender) -> None:
        self._settings: Final = settings
        self._sender: Final = sender

    async def send(self, address: str, message: Message) -> None:
        """Create, acknowledge or close."""
        key = self._settings.opsgenie_key.get_secret_value()
        if not key:
            raise RefusedError("OPSGENIE_KEY is not set")
        base, headers = self._settings.opsgenie_url.rstrip("/"), {"Authorization": f"GenieKey {key}"}
        for item in message.items:
            if message.kind == PAGE:
                await self._sender.post(f"{base}/v2/alerts", _opsgenie_alert(item, address), headers)
            else:
                verb = "close" if message.kind == RESOLVED else "acknowledge"
                place = f"{base}/v2/alerts/{item.incident_id}/{verb}?identifierType=alias"
                await self._sender.post(place, {"source": "Nöbet", "note": f"{verb} by Nöbet"}, headers)


class Webhook:
    """Anything that takes JSON. The contact's address is its web address; the body is signed where ONCALL_WEBHOOK_KEY is set."""

    digests = False

    def __init__(self, settings: Settings, sender: Sender) -> None:
        self._key: Final = settings.oncall_webhook_key
        self._sender: Final = sender

    async def send(self, address: str, message: Message) -> None:
        """Post one document for each incident; X-Nobet-Signature is the HMAC-SHA256 of the body."""
        for item in message.items:
            body = {
                "kind": message.kind,
                "incident": item.incident_id,
                "episode": item.episode,
                "alert": item.name,
                "service": item.service,
                "env": item.env,
                "severity": item.severity,
                "summary": item.summary,
                "description": item.description,
                "firing": item.firing,
                "opened_at": item.opened_at,
                "ended_at": item.ended_at,
                "page": item.page,
                "runbook": item.runbook,
                "dashboard": item.dashboard,
            }
            await self._sender.post(address, body, self._signature(body))

    def _signature(self, body: dict[str, Any]) -> dict[str, str]:
        key = self._key.get_secret_value()
        if not key:
            return {}
        return {"X-Nobet-Signature": "sha256=" + hmac.new(key.encode(), orjson.dumps(body), hashlib.sha256).hexdigest()}


def _opsgenie_alert(item: Item, team: str) -> dict[str, Any]:
    alert: dict[str, Any] = {
        "message": f"{item.name} on {item.service}: {item.summary}"[:130],
        "alias": item.incident_id,
        "description": item.description,
        "priority": _OPSGENIE_PRIORITY.get(item.severity, "P5"),
        "source": "Nöbet",
        "entity": item.service,
        "tags": [item.env, item.severity],
        "details": {"page": item.page, "runbook": item.runbook, "dashboard": item.dashboard},
    }
    if team:
        alert["responders"] = [{"name": team, "type": "team"}]
    return alert
