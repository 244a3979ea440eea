"""The table of tracked events."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: Final = "0004"
down_revision: Final = "0003"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    op.create_table(
        "tracked_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("user_ref", sa.String(length=32), nullable=True),
        sa.Column("key_id", sa.String(length=8), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("properties", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracked_events")),
    )
    op.create_index(op.f("ix_tracked_events_timestamp"), "tracked_events", ["timestamp"])
    op.create_index(op.f("ix_tracked_events_event_type"), "tracked_events", ["event_type", "timestamp"])
    op.create_index(op.f("ix_tracked_events_user_ref"), "tracked_events", ["user_ref"])
    op.create_index(op.f("ix_tracked_events_request_id"), "tracked_events", ["request_id"])


def downgrade() -> None:
    op.drop_table("tracked_events")
