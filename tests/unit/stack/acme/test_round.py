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


def test_an_order_that_was_cut_off_counts_as_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill or a fault in its middle: whoever is started next waits as after a refusal, and says so."""
    orders = []

    def killed(order: Order) -> bytes:
        orders.append(order)
        raise SystemExit

    monkeypatch.setattr(module, "obtain", killed)
    monkeypatch.setattr(Keeper, "serves_challenges", lambda _self: True)
    with pytest.raises(SystemExit):
        Round(_keeper(tmp_path), threading.Event()).look()
    again = _keeper(tmp_path)
    assert [Round(again, threading.Event()).look() for _ in range(3)] == [60.0] * 3
    assert len(orders) == 1
    assert again.trouble.sentence == "The last try did not come to its end."


def test_what_a_clock_that_was_ahead_has_noted_does_not_hold_up_renewals(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year ahead the authority's own certificate looks old; when the clock is right again, it is asked."""
    keeper, now = _keeper(tmp_path), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 365 * 24 * 3600)
    Round(keeper, threading.Event()).look()
    monkeypatch.setattr(time, "time", lambda: now)
    Round(keeper, threading.Event()).look()
    assert len(authority.orders) == 2


def test_who_waited_for_another_looks_again(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that find a certificate due at the same time make one order; only by force there are two."""
    keeper = _keeper(tmp_path)
    with pytest.raises(OrderError):
        keeper.renew()
    keeper.renew()
    assert len(authority.orders) == 1
    with pytest.raises(OrderError):
        keeper.renew(force=True)
    assert len(authority.orders) == 2


def test_a_broken_key_is_told_before_anybody_is_asked(authority: Authority, tmp_path: Path) -> None:
    """The sentence names the folder and what to do, and blames no authority."""
    keeper = _keeper(tmp_path)
    keeper.shelf.key.write_text("no key", encoding="ascii")
    Round(keeper, threading.Event()).look()
    assert authority.orders == []
    assert keeper.trouble.sentence.startswith(f"A key in {keeper.shelf.folder} can't be used")
    assert keeper.trouble.sentence.endswith("make up.")


def test_what_an_authority_says_gives_a_terminal_no_orders() -> None:
    """Escape codes and line ends stay out of the sentence, which has an end."""
    said = str(OrderError("\x1b[2Jaway\nwith it" + "!" * 5000))
    assert said.isprintable()
    assert len(said) == 2000
