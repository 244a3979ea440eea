"""Suggestions from the service next door."""

from fastapi import APIRouter

from app.api import records
from app.api.deps import VoiceDep
from app.api.errors import ErrorAnswer
from app.api.schemas import SuggestionsRead, SuggestionsWanted
from app.domain.suggestions import fetch_suggestions

router = APIRouter(tags=["suggestions"])


@router.post(
    "/suggest",
    responses={
        502: {"model": ErrorAnswer, "description": "The suggestion service failed or was too slow; `code` is its own error code."},
        503: {"model": ErrorAnswer, "description": "The suggestion service can't be reached."},
    },
)
async def suggest(voice: VoiceDep, wanted: SuggestionsWanted) -> SuggestionsRead:
    """Ask the suggestion service. Its failures are told apart from ours by status and `code`."""
    records.acting_user(wanted.user_id)
    records.suggestion_requested(wanted.count)
    return SuggestionsRead(suggestions=await fetch_suggestions(voice, wanted.user_id, wanted.topic, wanted.count))
