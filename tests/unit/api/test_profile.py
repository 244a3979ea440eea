"""The own profile."""

from typing import Any

import pytest

from tests.support.backend import Backend

pytestmark = pytest.mark.anyio

PASSWORD = "night-watch-Parola-42"


async def signed_in(backend: Backend, **more: str) -> dict[str, str]:
    """Headers of a new account."""
    await backend.http.post("/auth/register", json={"username": "ayse", "password": PASSWORD, **more})
    body: dict[str, Any] = (await backend.http.post("/auth/login", json={"username": "ayse", "password": PASSWORD})).json()
    return {"Authorization": f"Bearer {body['access_token']}"}


async def test_a_profile_is_replaced_as_a_whole(backend: Backend) -> None:
    """What is sent is what is read; what is left out is gone."""
    bearer = await signed_in(backend, email="ayse@example.org", display_name="Ayşe")
    first = (await backend.http.get("/api/profile", headers=bearer)).json()
    assert (first["display_name"], first["email"], first["role"]) == ("Ayşe", "ayse@example.org", "user")
    put = await backend.http.put("/api/profile", json={"display_name": "Ayşe 🌙"}, headers=bearer | {"X-Event-ID": "put"})
    assert (put.status_code, put.json()["display_name"], put.json()["email"]) == (200, "Ayşe 🌙", None)
    assert (await backend.http.get("/profile", headers=bearer)).json() == put.json()
    assert backend.record("put", "profile.updated")["user_id"] == str(first["id"])


async def test_nobody_makes_themselves_an_operator(backend: Backend) -> None:
    """Role, name and id are not for the owner to change."""
    bearer = await signed_in(backend)
    before = (await backend.http.get("/profile", headers=bearer)).json()
    change = {"display_name": "x", "role": "operator", "id": 99, "username": "root"}
    after = (await backend.http.put("/profile", json=change, headers=bearer)).json()
    assert after == before | {"display_name": "x"}


@pytest.mark.parametrize("name", ["stranger", "4711", "9" * 40, "٣"])
async def test_a_token_for_an_account_that_is_not_here_is_404(backend: Backend, name: str) -> None:
    """A good token of somebody without an account, such as one of another identity provider, finds no profile and breaks nothing."""
    if name.isascii():
        headers = await backend.sign_in(name)
        for method in ("GET", "PUT"):
            answer = await backend.http.request(method, "/profile", headers=headers, json={"display_name": "x"})
            assert answer.status_code == 404
        old_new = {"old_password": PASSWORD, "new_password": PASSWORD}
        assert (await backend.http.post("/auth/password", headers=headers, json=old_new)).status_code == 401
        assert (await backend.http.post("/auth/logout", headers=headers)).status_code == 204
