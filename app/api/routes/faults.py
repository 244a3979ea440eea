"""Endpoints that fail on purpose, to prove that errors are seen: by the log, the metrics, the error tracker, the alert.

They exist only where ENABLE_ERROR_ENDPOINTS allows it. Outside development and
test they ask for the bearer token of /metrics too.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, status

from app.api.deps import SettingsDep
from app.core.security import bearer_matches


async def _only_for_operators(settings: SettingsDep, authorization: Annotated[str | None, Header(include_in_schema=False)] = None) -> None:
    if not settings.is_trial and not bearer_matches(authorization, settings.metrics_token):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "This needs the operators' bearer token.", {"WWW-Authenticate": "Bearer"})


router = APIRouter(tags=["faults"], dependencies=[Depends(_only_for_operators)])


@router.get("/crash")
async def crash() -> float:
    """Divide by zero. The answer is 500; the log, the metrics and the error tracker have it under one id."""
    return 1 / 0


@router.get("/debug")
async def debug() -> float:
    """Divide by zero, as the check of the error chain before a release."""
    return 1 / 0
