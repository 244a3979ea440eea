"""Accounts for tests: people who register and sign in like anybody, and tokens of every kind."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from app.core.config import Settings, load_settings
from app.domain.tokens import issue
from tests.support.stack import RunningStack

PASSWORD = "night-watch-Parola-42"
SIGNING_KEY = "a key of tests alone, of 32 characters and more"


@dataclass(frozen=True)
class SignedInUser:
    """Somebody who has just signed in on the running stack."""

    user_id: str
    name: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """What each request of theirs has."""
        return {"Authorization": f"Bearer {self.access_token}"}


def registered(app: httpx.Client, prefix: str = "user") -> tuple[str, str]:
    """Name and id of a new account with PASSWORD; the name is unique, so that a kept stack has no collisions."""
    name = f"{prefix}-{uuid.uuid4().hex[:12]}"
    answer = app.post("/api/auth/register", json={"username": name, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return name, answer.json()["user_id"]


def sign_in(app: httpx.Client, name: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
    """The answer to a login."""
    return app.post("/api/auth/login", json={"username": name, "password": password}, headers=headers)


def new_user(app: httpx.Client, prefix: str = "user") -> SignedInUser:
    """A new account, signed in."""
    name, user_id = registered(app, prefix)
    answer = sign_in(app, name)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return SignedInUser(user_id, name, body["access_token"], body["refresh_token"])


def settings_of(stack: RunningStack) -> Settings:
    """Settings with the key with which the stack's app signs tokens."""
    return load_settings(_env_file=None, environment="test", jwt_secret=stack.secret("JWT_SECRET"))


def expired_token(stack: RunningStack, user_id: str) -> str:
    """A token that the stack's app has signed and that is too old: what a phone has that slept for an hour."""
    return issue(settings_of(stack), user_id, lifetime=timedelta(hours=-1))


def issued_headers(user_id: str) -> dict[str, str]:
    """Headers of a signed-in user of a service that was started with JWT_SECRET=SIGNING_KEY. Nobody registers."""
    settings = load_settings(_env_file=None, environment="test", jwt_secret=SIGNING_KEY)
    return {"Authorization": f"Bearer {issue(settings, user_id)}"}
