"""The queue of runs that changed and wait to be judged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create `changed_run`."""
    op.create_table(
        "changed_run",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("run_id", sa.String(18), primary_key=True),
        sa.Column("evidence_due", sa.Boolean(), nullable=False),
    )
