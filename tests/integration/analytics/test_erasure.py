"""`python -m app.erasure`: what the stores know about a user goes, and nothing else."""

import subprocess
import sys
from typing import Any

import orjson
import pytest

from app.core.spool import SpoolWriter
from tests.support.processes import bare_environment
from tests.support.tracked import KEY, make_event
from tests.support.tracking import Tracking
from tests.support.waiting import wait_until

pytestmark = pytest.mark.req("PRV-13")

OTHER_KEY = "another-key-of-this-test"


def _erase(tracking: Tracking, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = bare_environment(
        **{
            "SPOOL_DIR": str(tracking.shipping.spool),
            "DATABASE_URL": tracking.postgres.url,
            "ELASTICSEARCH_URL": tracking.shipping.url,
            "ELASTICSEARCH_CLEANUP_PASSWORD": tracking.shipping.stack.sign_in("cleanup")[1],
            "LOG_INDEX_PREFIX": tracking.shipping.prefix,
            "ANALYTICS_KEY": OTHER_KEY,
            "ANALYTICS_OLD_KEYS": KEY,
            "ANALYTICS_FLUSH_SECONDS": "0.5",
            "ENVIRONMENT": "test",
        }
        | variables
    )
    command = [sys.executable, "-m", "app.erasure", *arguments]
    # Not in the checkout, whose own .env would give it a key.
    return subprocess.run(command, cwd=tracking.shipping.spool, env=env, capture_output=True, text=True, check=False, timeout=120)


def _log(tracking: Tracking, user_id: str, count: int) -> None:
    """Put log records of a user into the spool, as a service would."""
    writer = SpoolWriter(tracking.shipping.spool, "app", segment_bytes=1 << 20, max_bytes=1 << 30)
    for _ in range(count):
        record = {"timestamp": "2026-11-22T02:15:04.123456Z", "level": "INFO", "user_id": user_id, "message": "did something"}
        assert writer.append(orjson.dumps(record) + b"\n")
    writer.close()


def _bury(tracking: Tracking, user_id: str) -> None:
    """Put a dead letter about a user into the store."""
    raw = orjson.dumps({"timestamp": "2026-11-22T02:15:04.123456Z", "user_id": user_id}).decode()
    tracking.shipping.admin.index(
        index=f"{tracking.shipping.dead}-2026.11.22", document={"timestamp": "2026-11-22T02:15:04Z", "raw": raw, "reason": "rejected"}
    )


def _fill(tracking: Tracking) -> None:
    """Data of two users: tracked under two keys, logged, buried."""
    tracking.shipping.start()
    events: list[tuple[str, str, dict[str, Any]]] = [(user, "message_sent", {}) for user in ("7", "8") for _ in range(30)]
    tracking.track(*events)
    tracking.track(*events, analytics_key=OTHER_KEY)
    for user in ("7", "8"):
        _log(tracking, user, 2500)
        _bury(tracking, user)
    tracking.wait_for(120)
    wait_until("the log records arrive", lambda: tracking.shipping.count() and len(tracking.shipping.documents(user_id="8")) == 2500, 60)
    wait_until("all of them", lambda: len(tracking.shipping.documents(user_id="7")) == 2500, 60)


def test_everything_about_a_user_goes_and_nothing_else(tracking: Tracking) -> None:
    """Rows, events under every key, records over many pages, dead letters: gone; another user's stay; an audit record says so."""
    _fill(tracking)
    looked = _erase(tracking, "7", "--dry-run")
    assert looked.returncode == 0, looked.stderr
    assert tracking.rows() == 120
    done = _erase(tracking, "7")
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in ("60", "2500"):
        assert expected in looked.stdout
        assert expected in done.stdout
    refs = {make_event(user_id="7", key=key).user_ref for key in (KEY, OTHER_KEY)}
    others = {make_event(user_id="8", key=key).user_ref for key in (KEY, OTHER_KEY)}
    assert {document["user_ref"] for document in tracking.documents()} == others
    assert tracking.rows() == 60
    assert not any(ref in tracking.everything() for ref in refs if ref)
    tracking.shipping.count()
    assert tracking.shipping.documents(user_id="7") == []
    assert len(tracking.shipping.documents(user_id="8")) == 2500
    assert ['"8"' in letter["raw"] for letter in tracking.shipping.dead_letters()] == [True]
    (audit,) = wait_until("the audit record arrives", lambda: tracking.shipping.events("user.erased"), 60)
    assert (audit["level"], audit["outcome"], audit["count"]) == ("INFO", "success", 60 + 60 + 2500 + 1)
    assert audit["extra"]["user_ref"] in refs
    assert "user_id" not in audit
    again = _erase(tracking, "7")
    assert again.returncode == 0
    assert len(tracking.shipping.documents(user_id="8")) == 2500


def test_what_can_not_be_erased_is_said_with_an_exit_code(tracking: Tracking) -> None:
    """A store that is away, or refuses: one sentence each, exit code 1, the other stores are erased all the same; no password is shown."""
    _fill(tracking)
    tracking.postgres.stop()
    done = _erase(tracking, "7")
    assert done.returncode == 1
    assert "database can't be asked" in done.stderr
    assert tracking.postgres.password not in done.stdout + done.stderr
    tracking.shipping.count()
    assert tracking.shipping.documents(user_id="7") == []
    tracking.postgres.start()
    refused = _erase(tracking, "7", ELASTICSEARCH_CLEANUP_PASSWORD="wrong")
    assert refused.returncode == 1
    assert "ELASTICSEARCH_CLEANUP_PASSWORD" in refused.stderr
    assert tracking.rows() == 60


def test_without_a_key_only_what_names_the_user_is_erased(tracking: Tracking) -> None:
    """Tracked events have no reference then; the command says it and erases the log records."""
    tracking.shipping.start()
    _log(tracking, "7", 3)
    wait_until("the log records arrive", lambda: tracking.shipping.count() and len(tracking.shipping.documents(user_id="7")) == 3, 60)
    done = _erase(tracking, "7", ANALYTICS_KEY="", ANALYTICS_OLD_KEYS="")
    assert done.returncode == 0
    assert "ANALYTICS_KEY is not set" in done.stderr
    tracking.shipping.count()
    assert tracking.shipping.documents(user_id="7") == []
