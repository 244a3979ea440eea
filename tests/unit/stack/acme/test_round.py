"""The loop: whom it asks when, and that it survives whatever happens."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.core.config import load_settings
from app.stack.acme import keeper as module
from app.stack.acme.client import Order, OrderError
from app.stack.acme.keeper import Keeper, Round
from app.stack.acme.shelf import Shelf
from app.stack.gateway.certificate import certificate_and_key

HOST = "watch.example.org"


class Authority:
    """Counts orders and refuses them."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def __call__(self, order: Order) -> bytes:
        """What `obtain` is called with."""
        self.orders.append(order)
        raise OrderError("the test refuses")


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> Authority:
    """In place of the real one, with a gateway that serves challenges."""
    made = Authority()
    monkeypatch.setattr(module, "obtain", made)
    monkeypatch.setattr(Keeper, "serves_challenges", lambda _self: True)
    return made


def _keeper(folder: Path, **settings: str) -> Keeper:
    chosen = load_settings(_env_file=None, **{"gateway_host": HOST, "gateway_acme_email": "a@b.example", **settings})
    shelf = Shelf(folder / "live")
    shelf.seed(*certificate_and_key(chosen, folder / "made"))
    return Keeper(chosen, shelf, folder / "web", "http://127.0.0.1:1")


def test_a_refused_order_is_not_repeated_before_its_pause_is_over(authority: Authority, tmp_path: Path) -> None:
    """Not by another look, not by another process; a corrected name is another matter."""
    for _ in range(3):
        turning = Round(_keeper(tmp_path), threading.Event())
        assert [turning.look() for _ in range(5)] == [60.0] * 5
    assert len(authority.orders) == 1
    Round(_keeper(tmp_path, gateway_host="guard.example.org"), threading.Event()).look()
    assert len(authority.orders) == 2


def test_another_authority_is_asked_at_once(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who tried it with a staging server first gets the real one when the line is removed; the old one is not due otherwise."""
    keeper = _keeper(tmp_path, gateway_acme_directory="https://staging.example/dir")
    monkeypatch.setattr(module, "renewal_of", lambda *_: datetime.now(UTC) + timedelta(days=60))
    keeper.shelf.install(keeper.shelf.certificate.read_bytes(), "https://staging.example/dir")
    Round(keeper, threading.Event()).look()
    assert authority.orders == []
    Round(_keeper(tmp_path), threading.Event()).look()
    assert [order.directory for order in authority.orders] == ["https://acme-v02.api.letsencrypt.org/directory"]


def test_when_the_pause_is_over_it_asks_again_and_waits_longer(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour, then two."""
    keeper, begin = _keeper(tmp_path), time.time()
    Round(keeper, threading.Event()).look()
    for hours, orders in ((0.9, 1), (1.1, 2), (2.9, 2), (3.2, 3)):
        monkeypatch.setattr(time, "time", lambda hours=hours: begin + hours * 3600)
        Round(keeper, threading.Event()).look()
        assert len(authority.orders) == orders, hours


def test_a_gateway_that_serves_no_challenges_costs_no_order(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at again within seconds."""
    monkeypatch.setattr(Keeper, "serves_challenges", lambda _self: False)
    assert Round(_keeper(tmp_path), threading.Event()).look() < 10
    assert authority.orders == []


def test_a_ca_file_that_cannot_be_read_is_told_and_waited_for(authority: Authority, tmp_path: Path) -> None:
    """One sentence with the name of the setting, and the pause of any failure."""
    keeper = _keeper(tmp_path, gateway_acme_ca="/nowhere/ca.pem")
    assert Round(keeper, threading.Event()).look() == 60.0
    assert keeper.trouble.sentence.startswith("GATEWAY_ACME_CA: can't read /nowhere/ca.pem")
    assert authority.orders == []


def test_an_empty_ca_file_means_the_public_authorities(authority: Authority, tmp_path: Path) -> None:
    """A container gets one where none is set."""
    (tmp_path / "ca.pem").touch()
    Round(_keeper(tmp_path, gateway_acme_ca=str(tmp_path / "ca.pem")), threading.Event()).look()
    assert authority.orders[0].ca is None
    assert len(authority.orders[0].names) == 8


def test_a_fault_costs_one_look_and_not_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, a broken file: it goes on."""
    stop, looks = threading.Event(), []

    def fault(_self: Round) -> float:
        looks.append(1)
        if len(looks) > 1:
            stop.set()
        raise RuntimeError("a fault of the test")

    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(Round, "look", fault)
    Round(_keeper(tmp_path), stop).run()
    assert len(looks) == 2
