"""What users say about themselves."""

from fastapi import APIRouter, HTTPException, status
from pydantic import BaseModel, ConfigDict, Field

from app.api.auth_bodies import DisplayName, Email
from app.api.deps import CurrentUserDep, DatabaseDep
from app.api.errors import NEEDS_TOKEN, ErrorAnswer
from app.core import error_tracking
from app.db.models import User
from app.domain import accounts

router = APIRouter(
    prefix="/profile",
    tags=["accounts"],
    responses={**NEEDS_TOKEN, 404: {"model": ErrorAnswer, "description": "The account of this token does not exist here."}},
)


class ProfileUpdate(BaseModel):
    """The whole of what can be changed; an e-mail address that is left out is removed."""

    display_name: DisplayName
    email: Email | None = None


class ProfileRead(BaseModel):
    """An account as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(examples=[42])
    username: str = Field(examples=["ayse"])
    display_name: str = Field(examples=["Ayşe"])
    email: str | None = Field(examples=["ayse@example.org"])
    role: str = Field(examples=["user"])


@router.get("")
async def read_profile(database: DatabaseDep, user: CurrentUserDep) -> ProfileRead:
    """One's own profile."""
    return _found(await accounts.read_profile(database, user.user_id))


@router.put("")
async def update_profile(database: DatabaseDep, user: CurrentUserDep, update: ProfileUpdate) -> ProfileRead:
    """Replace one's own profile."""
    return _found(await accounts.update_profile(database, user.user_id, update.display_name, update.email))


def _found(account: User | None) -> ProfileRead:
    if account is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "The account of this token does not exist here.")
    error_tracking.set_person(username=account.username, email=account.email or "")
    return ProfileRead.model_validate(account)
