"""When an incident began and when its episode did: what the times to an answer and to an end are counted from.

Revision ID: 0002
Revises: 0001
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    for name in ("began_at", "called_at"):
        op.add_column("oncall_incidents", sa.Column(name, sa.Double(), nullable=False, server_default=sa.text("0")))
    op.execute("UPDATE oncall_incidents SET began_at = opened_at, called_at = opened_at")


def downgrade() -> None:
    for name in ("called_at", "began_at"):
        op.drop_column("oncall_incidents", name)
