"""The documents that chat and client exchange: JSON objects with a `type`. docs/chat.md explains them."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

CHAT_ID: Final = r"^[0-9a-f]{32}$"
MESSAGE_ID: Final = r"^(?:[0-9a-f]{32}|0)$"

ChatId = Annotated[str, Field(pattern=CHAT_ID)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Hello(_Document):
    """The first document of a client: who it is (where the handshake didn't say), under which id, in which chat."""

    type: Literal["hello"]
    token: Annotated[str, Field(max_length=4096)] | None = None
    event_id: Annotated[str, Field(max_length=200)] | None = None
    chat_id: ChatId | None = None
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    after: Annotated[str, Field(pattern=MESSAGE_ID)] | None = None


class Post(_Document):
    """A message for the others."""

    type: Literal["message"]
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    text: Annotated[str, Field(min_length=1)]


class Confirmation(_Document):
    """The client has a message."""

    type: Literal["ack"]
    id: Annotated[str, Field(pattern=MESSAGE_ID)]


class Ping(_Document):
    """Is anybody there? For clients that can't send the protocol's own ping."""

    type: Literal["ping"]


class Renewal(_Document):
    """A new token, before the old one expires."""

    type: Literal["renew"]
    token: Annotated[str, Field(max_length=4096)]


Document = Hello | Post | Confirmation | Ping | Renewal

_documents: Final[TypeAdapter[Document]] = TypeAdapter(Annotated[Document, Field(discriminator="type")])


class BadDocumentError(Exception):
    """Not a document of this protocol. The text says what is wrong and quotes no values."""


def parse(text: str | bytes) -> Document:
    """The document. Raises BadDocumentError."""
    try:
        return _documents.validate_json(text)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        named = (f"{'.'.join(str(part) for part in item['loc'])}: {item['type']}".lstrip(": ") for item in problems[:3])
        raise BadDocumentError("; ".join(named)) from None
