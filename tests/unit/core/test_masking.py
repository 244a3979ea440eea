"""Secrets and personal data don't pass, harmless text does, and no input keeps the patterns busy."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import masking
from app.core.logger import get_logger
from app.core.masking import clean, is_sensitive_key, mask_text, mask_value, passes_luhn, truncate_address

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJlLXZhbHVl"

SECRETS = {
    "stripe key": ("charged with sk_live_123456", "123456"),
    "github token": ("cloned with ghp_abcdefghij0123456789", "abcdefghij0123456789"),
    "aws key": ("AKIAIOSFODNN7EXAMPLE used", "IOSFODNN7EXAMPLE"),
    "jwt": (f"got {JWT} from client", JWT.split(".")[1]),
    "bearer": ("Authorization: Bearer abcdef123456", "abcdef123456"),
    "basic": ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
    "assignment": ("login with password=hunter2 failed", "hunter2"),
    "json text": ('{"password": "hunter2", "a": 1}', "hunter2"),
    "python repr": ("{'api_key': 'hunter2'}", "hunter2"),
    "query string": ("/reset?token=hunter2hunter2&x=1", "hunter2"),
    "cookie": ("Cookie: sid=hunter2; theme=dark-hunter3", "hunter"),
    "session": ("session_id=hunter2", "hunter2"),
    "url login": ("postgresql://nobet:hunter2@db:5432/nobet", "hunter2"),
    "url login with at": ("redis://:hun@ter2@cache:6379/0", "ter2"),
    "card": ("paid with 4111 1111 1111 1111 today", "1111 1111 1111"),
    "card in dashes": ("4111-1111-1111-1111", "4111-1111"),
    "e-mail": ("mail ayse.yilmaz+x@example.com.tr sent", "ayse"),
    "ipv4": ("client 198.51.99.23 banned", "198.51.99.23"),
    "ipv6": ("client 2001:4860:4860::8844 banned", "8844"),
    "private key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
}

HARMLESS = [
    "The token has expired: sign in again",
    "Token expired",
    "password renewal was asked for",
    "3 tokens left, token_count=12 and token_type=bearer",
    "duration 1234567890123.5 ms",
    "order 1234567890123456 shipped",
    "at 12:34:56 on 127.0.0.1:5432 and 10.0.0.7",
    "version 1.2.3.4.5 of the basic plan",
    "Cards were shuffled",
    "http://127.0.0.1:9200/_bulk",
    "monkey business, keyboard, license to log",
]


@pytest.mark.req("PRV-01", "PRV-02", "PRV-03", "PRV-04", "PRV-06")
@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_a_secret_in_a_text_is_hidden(text: str, secret: str) -> None:
    """The secret part is gone; something that shows that it was there stays."""
    masked = mask_text(text)
    assert secret not in masked
    assert masked != ""


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_left_alone(text: str) -> None:
    """What holds no secret is not touched: a mask over everything helps nobody."""
    assert mask_text(text) == text


@pytest.mark.req("PRV-06")
@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_the_pipeline_masks_messages_extras_nested_values_and_errors(
    records: Callable[[], list[dict[str, Any]]], text: str, secret: str
) -> None:
    """Without any explicit call: message, argument, field, nested extra, key, exception text and traceback."""
    log = get_logger("x")
    log.info(text)
    log.info("arg %s", text)
    log.info("m", reason=text, extra={"deep": [{"list": [text]}], "text": text})
    log.info("m", extra={text: 1})
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("m")
    found = json.dumps([{key: value for key, value in record.items() if key != "traceback"} for record in records()], ensure_ascii=False)
    assert len(records()) == 6
    assert secret not in found
    stacks = [record["traceback"] for record in records() if "traceback" in record]
    assert len(stacks) == 1


@pytest.mark.req("PRV-01", "PRV-06")
@pytest.mark.parametrize(
    "key",
    [
        "password",
        "Authorization",
        "api_key",
        "access_token",
        "Set-Cookie",
        "session_id",
        "card_number",
        "email",
        "username",
        "refreshToken",
    ],
)
def test_a_value_under_a_sensitive_name_is_hidden_whatever_it_looks_like(records: Callable[[], list[dict[str, Any]]], key: str) -> None:
    """Names give values away, at any depth."""
    get_logger("x").info("m", extra={key: "plainvalue", "nested": {"list": [{key: ["plainvalue", 7]}]}})
    assert "plainvalue" not in json.dumps(records())
    assert is_sensitive_key(key)


@pytest.mark.parametrize("key", ["token_count", "password_length", "token_type", "status", "count", "monkeys", "max_tokens"])
def test_names_about_a_secret_are_no_secrets(key: str) -> None:
    """A count of tokens is a number worth having."""
    assert not is_sensitive_key(key)


def test_card_numbers_are_recognised_by_their_check_digit() -> None:
    """Other long numbers stay readable, also when they are integers."""
    assert passes_luhn("4111111111111111")
    assert mask_value({"n": 4111111111111111, "order": 4111111111111112}) == {"n": "***1111", "order": 4111111111111112}


@pytest.mark.req("PRV-03")
def test_truncated_addresses_lose_the_household() -> None:
    """A network is left of an address, and nothing of what is no address."""
    assert truncate_address("198.51.100.23") == "198.51.100.0"
    assert truncate_address("2001:db8:1:2::3") == "2001:db8:1::"
    assert truncate_address("nonsense") == ""


def test_clean_remembers_without_mixing() -> None:
    """The cached way gives the same answers."""
    for text in [*HARMLESS, *(text for text, _ in SECRETS.values())]:
        assert clean(text) == clean(text) == mask_text(text)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "piece", ["a", "a.", "password", "1 ", "eyJ", "=", "@", "a@", "://", ":", "cookie ", "-----BEGIN PRIVATE KEY-----", "key=", "0:"]
)
def test_no_text_keeps_the_patterns_busy(piece: str) -> None:
    """A megabyte of anything is masked in linear time: the whole set within the test's time limit."""
    mask_text(piece * (1_000_000 // len(piece)))
    mask_text("@ password " + piece * (60_000 // len(piece)))


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    """The outcome has nothing left to mask, so that records and error events agree."""
    once = mask_text(text)
    assert mask_text(once) == once


def asked_one_by_one(text: str) -> bool:
    """The cheap question in its plainest form."""
    lowered = text.lower()
    digits = text.translate({ord(" "): None, ord("-"): None, **{ord(digit): "0" for digit in "123456789"}})
    return any(piece in lowered for piece in masking._TRIGGERS) or "0" * 13 in digits or text.count(".") > 2 or text.count(":") > 2


@given(
    st.text(max_size=20)
    | st.lists(
        st.sampled_from(masking._TRIGGERS) | st.text("aeksty_-./: 0123456789\u0130\u212a\u0661", max_size=14).map(str.upper), max_size=12
    ).map("".join)
)
@settings(max_examples=500, deadline=None)
def test_the_cheap_question_is_answered_as_if_each_piece_were_looked_for(text: str) -> None:
    """Searching for all pieces at once changes no answer, in short and in long texts."""
    assert masking._is_suspicious(text) == asked_one_by_one(text)
    assert masking._is_suspicious(text * 9) == asked_one_by_one(text * 9)
