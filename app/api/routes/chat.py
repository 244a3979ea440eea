"""The chat: begin one over HTTP, talk over WebSocket."""

from typing import Annotated

from fastapi import APIRouter, Depends, WebSocket, status
from pydantic import BaseModel, Field, StringConstraints

from app.api.chat_session import serve_chat
from app.api.deps import CurrentUserDep, ResourcesDep
from app.api.errors import NEEDS_TOKEN
from app.domain.chat import Chat

router = APIRouter(prefix="/chat", tags=["chat"])

WEBSOCKET_PATH = "/api/chat/ws"


class ChatWanted(BaseModel):
    """What kind of chat it shall be."""

    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = Field(
        None, description="The model that takes part, for the statistics. Leave out for CHAT_MODEL.", examples=["gpt-4"]
    )


class ChatStarted(BaseModel):
    """A new chat."""

    chat_id: str = Field(description="Give it to those who shall join: it can't be guessed.", examples=["9b2f0c5e4d3a4f1e8c7b6a5948372615"])
    websocket: str = Field(description="Path of the WebSocket.", examples=[WEBSOCKET_PATH])


class ChatLimits(BaseModel):
    """What a client has to know to behave."""

    websocket: str = Field(description="Path of the WebSocket.", examples=[WEBSOCKET_PATH])
    subprotocol: str = Field(description="Offer it together with the token, where headers can't be set.", examples=["bearer"])
    message_chars: int = Field(description="Longest text of a message.", examples=[4000])
    messages_per_second: float = Field(description="Messages of one connection, on average.", examples=[10])
    unconfirmed_messages: int = Field(description="Messages that a reader may leave unconfirmed.", examples=[100])
    idle_seconds: float = Field(
        description="A connection from which nothing comes for so long is closed. A `ping` is something.", examples=[900]
    )


async def _chat(websocket: WebSocket) -> Chat:
    found: Chat = websocket.app.state.resources.chat
    return found


@router.post("", status_code=status.HTTP_201_CREATED, responses=NEEDS_TOKEN)
async def start_chat(resources: ResourcesDep, claims: CurrentUserDep, wanted: ChatWanted) -> ChatStarted:
    """Begin a chat. Join it over the WebSocket; whoever has its id and a token may join."""
    return ChatStarted(chat_id=resources.chat.start(claims.user_id, wanted.model), websocket=WEBSOCKET_PATH)


@router.get("", responses=NEEDS_TOKEN)
async def chat_limits(resources: ResourcesDep, _: CurrentUserDep) -> ChatLimits:
    """Where the chat is, and its limits."""
    settings = resources.settings
    return ChatLimits(
        websocket=WEBSOCKET_PATH,
        subprotocol="bearer",
        message_chars=settings.chat_message_chars,
        messages_per_second=settings.chat_messages_per_second,
        unconfirmed_messages=settings.chat_queue_messages,
        idle_seconds=settings.chat_idle_seconds,
    )


@router.websocket("/ws")
async def talk(websocket: WebSocket, chat: Annotated[Chat, Depends(_chat)]) -> None:
    """The chat itself: docs/chat.md says what is sent."""
    await serve_chat(websocket, chat, websocket.app.state.resources.settings)
