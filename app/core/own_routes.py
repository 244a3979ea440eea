"""Keeps the kit's endpoints out of the way: routes are asked one after the other, and each costs every request a little."""

from collections.abc import Iterable

from fastapi import FastAPI
from starlette.routing import BaseRoute, Match

from app.core.endpoints import PATHS


def ask_last(app: FastAPI, own: list[BaseRoute]) -> None:
    """Ask the routes `own` after all others of the application, unless another one would answer for their paths then."""
    others = [route for route in app.router.routes if route not in own]
    if not any(_answers(route, PATHS) for route in others):
        app.router.routes[:] = [*others, *own]


def _answers(route: BaseRoute, paths: Iterable[str]) -> bool:
    """Whether a route feels responsible for one of these paths, be it for another method."""
    scope = {"type": "http", "method": "GET", "root_path": "", "path_params": {}, "headers": []}
    return any(route.matches({**scope, "path": path})[0] is not Match.NONE for path in paths)
