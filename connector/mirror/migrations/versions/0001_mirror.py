"""The mirror's first schema: the five mirrored objects, what is known beside them, and how far each was read."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from connector.mirror.tables import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of connector.mirror.tables."""
    _mirrored_objects()
    _orgs_and_passes()
    _evidence()
    _indexes()


def _text(name: str, length: int | None = None, *, null: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=null)


def _id(name: str) -> sa.Column[Any]:
    return _text(name, 18, null=False)


def _instant(name: str, *, null: bool = True) -> sa.Column[Any]:
    return sa.Column(name, Instant(), nullable=null)


def _mirrored(name: str, *own: sa.Column[Any]) -> None:
    op.create_table(
        name,
        _id("id"),
        _instant("created_at"),
        _instant("last_modified_at"),
        _instant("system_modstamp", null=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        *own,
        _id("org_id"),
        _instant("first_seen_at", null=False),
        _instant("vanished_at"),
        sa.PrimaryKeyConstraint("id", "org_id"),
    )


def _mirrored_objects() -> None:
    _mirrored(
        "run",
        _text("name"),
        _text("status", null=False),
        _text("current_stage"),
        _text("interview_id"),
        _text("orchestration"),
        _text("orchestration_label"),
        _text("flow_definition_version_name"),
        _text("flow_type"),
        _text("triggering_record"),
        _text("triggering_record_type"),
        sa.Column("is_debug_run", sa.Boolean()),
    )
    _mirrored(
        "stage",
        _text("run_id", null=False),
        _text("name"),
        _text("label"),
        _text("status", null=False),
        sa.Column("position", sa.Integer()),
    )
    _mirrored(
        "step",
        _text("run_id", null=False),
        _text("stage_id"),
        _text("stage_name"),
        _text("name"),
        _text("label"),
        _text("status", null=False),
        _text("step_type"),
        _text("related_record"),
    )
    _mirrored(
        "work_item",
        _text("step_id"),
        _text("name"),
        _text("label"),
        _text("status", null=False),
        _text("assignee_id"),
        _text("screen_flow"),
        _text("related_record_id"),
    )
    _mirrored(
        "log_entry",
        _text("run_id", null=False),
        _text("kind", null=False),
        _instant("occurred_at"),
        _text("orchestration"),
        sa.Column("version", sa.Integer()),
        _text("stage_name"),
        _text("step_name"),
        _text("actor"),
        _text("assignee"),
        _text("assignee_type"),
        _text("comments"),
        _text("context"),
    )


def _orgs_and_passes() -> None:
    op.create_table(
        "org",
        _id("org_id"),
        _text("name", null=False),
        _text("label"),
        _text("instance_url", null=False),
        sa.Column("is_sandbox", sa.Boolean()),
        _text("time_zone"),
        _text("api_version"),
        _text("username"),
        sa.Column("clock_offset_seconds", sa.Float(), nullable=False),
        sa.Column("api_used", sa.Integer()),
        sa.Column("api_max", sa.Integer()),
        _instant("last_success_at"),
        _instant("last_attempt_at"),
        _text("last_outcome"),
        sa.Column("last_problem", sa.Text()),
        sa.PrimaryKeyConstraint("org_id"),
    )
    op.create_table(
        "sync_cursor",
        _id("org_id"),
        _text("object_name", null=False),
        _instant("watermark"),
        _instant("position_at"),
        _text("last_id"),
        sa.Column("loaded", sa.Boolean(), nullable=False),
        _instant("since"),
        sa.Column("readable", sa.Boolean(), nullable=False),
        sa.Column("replicateable", sa.Boolean(), nullable=False),
        sa.Column("missing_fields", sa.JSON(), nullable=False),
        _instant("described_at"),
        sa.Column("visible_rows", sa.Integer()),
        _instant("updated_at", null=False),
        sa.PrimaryKeyConstraint("org_id", "object_name"),
    )
    op.create_table(
        "sync_pass",
        sa.Column("id", sa.Integer(), primary_key=True),
        _id("org_id"),
        _text("kind", null=False),
        _instant("started_at", null=False),
        _instant("finished_at"),
        _text("outcome", null=False),
        sa.Column("api_calls", sa.Integer(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
    )
    op.create_table(
        "status_change",
        sa.Column("id", sa.Integer(), primary_key=True),
        _id("org_id"),
        _id("run_id"),
        _text("old_status"),
        _text("new_status", null=False),
        _instant("after"),
        _instant("seen_at", null=False),
    )
    op.create_table(
        "quarantined",
        _id("org_id"),
        _text("object_name", null=False),
        _text("record_id", null=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("raw", sa.JSON(), nullable=False),
        _instant("seen_at", null=False),
        sa.PrimaryKeyConstraint("org_id", "object_name", "record_id"),
    )


def _evidence() -> None:
    op.create_table(
        "interview",
        _id("org_id"),
        _id("id"),
        sa.Column("present", sa.Boolean(), nullable=False),
        _text("status"),
        sa.Column("error", sa.Text()),
        _text("current_element"),
        _instant("checked_at", null=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_table(
        "person",
        _id("org_id"),
        _id("id"),
        _text("kind", null=False),
        _text("name"),
        _text("username"),
        sa.Column("is_active", sa.Boolean()),
        sa.Column("is_frozen", sa.Boolean()),
        _instant("changed_at"),
        _instant("checked_at", null=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_table(
        "flow_version",
        _id("org_id"),
        _text("api_name", null=False),
        _text("active_version_id", null=False),
        sa.Column("version_number", sa.Integer()),
        _instant("last_modified_at"),
        _instant("first_seen_at", null=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "api_name", "active_version_id"),
    )
    op.create_table(
        "approval_link",
        _id("org_id"),
        _id("run_id"),
        _id("submission_id"),
        _text("status"),
        _instant("checked_at", null=False),
        sa.PrimaryKeyConstraint("org_id", "run_id"),
    )
    op.create_table(
        "called_flow",
        _id("org_id"),
        _text("orchestration", null=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("stage_name", null=False),
        _text("step_name", null=False),
        _text("action_name", null=False),
        _text("action_type"),
        _instant("checked_at", null=False),
        sa.PrimaryKeyConstraint("org_id", "orchestration", "version", "stage_name", "step_name"),
    )
    op.create_table(
        "step_evidence",
        _id("org_id"),
        _id("step_id"),
        sa.Column("has_pending_outputs", sa.Boolean()),
        _instant("checked_at", null=False),
        sa.PrimaryKeyConstraint("org_id", "step_id"),
    )
    op.create_table(
        "evidence_check",
        _id("org_id"),
        _text("subject", null=False),
        _instant("checked_at", null=False),
        sa.PrimaryKeyConstraint("org_id", "subject"),
    )


def _indexes() -> None:
    op.create_index("ix_run_status", "run", ["org_id", "status", "system_modstamp"])
    op.create_index("ix_run_record", "run", ["org_id", "triggering_record"])
    op.create_index("ix_stage_run", "stage", ["org_id", "run_id"])
    op.create_index("ix_step_run", "step", ["org_id", "run_id"])
    op.create_index("ix_work_item_step", "work_item", ["org_id", "step_id"])
    op.create_index("ix_work_item_status", "work_item", ["org_id", "status"])
    op.create_index("ix_log_entry_run", "log_entry", ["org_id", "run_id"])
    op.create_index("ix_status_change_run", "status_change", ["org_id", "run_id"])
    op.create_index("ix_org_name", "org", ["name"])
    op.create_index("ix_sync_pass_org_id", "sync_pass", ["org_id"])
    op.create_index("ix_sync_pass_started_at", "sync_pass", ["started_at"])
    op.create_index("ix_person_username", "person", ["username"])
