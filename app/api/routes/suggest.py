"""Suggestions from the service next door."""

from fastapi import APIRouter

from app.api import records
from app.api.deps import OptionalUserDep, VoiceDep
from app.api.errors import NEEDS_TOKEN, ErrorAnswer
from app.api.schemas import SuggestionsRead, SuggestionsWanted
from app.domain.suggestions import fetch_suggestions

router = APIRouter(tags=["suggestions"])


@router.post(
    "/suggest",
    responses=NEEDS_TOKEN
    | {
        502: {"model": ErrorAnswer, "description": "The suggestion service failed or was too slow; `code` is its own error code."},
        503: {
            "model": ErrorAnswer,
            "description": "The suggestion service can't be reached, or is left alone for a while (`Retry-After`).",
        },
    },
)
async def suggest(voice: VoiceDep, user: OptionalUserDep, wanted: SuggestionsWanted) -> SuggestionsRead:
    """Ask the suggestion service. Its failures are told apart from ours by status and `code`. With a token, the token's user counts."""
    user_id = records.acting_user(user.user_id if user else wanted.user_id)
    records.suggestion_requested(wanted.count)
    return SuggestionsRead(suggestions=await fetch_suggestions(voice, user_id, wanted.topic, wanted.count))
