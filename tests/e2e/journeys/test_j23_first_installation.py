"""J-23: the first installation, from the moment on at which `make up` has ended: what a newcomer types and sees.

That a bare clone gets so far is what CI proves each time: it has nothing else.
"""

import json
import re
import subprocess
import sys
from typing import Any, Final

import httpx
import pytest
import yaml

from app.core.ports import PORTS
from app.stack.env_file import GENERATED, read_env_file
from tests.support.evidence import ARRIVAL_SECONDS, chain, fresh
from tests.support.processes import CHECKOUT
from tests.support.stack import RunningStack
from tests.support.stores import Stores
from tests.support.users import new_user
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.req("J-23", "DEP-01", "DSR-01")]

DASHBOARD: Final = CHECKOUT / "grafana" / "dashboards" / "api-performance.json"
SHARED: Final = {"$env": "test", "$service": ".+", "$__rate_interval": "1m", "$__range": "15m", "$__interval": "15s"}
SILENT_WHEN_WELL: Final = frozenset({"Exceptions by class"})
"""Panels that are empty as long as nothing of the kind ever happened."""


def nobet(world: RunningStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, in the environment of the stack."""
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, env=world.environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=90, check=False)


def test_status_says_that_all_is_well(world: RunningStack) -> None:
    """Exit code 0, every component that must run is healthy, and the page says where to look."""

    def well() -> bool:
        done = nobet(world, "status", "--mode", "native", "--json")
        return done.returncode == 0 and bool(json.loads(done.stdout)["healthy"])

    wait_until("status being healthy", well, 120)


def test_the_env_file_was_made_with_strong_secrets(world: RunningStack) -> None:
    """Nobody had to fill anything in: each secret is long and of its own, and only the owner reads the file."""
    path = world.declared.paths.env_file
    secrets = [read_env_file(path)[name] for name in GENERATED]
    assert len(set(secrets)) == len(secrets)
    assert min(len(secret) for secret in secrets) >= 24
    assert path.stat().st_mode & 0o777 == 0o600
    example = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    assert not any(secret in example for secret in secrets)


@pytest.mark.req("COR-16")
def test_the_readmes_first_request_is_seen_everywhere(world: RunningStack, stores: Stores) -> None:
    """The two lines of the README as they stand: a request with an id, and its story."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^curl -H 'X-Event-ID: (\w+)' http://127\.0\.0\.1:8000(\S+)\n\.venv/bin/nobet story \1$", readme, re.MULTILINE)
    assert found is not None
    ident, path = fresh(found[1]), found[2]
    counted = f'sum(http_requests_total{{job="app",endpoint="{path}"}})'
    stores.caught_up()
    before = stores.value(counted)
    assert httpx.get(f"{world.url('app')}{path}", headers={"X-Event-ID": ident}, timeout=30).status_code == 200
    chain(stores, ident)
    told = nobet(world, "story", ident)
    assert told.returncode == 0
    assert f"GET {path} answered 200" in told.stdout
    wait_until("the metric of the request", lambda: stores.value(counted) > (0 if before != before else before), ARRIVAL_SECONDS)


@pytest.mark.req("DOC-03")
def test_every_target_is_up(world: RunningStack, stores: Stores) -> None:
    """Prometheus sees all that runs."""

    def down() -> dict[str, list[str]]:
        return {job: states for job, states in stores.targets().items() if set(states) != {"up"}}

    wait_until(f"all targets being up, not {down()}", lambda: not down(), ARRIVAL_SECONDS)
    assert {"app", "voice", "shipper", "prometheus"} <= set(stores.targets())


def test_the_data_sources_of_grafana_are_those_that_run(world: RunningStack) -> None:
    """Grafana needs no clicks: each provisioned source has an address, and what stands behind it answers."""
    sources = yaml.safe_load((CHECKOUT / "grafana" / "provisioning" / "datasources" / "nobet.yml").read_text(encoding="utf-8"))
    assert {source["type"] for source in sources["datasources"]} >= {"prometheus", "elasticsearch"}
    assert httpx.get(f"{world.url('prometheus')}/api/v1/query", params={"query": "up"}, timeout=30).status_code == 200
    assert httpx.get(f"{world.url('elasticsearch')}/_cluster/health", auth=world.sign_in("reader"), timeout=30).status_code == 200


def _panels(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = []
    for panel in items:
        found += [(panel.get("title", "?"), target["expr"]) for target in panel.get("targets", []) if "expr" in target]
        found += _panels(panel.get("panels", []))
    return found


def test_the_panels_about_requests_are_filled_by_the_first_of_them(world: RunningStack, stores: Stores, app: httpx.Client) -> None:
    """After a request or two, every query of API performance has an answer. All others need the demo: tests/e2e/test_dashboards.py."""
    headers = new_user(app, "j23").headers
    empty = list(dict.fromkeys(_panels(json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"])))

    def filled() -> bool:
        app.get("/feed", headers=headers)
        app.post("/suggest", json={"user_id": "42", "topic": "tea"})
        empty[:] = [(title, query) for title, query in empty if title not in SILENT_WHEN_WELL and not stores.query(_asked(query))]
        return not empty

    try:
        wait_until("every panel having data", filled, 120)
    except AssertionError as error:
        raise AssertionError(f"without data: {empty}") from error


def _asked(query: str) -> str:
    for name, value in SHARED.items():
        query = query.replace(name, value)
    return query


def test_the_ports_are_the_documented_ones() -> None:
    """Elasticsearch on 9200, Prometheus on 9090, Grafana on 3000, as everybody expects."""
    assert (PORTS["elasticsearch"], PORTS["prometheus"], PORTS["grafana"]) == (9200, 9090, 3000)
