"""The tables of the on-call service. Times are seconds since the epoch: alike on PostgreSQL and SQLite."""

from typing import Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()

Seconds: Final = sa.Double

INCIDENTS: Final = sa.Table(
    "oncall_incidents",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column(
        "open_key", sa.String(64), unique=True, comment="Hash of the labels while it is open, NULL after: one open incident a group."
    ),
    sa.Column("group_key", sa.String(64), nullable=False),
    sa.Column("alertname", sa.String(200), nullable=False),
    sa.Column("service", sa.String(200), nullable=False),
    sa.Column("env", sa.String(200), nullable=False),
    sa.Column("severity", sa.String(20), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("firing", sa.Integer, nullable=False, comment="Alerts of it that fire."),
    sa.Column("annotations", sa.JSON, nullable=False),
    sa.Column("escalation", sa.String(100), nullable=False),
    sa.Column("episode", sa.Integer, nullable=False, comment="1, and one more each time it is opened again or gets worse."),
    sa.Column("step", sa.Integer, nullable=False, comment="Level that comes next, counted over all rounds."),
    sa.Column("next_at", Seconds, comment="When the next level hears of it; NULL when nobody has to."),
    sa.Column("opened_at", Seconds, nullable=False),
    sa.Column("began_at", Seconds, nullable=False, comment="Opened, or opened again: the time to its end is counted from here."),
    sa.Column("called_at", Seconds, nullable=False, comment="Beginning of the episode: the time to an answer is counted from here."),
    sa.Column("notified_at", Seconds),
    sa.Column("acknowledged_at", Seconds),
    sa.Column("acknowledged_by", sa.String(200)),
    sa.Column("resolved_at", Seconds),
    sa.Index("ix_oncall_incidents_next_at", "next_at"),
    sa.Index("ix_oncall_incidents_group_key_resolved_at", "group_key", "resolved_at"),
)

ALERTS: Final = sa.Table(
    "oncall_alerts",
    METADATA,
    sa.Column("fingerprint", sa.String(64), primary_key=True),
    sa.Column("starts_at", Seconds, primary_key=True),
    sa.Column("incident_id", sa.String(32), sa.ForeignKey(INCIDENTS.c.id), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("ends_at", Seconds),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("annotations", sa.JSON, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Index("ix_oncall_alerts_incident_id_status", "incident_id", "status"),
)

NOTIFICATIONS: Final = sa.Table(
    "oncall_notifications",
    METADATA,
    sa.Column("id", sa.String(200), primary_key=True, comment="incident:episode:step:contact hash: the same page is never written twice."),
    sa.Column("incident_id", sa.String(32), sa.ForeignKey(INCIDENTS.c.id), nullable=False),
    sa.Column("episode", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("contact", sa.String(500), nullable=False),
    sa.Column("person", sa.String(200), nullable=False),
    sa.Column("others", sa.JSON, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Seconds, nullable=False, comment="When it may be tried (again); moved ahead while somebody tries."),
    sa.Column("created_at", Seconds, nullable=False),
    sa.Column("sent_at", Seconds),
    sa.Column("error", sa.String(500)),
    sa.Index("ix_oncall_notifications_state_due_at", "state", "due_at"),
    sa.Index("ix_oncall_notifications_incident_id", "incident_id"),
)

TIMELINE: Final = sa.Table(
    "oncall_timeline",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("incident_id", sa.String(32), sa.ForeignKey(INCIDENTS.c.id), nullable=False),
    sa.Column("at", Seconds, nullable=False),
    sa.Column("what", sa.String(40), nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("detail", sa.String(500), nullable=False),
    sa.Index("ix_oncall_timeline_incident_id_at", "incident_id", "at"),
)

BEATS: Final = sa.Table(
    "oncall_beats",
    METADATA,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("at", Seconds, nullable=False),
)
"""When something that must keep coming came last: the watchdog, Prometheus' last answer."""
