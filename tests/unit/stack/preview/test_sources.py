"""Where the preview's data is: what Grafana is provisioned with, and no more told than needed."""

from pathlib import Path

import orjson
import pytest

from app.stack.preview.sources import read_sources, sources_of
from tests.unit.stack.conftest import OpenStack

DECLARED = """
apiVersion: 1
datasources:
  - name: Logs
    uid: logs
    type: elasticsearch
    url: ${ADDRESS}/
    basicAuth: true
    basicAuthUser: reader
    jsonData: {index: "${PREFIX}-*", note: "$${__value.raw}"}
    secureJsonData: {basicAuthPassword: "${PASSWORD}"}
"""
VARIABLES = {"ADDRESS": "http://127.0.0.1:9200", "PREFIX": "logs", "PASSWORD": "kept-on-the-server"}


def test_variables_are_filled_in_as_grafana_does(tmp_path: Path) -> None:
    """`${NAME}` comes from the environment and `$$` is a dollar sign."""
    (tmp_path / "sources.yml").write_text(DECLARED)
    source = read_sources(tmp_path, VARIABLES)["logs"]
    assert source.url == "http://127.0.0.1:9200"
    assert source.options == {"index": "logs-*", "note": "${__value.raw}"}
    assert source.secret == ("reader", "kept-on-the-server")


def test_a_variable_that_nothing_sets_is_an_error(tmp_path: Path) -> None:
    """A half-filled address would only fail later, and less clearly."""
    (tmp_path / "sources.yml").write_text(DECLARED)
    with pytest.raises(KeyError, match="PASSWORD"):
        read_sources(tmp_path, {"ADDRESS": "a", "PREFIX": "b"})


def test_the_page_learns_no_address_and_no_password(open_at: OpenStack) -> None:
    """Of every data source of the stack the page gets what it draws with, nothing that opens a door."""
    stack = open_at()
    sources = sources_of(stack)
    assert {"prometheus", "elasticsearch-logs", "jaeger"} <= set(sources)
    told = orjson.dumps([source.as_public() for source in sources.values()]).decode()
    assert stack.secret("ELASTICSEARCH_READER_PASSWORD") not in told
    assert "127.0.0.1" not in told
