"""Elasticsearch's users and roles, and Jaeger's place in it, as they are declared. Real servers prove them elsewhere."""

import re
from typing import Any

import pytest

from app.core.ports import PORTS
from app.stack.secret_files import ELASTICSEARCH_USERS
from tests.config.files import compose, load
from tests.support.processes import CHECKOUT

ROLES: dict[str, dict[str, Any]] = load(CHECKOUT / "docker" / "elasticsearch" / "roles.yml")
JAEGER = CHECKOUT / "docker" / "jaeger" / "jaeger.yaml"


@pytest.mark.req("ACC-02")
def test_every_user_has_a_role_and_every_role_a_user() -> None:
    """No role without use, no user without rights."""
    assert set(ELASTICSEARCH_USERS.values()) - {"superuser"} == set(ROLES)


@pytest.mark.req("ACC-02")
@pytest.mark.parametrize("role", ROLES)
def test_no_role_of_a_process_may_administer(role: str) -> None:
    """None may do everything, read everything, or reach into Elasticsearch's own indices."""
    text = str(ROLES[role])
    assert not re.search(r"'all'|manage_security|'manage'|superuser|'\.\*?'", text)
    if role != "nobet_exporter":
        assert "'*'" not in text


@pytest.mark.req("ACC-02")
def test_the_shipper_can_only_add() -> None:
    """A stolen shipper password reads, changes and deletes nothing."""
    assert ROLES["nobet_shipper"]["cluster"] == []
    assert set(ROLES["nobet_shipper"]["indices"][0]["privileges"]) == {"create_doc", "auto_configure"}


def test_grafana_can_only_read() -> None:
    """A stolen reader password changes nothing: documents, mappings and figures (`_cat/indices`) can be read, and that is all."""
    privileges = {privilege for entry in ROLES["nobet_reader"]["indices"] for privilege in entry["privileges"]}
    assert privileges == {"read", "view_index_metadata", "monitor"}
    assert {privilege.rpartition("/")[0] for privilege in ROLES["nobet_reader"]["cluster"]} == {"cluster:monitor"}


def test_jaeger_listens_where_the_table_says() -> None:
    """Its ports are those of app/core/ports.py unless the environment says otherwise."""
    defaults = dict(re.findall(r"\$\{env:(\w+_PORT):-(\d+)\}", JAEGER.read_text(encoding="utf-8")))
    assert {name: int(number) for name, number in defaults.items()} == {
        "JAEGER_UI_PORT": PORTS["jaeger_ui"],
        "JAEGER_HEALTH_PORT": PORTS["jaeger_health"],
        "JAEGER_METRICS_PORT": PORTS["jaeger_metrics"],
        "OTLP_GRPC_PORT": PORTS["otlp_grpc"],
        "OTLP_HTTP_PORT": PORTS["otlp_http"],
    }


def test_jaeger_gets_what_its_configuration_asks_for() -> None:
    """No variable of the file is left to chance in Compose, and the password is a file."""
    asked = set(re.findall(r"\$\{env:(\w+)\}", JAEGER.read_text(encoding="utf-8")))
    assert asked == {"ELASTICSEARCH_PASSWORD_FILE"}
    assert asked <= set(compose()["services"]["jaeger"]["environment"])


def test_jaeger_works_with_every_distribution_of_elasticsearch() -> None:
    """It asks nothing of `GET /`, which some do not serve."""
    store = load(JAEGER)["extensions"]["jaeger_storage"]["backends"]["main"]["elasticsearch"]
    assert store["version"] == 8
    assert store["disable_health_check"] is True
    assert "index_prefix" not in store["indices"]
