"""Voice calls: begin, turns, tasks, end."""

import base64

from fastapi import APIRouter, HTTPException, status

from app.api.call_errors import END_RESPONSES, START_RESPONSES, TASK_RESPONSES, TURN_RESPONSES
from app.api.call_schemas import (
    CallEnded,
    CallSid,
    CallStarted,
    CallWanted,
    GivenCallSid,
    TaskRead,
    TaskWanted,
    TurnRead,
    TurnTimings,
    Utterance,
)
from app.api.deps import CallsDep, CurrentUserDep, DatabaseDep, SettingsDep
from app.domain.calls import end_call, enter_call, start_call
from app.domain.tasks import execute_task
from app.domain.turns import take_turn

router = APIRouter(prefix="/calls", tags=["calls"])


@router.post("", status_code=status.HTTP_201_CREATED, responses=START_RESPONSES)
async def begin(
    database: DatabaseDep, settings: SettingsDep, user: CurrentUserDep, wanted: CallWanted | None = None, given: GivenCallSid = None
) -> CallStarted:
    """Begin a call. Its id is the given one, in the header or the body, or is made."""
    named = wanted.call_sid if wanted else None
    if given and named and given != named:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "X-Call-SID and call_sid differ. Send one of them, or the same id in both.")
    return CallStarted(call_sid=await start_call(database, user.user_id, named or given, settings.call_max_active))


@router.post("/{call_sid}/turns", responses=TURN_RESPONSES)
async def turn(database: DatabaseDep, calls: CallsDep, user: CurrentUserDep, call_sid: CallSid, heard: Utterance) -> TurnRead:
    """A turn: what the user said is recognised, answered by the language model, and spoken."""
    number = await enter_call(database, user.user_id, call_sid, turns=1)
    taken = await take_turn(calls, heard.speech)
    timings = TurnTimings(asr=taken.asr_ms, llm_ttft=taken.llm_ttft_ms, llm=taken.llm_ms, tts=taken.tts_ms, end_to_end=taken.end_to_end_ms)
    audio = base64.b64encode(taken.audio)
    return TurnRead(call_sid=call_sid, turn=number, transcript=taken.transcript, reply=taken.reply, audio=audio, timings_ms=timings)


@router.post("/{call_sid}/tasks", responses=TASK_RESPONSES)
async def execute(database: DatabaseDep, calls: CallsDep, user: CurrentUserDep, call_sid: CallSid, wanted: TaskWanted) -> TaskRead:
    """Have a business task done in a call."""
    await enter_call(database, user.user_id, call_sid)
    confirmation = await execute_task(calls, wanted.task, wanted.details)
    return TaskRead(call_sid=call_sid, task=wanted.task, confirmation=confirmation)


@router.post("/{call_sid}/end", responses=END_RESPONSES)
async def end(database: DatabaseDep, user: CurrentUserDep, call_sid: CallSid) -> CallEnded:
    """Hang up."""
    ended = await end_call(database, user.user_id, call_sid)
    return CallEnded(call_sid=ended.call_sid, duration_seconds=ended.duration_seconds, turns=ended.turns)
