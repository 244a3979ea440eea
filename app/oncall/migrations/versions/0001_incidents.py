"""Incidents, their alerts, messages and timeline, and the beats."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    op.create_table(
        "oncall_incidents",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("open_key", sa.String(64), unique=True),
        sa.Column("group_key", sa.String(64), nullable=False),
        sa.Column("alertname", sa.String(200), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("env", sa.String(200), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("firing", sa.Integer(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("escalation", sa.String(100), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Double()),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("notified_at", sa.Double()),
        sa.Column("acknowledged_at", sa.Double()),
        sa.Column("acknowledged_by", sa.String(200)),
        sa.Column("resolved_at", sa.Double()),
    )
    op.create_index("ix_oncall_incidents_next_at", "oncall_incidents", ["next_at"])
    op.create_index("ix_oncall_incidents_group_key_resolved_at", "oncall_incidents", ["group_key", "resolved_at"])
    incident = sa.ForeignKey("oncall_incidents.id")
    op.create_table(
        "oncall_alerts",
        sa.Column("fingerprint", sa.String(64), primary_key=True),
        sa.Column("starts_at", sa.Double(), primary_key=True),
        sa.Column("incident_id", sa.String(32), incident, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("ends_at", sa.Double()),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
    )
    op.create_index("ix_oncall_alerts_incident_id_status", "oncall_alerts", ["incident_id", "status"])
    op.create_table(
        "oncall_notifications",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("incident_id", sa.String(32), sa.ForeignKey("oncall_incidents.id"), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("contact", sa.String(500), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("others", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("sent_at", sa.Double()),
        sa.Column("error", sa.String(500)),
    )
    op.create_index("ix_oncall_notifications_state_due_at", "oncall_notifications", ["state", "due_at"])
    op.create_index("ix_oncall_notifications_incident_id", "oncall_notifications", ["incident_id"])
    op.create_table(
        "oncall_timeline",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("incident_id", sa.String(32), sa.ForeignKey("oncall_incidents.id"), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("detail", sa.String(500), nullable=False),
    )
    op.create_index("ix_oncall_timeline_incident_id_at", "oncall_timeline", ["incident_id", "at"])
    op.create_table(
        "oncall_beats",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("at", sa.Double(), nullable=False),
    )


def downgrade() -> None:
    for table in ("oncall_beats", "oncall_timeline", "oncall_notifications", "oncall_alerts", "oncall_incidents"):
        op.drop_table(table)
