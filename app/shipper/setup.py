"""Prepares Elasticsearch: the index templates, made from the telemetry contract.

    python -m app.shipper setup

A step of its own, to be run after Elasticsearch is up and before the first
shipper starts, in both ways of running the stack (the native runner calls it, in
Compose a one-shot service that the shipper waits for). It signs in as nobet_admin
(ELASTICSEARCH_ADMIN_PASSWORD; without one as ELASTICSEARCH_USERNAME), so that the
shipper itself needs no right but to add documents: `create_doc` and
`auto_configure` on logs-*, events-*, dead-*. The rights of the least that works
were tried on a real server.

It waits for Elasticsearch for at most WAIT_SECONDS, may be repeated at any time,
and changes nothing when everything is as it should be. A changed template holds
for indices made after it: the next day's.
"""

import sys
import time
from typing import Any, Final

from elasticsearch import ApiError, AuthenticationException, AuthorizationException, Elasticsearch, TransportError

from app.clients.elasticsearch import connect, sign_in
from app.core.config import Settings
from app.core.telemetry.template import dead_letter_template, dead_prefix, events_template, index_template

WAIT_SECONDS: Final = 120.0
"""Elasticsearch needs about 25 s to start on a small machine."""

_PAUSE_SECONDS: Final = 0.5


def run(settings: Settings) -> int:
    """Put the templates in place. 0 when they are, 1 with one sentence when not."""
    client = connect(settings.elasticsearch_url, sign_in(settings, "admin"))
    try:
        wait_for(client, WAIT_SECONDS)
        for name, body in templates(settings).items():
            print(f"index template {name}: {put_template(client, name, body)}")  # noqa: T201
    except SetupError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    finally:
        client.close()
    return 0


class SetupError(Exception):
    """Says in one sentence what to do."""


def templates(settings: Settings) -> dict[str, dict[str, Any]]:
    """The index templates that the stack's records need, by name."""
    prefix, dead = settings.log_index_prefix, dead_prefix(settings.log_index_prefix)
    shards, replicas = settings.elasticsearch_shards, settings.elasticsearch_replicas
    events = settings.effective_events_prefix
    return {
        prefix: index_template(prefix, shards, replicas),
        events: events_template(events, shards, replicas),
        dead: dead_letter_template(dead, shards, replicas),
    }


def wait_for(client: Elasticsearch, seconds: float) -> None:
    """Return when the cluster takes writes (yellow or better). Raises SetupError when it doesn't in time, or refuses us."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            health = client.cluster.health(filter_path="status").body
            if health.get("status") in ("yellow", "green"):
                return
            state = f"it says {health.get('status')}"
        except (AuthenticationException, AuthorizationException):
            raise SetupError("Elasticsearch refuses the administrator's credentials. Check ELASTICSEARCH_ADMIN_PASSWORD.") from None
        except (ApiError, TransportError) as error:
            state = f"{type(error).__name__}"
        if time.monotonic() > deadline:
            raise SetupError(f"Elasticsearch was not ready within {seconds:g} s ({state}). Look into its log, and check ELASTICSEARCH_URL.")
        time.sleep(_PAUSE_SECONDS)


def put_template(client: Elasticsearch, name: str, body: dict[str, Any]) -> str:
    """Create or replace a template unless it is there already: `created`, `replaced` or `unchanged`."""
    try:
        found = client.options(ignore_status=404).indices.get_index_template(name=name)
        present = found.body.get("index_templates", [])
        before = present[0]["index_template"] if present else None
        client.indices.put_index_template(name=name, **{key.lstrip("_"): value for key, value in body.items()})
        after = client.indices.get_index_template(name=name).body["index_templates"][0]["index_template"]
    except (AuthenticationException, AuthorizationException):
        raise SetupError("The user may not manage index templates. Check ELASTICSEARCH_ADMIN_PASSWORD.") from None
    except (ApiError, TransportError) as error:
        raise SetupError(f"Elasticsearch did not take the index template {name}: {error}") from None
    if before is None:
        return "created"
    return "unchanged" if before == after else "replaced"
