"""The servers of the stack do what their configuration promises."""

import asyncio
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx
import psutil
import pytest
from elasticsearch import AuthorizationException, Elasticsearch

from tests.support.newborn import once_it_is_born
from tests.support.stack import RunningStack
from tests.support.waiting import wait_until


def _query(stack: RunningStack, statement: str, user: str = "nobet", password: str | None = None) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=stack.port("postgres"), user=user, database="nobet",
            password=stack.secret("POSTGRES_PASSWORD") if password is None else password,
        )  # fmt: skip
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def _client(stack: RunningStack, user: str) -> Elasticsearch:
    return Elasticsearch(stack.url("elasticsearch"), basic_auth=stack.sign_in(user), request_timeout=30)


def test_the_database_role_owns_its_database_and_is_no_superuser(stack: RunningStack) -> None:
    """The app can do everything in its database, and nothing to the server."""
    stack.need("postgres")
    assert _query(stack, "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user") is False
    assert _query(stack, "SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'nobet'") == "nobet"


@pytest.mark.parametrize(("user", "password"), [("nobet", "wrong-password"), ("postgres", ""), ("postgres", "postgres")])
def test_the_database_lets_nobody_in_without_the_password(stack: RunningStack, user: str, password: str) -> None:
    """Neither a guessed password nor the superuser, who has none, gets a session."""
    stack.need("postgres")
    with pytest.raises(asyncpg.InvalidPasswordError):
        _query(stack, "SELECT 1", user, password)


def test_elasticsearch_answers_at_its_root_and_keeps_strangers_out(stack: RunningStack) -> None:
    """`GET /` tells the version, which clients ask for first; without a password the answer is 401."""
    stack.need("elasticsearch")
    with _client(stack, "admin") as client:
        assert client.info()["version"]["number"].startswith("8.19.")
        assert client.ping()
    assert httpx.get(stack.url("elasticsearch")).status_code == 401


def test_the_shipper_may_add_documents_and_nothing_else(stack: RunningStack) -> None:
    """nobet_shipper creates; it can't read, change or delete, so a stolen password betrays no log."""
    stack.need("elasticsearch")
    index = "logs-runner-2026.01.01"
    with _client(stack, "shipper") as client, _client(stack, "admin") as admin:
        client.create(index=index, id="1", document={"message": "x"})
        with pytest.raises(AuthorizationException):
            client.search(index=index)
        with pytest.raises(AuthorizationException):
            client.index(index=index, id="1", document={"message": "y"})
        with pytest.raises(AuthorizationException):
            client.delete(index=index, id="1")
        with pytest.raises(AuthorizationException):
            client.indices.delete(index=index)
        admin.indices.refresh(index=index)
        assert admin.count(index=index)["count"] == 1
        admin.indices.delete(index=index)


def test_the_reader_reads_and_writes_nothing(stack: RunningStack) -> None:
    """Grafana's and `nobet story`'s user can't change what it shows."""
    stack.need("elasticsearch")
    with _client(stack, "reader") as client:
        assert once_it_is_born(lambda: client.search(index="logs-*", ignore_unavailable=True))["timed_out"] is False
        with pytest.raises(AuthorizationException):
            client.create(index="logs-runner-2026.01.02", id="1", document={"message": "x"})


def test_the_exporters_see_their_servers(stack: RunningStack) -> None:
    """Each exporter signs in to its server: the metric that says so is 1."""
    stack.need("postgres_exporter", "redis_exporter", "elasticsearch_exporter")
    for name, metric in (
        ("postgres_exporter", "pg_up 1"),
        ("redis_exporter", "redis_up 1"),
        ("elasticsearch_exporter", "elasticsearch_cluster_health_up 1"),
    ):
        wait_until(
            f"{metric} of {name}",
            lambda name=name, metric=metric: metric in httpx.get(f"{stack.url(name)}/metrics", timeout=10).text.splitlines(),  # type: ignore[misc]
            60,
        )


def test_prometheus_has_its_web_page(stack: RunningStack) -> None:
    """The page that people open is there with its scripts, although the package is not installed on the system."""
    stack.need("prometheus")
    page = httpx.get(f"{stack.url('prometheus')}/classic/graph", follow_redirects=True)
    assert page.status_code == 200
    scripts = [part.split('"')[0] for part in page.text.split('src="')[1:]]
    assert scripts
    for script in scripts:
        assert httpx.get(httpx.URL(str(page.url)).join(script)).status_code == 200, script


def test_workers_of_a_killed_app_do_not_keep_its_port(stack: RunningStack) -> None:
    """Kill -9 of the parent leaves workers that hold the port; the next start ends them, and the app is back."""
    stack.need("app")
    parent = psutil.Process(stack.pid("app"))
    workers = parent.children(recursive=True)
    assert workers
    stack.kill("app")
    wait_until("the app being back", lambda: stack.pid("app") != parent.pid and stack.is_ready("app"), 90)
    wait_until("the end of the old workers", lambda: not any(worker.is_running() for worker in workers), 30)


def test_everything_listens_on_loopback_only(stack: RunningStack) -> None:
    """No port of the stack is open to the network."""
    stack.need("redis", "postgres", "elasticsearch", "prometheus", "inbox", "blackbox", "node_exporter")
    ours = {psutil.Process(stack.pid(name)).pid for name in ("redis", "postgres", "elasticsearch", "prometheus", "inbox", "blackbox")}
    ours |= {child.pid for pid in list(ours) for child in psutil.Process(pid).children(recursive=True)}
    listening = [entry for entry in psutil.net_connections(kind="inet") if entry.pid in ours and entry.status == psutil.CONN_LISTEN]
    assert listening
    assert {entry.laddr[0] for entry in listening if entry.laddr} <= {"127.0.0.1", "::ffff:127.0.0.1"}
