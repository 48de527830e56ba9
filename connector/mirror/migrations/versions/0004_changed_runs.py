"""The queue of runs that changed and wait to be judged; how far deletes and audits of each object reach."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.mirror.tables import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create `changed_run`; give the cursors of deletes and audits their own columns."""
    op.create_table(
        "changed_run",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("run_id", sa.String(18), primary_key=True),
        sa.Column("evidence_due", sa.Boolean(), nullable=False),
    )
    with op.batch_alter_table("sync_cursor") as cursors:
        cursors.add_column(sa.Column("deleted_until", Instant()))
        cursors.add_column(sa.Column("audited_until", Instant()))
        cursors.drop_column("visible_rows")
    op.execute("UPDATE sync_cursor SET deleted_until = watermark, audited_until = watermark")
