"""Tokens are compared whole, and addresses stand in records only as the settings allow."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.core.logger import get_logger
from app.core.security import bearer_matches
from tests.support.records import logging_to, spooled

TOKEN = SecretStr("a-long-random-token")


@pytest.mark.req("ACC-01")
@pytest.mark.parametrize(
    ("header", "matches"),
    [
        ("Bearer a-long-random-token", True),
        ("bearer a-long-random-token", True),
        ("Bearer a-long-random-toke", False),
        ("Bearer a-long-random-token-and-more", False),
        ("Basic a-long-random-token", False),
        ("a-long-random-token", False),
        ("Bearer ğ", False),
        ("", False),
        (None, False),
    ],
)
def test_only_the_whole_token_matches(header: str | None, matches: bool) -> None:
    """Neither a piece of it nor another scheme."""
    assert bearer_matches(header, TOKEN) is matches


def test_an_empty_token_matches_nothing() -> None:
    """A door without a lock is not opened by an empty key."""
    assert not bearer_matches("Bearer ", SecretStr(""))


@pytest.mark.req("PRV-03")
@pytest.mark.parametrize(("mode", "shown"), [("none", None), ("truncated", "198.51.99.0"), ("full", "198.51.99.23")])
def test_addresses_are_shown_as_the_setting_allows(tmp_path: Path, mode: str, shown: str | None) -> None:
    """The login event's client_ip follows LOG_IP_MODE; a full address elsewhere in the record never stays."""
    with logging_to(tmp_path, log_ip_mode=mode):
        get_logger("x").info("user_login", client_ip="198.51.99.23", note="from 198.51.99.23")
    (record,) = spooled(tmp_path)
    assert record.get("client_ip") == shown
    assert record["extra"]["note"] == "from 198.51.99.0"


@pytest.mark.req("PRV-03")
def test_a_hashed_address_is_stable_and_tells_nothing(tmp_path: Path) -> None:
    """The same address gives the same hash under the same key only."""
    shown = []
    for place, token in enumerate(("first-random-token", "first-random-token", "other-random-token")):
        with logging_to(tmp_path / str(place), log_ip_mode="hashed", metrics_token=token):
            get_logger("x").info("user_login", client_ip="198.51.99.23")
        shown.append(spooled(tmp_path / str(place))[0]["client_ip"])
    assert shown[0] == shown[1] != shown[2]
    assert "198" not in shown[0]
