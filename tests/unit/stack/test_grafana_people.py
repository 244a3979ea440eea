"""People of Grafana, against a stand-in that answers as Grafana's documentation says."""

import json
from collections.abc import Callable

import httpx
import pytest

from app.stack.errors import StackError
from app.stack.grafana_people import GrafanaPeople
from app.stack.grafana_roles import Role


class FakeGrafana:
    """Accounts and roles behind the documented calls."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, str]] = {"admin": {"id": "1", "role": "Admin", "password": "secret"}}
        self.authorised = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if not self.authorised:
            return httpx.Response(401, json={"message": "Invalid username or password"})
        steps: dict[tuple[str, str], Callable[[httpx.Request], httpx.Response]] = {
            ("GET", "/api/org/users"): self._list,
            ("GET", "/api/users/lookup"): self._lookup,
            ("POST", "/api/admin/users"): self._create,
        }
        step = steps.get((request.method, request.url.path))
        return step(request) if step else self._change(request)

    def _list(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[{"login": name, "role": one["role"]} for name, one in self.people.items()])

    def _lookup(self, request: httpx.Request) -> httpx.Response:
        found = self.people.get(request.url.params["loginOrEmail"])
        return httpx.Response(200, json={"id": int(found["id"])}) if found else httpx.Response(404, json={"message": "user not found"})

    def _create(self, request: httpx.Request) -> httpx.Response:
        wanted = json.loads(request.content)
        if len(wanted["password"]) < 12:
            return httpx.Response(400, json={"message": "Password is too short"})
        self.people[wanted["login"]] = {"id": str(len(self.people) + 1), "role": "Viewer", "password": wanted["password"]}
        return httpx.Response(200, json={"id": len(self.people), "message": "User created"})

    def _change(self, request: httpx.Request) -> httpx.Response:
        number = request.url.path.rpartition("/")[2]
        name = next(name for name, one in self.people.items() if one["id"] == number)
        if request.method == "DELETE":
            del self.people[name]
        else:
            self.people[name]["role"] = json.loads(request.content)["role"]
        return httpx.Response(200, json={"message": "done"})


@pytest.fixture
def grafana() -> FakeGrafana:
    """A Grafana with its administrator alone."""
    return FakeGrafana()


@pytest.fixture
def people(grafana: FakeGrafana) -> GrafanaPeople:
    """Its people, as the administrator sees them."""
    return GrafanaPeople("http://grafana", "admin", "secret", httpx.MockTransport(grafana))


@pytest.mark.req("ACC-04")
@pytest.mark.parametrize("role", list(Role))
def test_somebody_new_gets_a_role_and_a_password_of_their_own(grafana: FakeGrafana, people: GrafanaPeople, role: Role) -> None:
    """The account exists with exactly this role, and its random password is handed back once."""
    password = people.put("ayse", role)
    assert grafana.people["ayse"]["role"] == role.value.capitalize()
    assert grafana.people["ayse"]["password"] == password
    assert len(password) >= 20


def test_somebody_known_changes_the_role_and_keeps_the_password(grafana: FakeGrafana, people: GrafanaPeople) -> None:
    """Made again, nobody is locked out."""
    password = people.put("ayse", Role.VIEWER)
    assert people.put("ayse", Role.EDITOR) == ""
    assert grafana.people["ayse"] == {"id": "2", "role": "Editor", "password": password}
    assert people.listed() == [("admin", "admin"), ("ayse", "editor")]


def test_somebody_who_left_cannot_sign_in_any_more(grafana: FakeGrafana, people: GrafanaPeople) -> None:
    """The account goes; asked for a second time, there is nobody to be removed, and the sentence says so."""
    people.put("ayse", Role.VIEWER)
    people.remove("ayse")
    assert "ayse" not in grafana.people
    with pytest.raises(StackError, match="knows nobody called ayse"):
        people.remove("ayse")


def test_a_changed_administrator_password_is_named_as_the_cause(grafana: FakeGrafana, people: GrafanaPeople) -> None:
    """The one thing that goes wrong in practice says which setting to correct, and tells no secret."""
    grafana.authorised = False
    with pytest.raises(StackError, match="GRAFANA_ADMIN_PASSWORD") as raised:
        people.listed()
    assert "secret" not in str(raised.value)


def test_a_grafana_that_is_not_there_is_one_sentence() -> None:
    """Where no Grafana runs, the command says so."""

    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(StackError, match="does not answer at http://grafana"):
        GrafanaPeople("http://grafana", "admin", "secret", httpx.MockTransport(nobody)).listed()
