"""The derived table of verdicts, an index on the orchestrations of runs, and run numbers on PostgreSQL.

SQLite numbers every row of a table by itself (`rowid`); lists of 100,000 runs hold these numbers, eight bytes a run.
PostgreSQL has nothing like it that survives an update, so `run` gets a column of the same name there.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.mirror.tables import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create `assessment`; number the runs."""
    op.create_table(
        "assessment",
        sa.Column("org_id", sa.String(18), nullable=False),
        sa.Column("run_id", sa.String(18), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("eligibility", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("readiness", sa.String(), nullable=False),
        sa.Column("readiness_note", sa.Text(), nullable=False),
        sa.Column("confidence", sa.String(), nullable=False),
        sa.Column("failed_at", Instant()),
        sa.Column("deadline_earliest", Instant()),
        sa.Column("deadline_latest", Instant()),
        sa.Column("proof", sa.String()),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("stage", sa.String()),
        sa.Column("step", sa.String()),
        sa.Column("error", sa.Text()),
        sa.Column("cause_group", sa.String()),
        sa.Column("resumed_at", Instant()),
        sa.Column("failed_after_resume", sa.Boolean()),
        sa.Column("attention", sa.Text()),
        sa.PrimaryKeyConstraint("org_id", "run_id"),
    )
    op.create_index("ix_assessment_due", "assessment", ["place", "due", "run_id", "org_id"])
    op.create_index("ix_assessment_lost", "assessment", ["place", "lost", "due", "org_id"])
    op.create_index("ix_assessment_group", "assessment", ["org_id", "cause_group"])
    op.create_index("ix_run_orchestration", "run", ["org_id", "orchestration", "status", "system_modstamp"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE run ADD COLUMN rowid BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE")
