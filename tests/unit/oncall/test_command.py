"""`nobet oncall`: what is typed is an id and nothing else."""

from argparse import Namespace
from urllib.parse import unquote

import httpx
import pytest

from app.core.config import Settings
from app.oncall.__main__ import _acknowledge


@pytest.mark.parametrize("ident", ["abc123", "../\x1b[31m", "../../duty?", "a b", "ğ", "%2e%2e"])
def test_an_odd_id_stays_in_its_place_of_the_address(monkeypatch: pytest.MonkeyPatch, oncall_settings: Settings, ident: str) -> None:
    """No other endpoint is asked, and what no address can hold is no traceback."""
    asked: list[httpx.URL] = []

    def answer(method: str, url: str, **_: object) -> httpx.Response:
        asked.append(httpx.URL(url))
        return httpx.Response(200, json={"acknowledged_by": "ayse"}, request=httpx.Request(method, url))

    monkeypatch.setattr(httpx, "request", answer)
    assert _acknowledge(oncall_settings, Namespace(ident=ident, who="ayse")) == ["You have it. Nobody else is called."]
    place = asked[0].raw_path.decode().removeprefix("/api/incidents/").removesuffix("/acknowledge")
    assert "/" not in place
    assert unquote(place) == ident
