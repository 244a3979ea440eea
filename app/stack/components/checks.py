"""Programs that no stack runs and that the project's own checks need."""

from typing import Final

from app.stack.model import Go

PEBBLE: Final = Go(
    "pebble",
    "2.8.0",
    ("github.com/letsencrypt/pebble/v2/cmd/pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv"),
    "pebble",
)
"""Let's Encrypt's ACME server for tests, and a name server that answers what it is told to."""

COMPOSE: Final = Go("compose", "2.40.3", ("github.com/docker/compose/v2/cmd",), "cmd")
"""Compose v2, for machines whose Docker client has no such plugin: it reads and resolves docker-compose.yml."""
