"""Who may sign in to Grafana, through Grafana's HTTP API: its files can provision data sources and dashboards, but no people."""

import secrets
from typing import Any, Final

import httpx

from app.stack.errors import StackError
from app.stack.grafana_roles import Role

_SECONDS: Final = 10
_PASSWORD_BYTES: Final = 18
_ORGANISATION: Final = 1
"""Grafana's first organisation, which has the provisioned dashboards."""


class GrafanaPeople:
    """The people of one Grafana. Every method raises StackError when Grafana doesn't answer or refuses."""

    def __init__(self, url: str, user: str, password: str, transport: httpx.BaseTransport | None = None) -> None:
        """`user` is Grafana's administrator. Nothing is asked yet."""
        self._url: Final = url
        self._client: Final = httpx.Client(base_url=url, auth=(user, password), timeout=_SECONDS, transport=transport, trust_env=False)

    def listed(self) -> list[tuple[str, str]]:
        """(name, role) of everybody, by name."""
        people: list[dict[str, Any]] = self._ask("GET", "/api/org/users").json()
        return sorted((person["login"], str(person["role"]).lower()) for person in people)

    def put(self, name: str, role: Role) -> str:
        """Give somebody this role. Returns the password of who is new; it is kept nowhere. Empty for who was there already."""
        known = self._number(name)
        password = "" if known else secrets.token_urlsafe(_PASSWORD_BYTES)
        number = known or self._add(name, password)
        self._ask("PATCH", f"/api/org/users/{number}", json={"role": role.value.capitalize()})
        return password

    def remove(self, name: str) -> None:
        """Take somebody's account away, with their sessions; what they made stays."""
        number = self._number(name)
        if number is None:
            raise StackError(f"Grafana knows nobody called {name}; `nobet grafana list` shows who there is.")
        self._ask("DELETE", f"/api/admin/users/{number}")

    def _number(self, name: str) -> int | None:
        answer = self._send("GET", "/api/users/lookup", params={"loginOrEmail": name})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return int(self._accepted(answer).json()["id"])

    def _add(self, name: str, password: str) -> int:
        wanted = {"name": name, "login": name, "password": password, "OrgId": _ORGANISATION}
        return int(self._ask("POST", "/api/admin/users", json=wanted).json()["id"])

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._accepted(self._send(method, path, **more))

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise StackError(
                f"Grafana does not answer at {self._url} ({type(error).__name__}). `make status` says whether it runs."
            ) from None

    def _accepted(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise StackError("Grafana refuses its administrator: its password was changed there. Put that one into GRAFANA_ADMIN_PASSWORD.")
        if answer.is_error:
            raise StackError(f"Grafana refused: {_reason(answer)}.")
        return answer


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
