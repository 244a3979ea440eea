"""The pseudonyms of users."""

import pytest

from app.core.config import ConfigError, load_settings
from app.core.pseudonyms import Pseudonyms

pytestmark = pytest.mark.req("PRV-08", "ANA-07")

ONE, TWO = "first-key-of-this-test", "second-key-of-this-test"


def _pseudonyms(key: str = ONE, old: str = "") -> Pseudonyms:
    return Pseudonyms(load_settings(analytics_key=key, analytics_old_keys=old))


def test_a_user_has_one_pseudonym_under_a_key_and_it_names_nobody() -> None:
    """Stable, different for each user and each key, and not the id; 7 and "7" are the same user."""
    ref = _pseudonyms().of("7")
    assert ref is not None
    assert ref == _pseudonyms().of(7)
    assert len({ref.user_ref, *(p.user_ref for p in (_pseudonyms().of("8"), _pseudonyms(TWO).of("7")) if p)}) == 3
    assert len(ref.user_ref) == 32


def test_after_a_change_of_the_key_the_old_pseudonyms_are_still_known() -> None:
    """New events get the new key's id; a user is found under every key that is named."""
    before, after = _pseudonyms(ONE), _pseudonyms(TWO, f" {ONE}, ")
    old, new = before.of("7"), after.of("7")
    assert old is not None
    assert new is not None
    assert after.all_of("7") == [new, old]
    assert new.key_id != old.key_id


@pytest.mark.parametrize("user_id", [None, ""])
def test_nobody_has_no_pseudonym(user_id: object) -> None:
    """An event without a user stands alone."""
    assert _pseudonyms().of(user_id) is None


def test_without_a_key_there_are_no_pseudonyms() -> None:
    """An old key alone finds, and makes none."""
    assert _pseudonyms("").of("7") is None
    assert _pseudonyms("", ONE).of("7") is None
    assert _pseudonyms("", ONE).all_of("7") == [_pseudonyms(ONE).of("7")]


def test_odd_user_ids_are_no_trouble() -> None:
    """Anything that has a text, lone surrogates too."""
    assert _pseudonyms().of("\ud800") is not None


@pytest.mark.req("CFG-05")
def test_a_weak_key_stops_the_start_outside_development() -> None:
    """A key that can be guessed gives the users away."""
    with pytest.raises(ConfigError, match="ANALYTICS_KEY"):
        load_settings(environment="production", metrics_token="a" * 24, jwt_secret="b" * 40, analytics_key="changeme")
