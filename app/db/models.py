"""The tables."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, Integer, MetaData, String, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

TITLE_CHARS: Final = 200
NAME_CHARS: Final = 64
EMAIL_CHARS: Final = 254
AUTHOR_CHARS: Final = 64
MODEL_CHARS: Final = 32
SIZE_CHARS: Final = 16
SEED_CHARS: Final = 64

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints get names that migrations can refer to, the same on every database."""


class Base(DeclarativeBase):
    """All models of this application."""

    metadata = MetaData(naming_convention=_NAMES)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time. SQLite forgets the zone; what comes back is UTC on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _now() -> datetime:
    return datetime.now(UTC)


class Post(Base):
    """A post of the feed.

    Ids grow with time, so the feed is read along the primary key, newest first,
    and its pages stay put while new posts arrive.
    """

    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    author_id: Mapped[str] = mapped_column(String(AUTHOR_CHARS))
    title: Mapped[str] = mapped_column(String(TITLE_CHARS))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)


class Comment(Base):
    """A comment on a post; it goes when the post goes. Read along the index, newest first, like the feed."""

    __tablename__ = "comments"
    __table_args__ = (Index("ix_comments_post_id", "post_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    post_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("posts.id", ondelete="CASCADE"))
    author_id: Mapped[str] = mapped_column(String(AUTHOR_CHARS))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)


class Image(Base):
    """A generated image. The seed tells how to draw it, so no pixels are stored; nor is the text that it was made from."""

    __tablename__ = "images"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    owner_id: Mapped[str] = mapped_column(String(AUTHOR_CHARS))
    model: Mapped[str] = mapped_column(String(MODEL_CHARS))
    size: Mapped[str] = mapped_column(String(SIZE_CHARS))
    seed: Mapped[str] = mapped_column(String(SEED_CHARS))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)


class User(Base):
    """An account. Its id is what logs, traces and events know of a person."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    username: Mapped[str] = mapped_column(String(NAME_CHARS), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    display_name: Mapped[str] = mapped_column(String(NAME_CHARS))
    email: Mapped[str | None] = mapped_column(String(EMAIL_CHARS))
    role: Mapped[str] = mapped_column(String(16), default="user")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)


class LoginSession(Base):
    """A login on one device, and the one refresh token of it that is good at present."""

    __tablename__ = "login_sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_id: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)


class TrackedEventRow(Base):
    """A tracked event, as Elasticsearch has it too. Read by time, by type over time, by user and by request."""

    __tablename__ = "tracked_events"
    __table_args__ = (Index("ix_tracked_events_event_type", "event_type", "timestamp"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    event_type: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(16))
    user_ref: Mapped[str | None] = mapped_column(String(32), index=True)
    key_id: Mapped[str | None] = mapped_column(String(8))
    request_id: Mapped[str | None] = mapped_column(String(128), index=True)
    properties: Mapped[dict[str, Any]] = mapped_column(JSON().with_variant(JSONB, "postgresql"))


class Call(Base):
    """A voice call under way. It goes when the call ends: its length stays in the metrics, its story in the logs."""

    __tablename__ = "calls"

    call_sid: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(AUTHOR_CHARS))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)
    active_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now, index=True)
    turns: Mapped[int] = mapped_column(Integer, default=0)
