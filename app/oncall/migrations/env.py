"""Runs the migrations of the on-call tables over the connection that `app.oncall.store` has open."""

from typing import Final

from alembic import context
from sqlalchemy import text

from app.oncall.tables import METADATA

MIGRATION_LOCK: Final = 0x6F6E63616C6C
"""Key of the advisory lock that lets one replica migrate at a time: "oncall" in ASCII."""

VERSION_TABLE: Final = "oncall_version"
"""Apart from the application's, with whose tables these may share a database."""

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
context.configure(
    connection=connection,
    target_metadata=METADATA,
    compare_type=True,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
    include_object=lambda thing, name, kind, *_: kind != "table" or name in METADATA.tables,
)
with context.begin_transaction():
    context.run_migrations()
