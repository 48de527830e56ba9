"""The ledger: resume batches and attempts, proofs, and the alerts' notices and outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.mirror.tables import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the ledger's tables."""
    _create_resume_tables()
    _create_alert_tables()


def _create_resume_tables() -> None:
    op.create_table(
        "resume_batch",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("org_id", sa.String(18), nullable=False),
        sa.Column("plan_id", sa.String(32), nullable=False),
        sa.Column("plan_hash", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("target_status", sa.String(), nullable=False),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant()),
        sa.Column("outcome", sa.String()),
        sa.Column("api_calls", sa.Integer(), nullable=False),
    )
    op.create_index("ix_resume_batch_org_id", "resume_batch", ["org_id"])
    op.create_table(
        "resume_attempt",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("batch_id", sa.String(32), sa.ForeignKey("resume_batch.id"), nullable=False),
        sa.Column("org_id", sa.String(18), nullable=False),
        sa.Column("run_id", sa.String(18), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("eligibility", sa.String(), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=False),
        sa.Column("baseline", sa.JSON()),
        sa.Column("intended_at", Instant(), nullable=False),
        sa.Column("answered_at", Instant()),
        sa.Column("accepted", sa.Boolean()),
        sa.Column("code", sa.String()),
        sa.Column("message", sa.Text()),
        sa.Column("settled_at", Instant()),
        sa.Column("outcome", sa.String()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("mismatch", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_resume_attempt_batch_id", "resume_attempt", ["batch_id"])
    op.create_index("ix_resume_attempt_run", "resume_attempt", ["org_id", "run_id"])
    is_open = sa.text("settled_at IS NULL")
    op.create_index(
        "uq_resume_attempt_open",
        "resume_attempt",
        ["org_id", "run_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_table(
        "org_proof",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("target_status", sa.String(), primary_key=True),
        sa.Column("attempt_id", sa.String(32), nullable=False),
        sa.Column("run_id", sa.String(18), nullable=False),
        sa.Column("proven_at", Instant(), nullable=False),
    )


def _create_alert_tables() -> None:
    op.create_table(
        "alert_message",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("org_id", sa.String(18), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
    )
    op.create_index("ix_alert_message_org_id", "alert_message", ["org_id"])
    op.create_table(
        "alert_notice",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("run_id", sa.String(18), primary_key=True),
        sa.Column("episode", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("tier", sa.String(), primary_key=True),
        sa.Column("message_id", sa.String(32), sa.ForeignKey("alert_message.id"), nullable=False),
        sa.Column("noticed_at", Instant(), nullable=False),
    )
    op.create_table(
        "alert_delivery",
        sa.Column("message_id", sa.String(32), sa.ForeignKey("alert_message.id"), primary_key=True),
        sa.Column("channel", sa.String(), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant()),
        sa.Column("problem", sa.Text()),
    )
    op.create_index("ix_alert_delivery_due", "alert_delivery", ["state", "next_try_at"])
