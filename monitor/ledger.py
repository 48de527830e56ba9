"""The ledger: tables of what only we know. The mirror can be fetched again from the org; these rows cannot.

No foreign key points into the mirror, and no row is ever deleted or rewritten by a sync. An attempt is settled once and
a notice is written once: together they are the record of what was done and said, by whom and why. The instants of batches
and attempts are the org's time, to be read beside its milestones; those of alerts are our clock's.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, Text, func, text
from sqlmodel import Field, SQLModel, col

from connector.mirror.tables import Instant


class AttemptOutcome(StrEnum):
    """What became of one attempt to resume one run."""

    VERIFIED = "VERIFIED"  # the run left Error, with a new milestone or step state as proof
    FAILED_AGAIN = "FAILED_AGAIN"  # it was resumed and failed anew
    REFUSED = "REFUSED"  # the org said no
    NOT_APPLIED = "NOT_APPLIED"  # the reply was lost, and reading shows that the call had no effect
    UNVERIFIED = "UNVERIFIED"  # sent, and no proof yet: the attempt is still open
    STALLED = "STALLED"  # accepted, and no proof within the time allowed
    VANISHED = "VANISHED"  # the run can no longer be seen
    SKIPPED = "SKIPPED"  # nothing was sent


class DeliveryState(StrEnum):
    """Where one message stands with one channel."""

    PENDING = "PENDING"
    SENT = "SENT"
    DEAD = "DEAD"  # the channel refused it until it mattered no more


class ResumeBatch(SQLModel, table=True):
    """One execution of one plan: who, why, when, and how it ended."""

    __tablename__ = "resume_batch"

    id: str = Field(primary_key=True, max_length=32)
    org_id: str = Field(max_length=18, index=True)
    plan_id: str = Field(max_length=32)
    plan_hash: str = Field(max_length=64)
    actor: str
    reason: str = Field(sa_type=Text)
    target_status: str  # the value written to Status, since which one resumes is for each org to prove
    planned: int
    started_at: datetime = Field(sa_type=Instant)
    finished_at: datetime | None = Field(default=None, sa_type=Instant, nullable=True)  # None: running, or crashed
    outcome: str | None = None
    api_calls: int = 0


class ResumeAttempt(SQLModel, table=True):
    """One run of a batch. While `settled_at` is empty the row is a lease on the run, whoever wants to resume it."""

    __tablename__ = "resume_attempt"
    __table_args__ = (
        Index(
            "uq_resume_attempt_open",
            "org_id",
            "run_id",
            unique=True,
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
        Index("ix_resume_attempt_run", "org_id", "run_id"),
    )

    id: str = Field(primary_key=True, max_length=32)
    batch_id: str = Field(foreign_key="resume_batch.id", index=True, max_length=32)
    org_id: str = Field(max_length=18)
    run_id: str = Field(max_length=18)
    episode: int
    eligibility: str  # what the verdict promised when the call was made
    reason_code: str
    baseline: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))  # None: nothing was sent
    intended_at: datetime = Field(sa_type=Instant)
    answered_at: datetime | None = Field(default=None, sa_type=Instant, nullable=True)
    accepted: bool | None = None  # None: the reply was lost, or has not come yet
    code: str | None = None  # Salesforce's errorCode
    message: str | None = Field(default=None, sa_type=Text)  # its text, verbatim
    settled_at: datetime | None = Field(default=None, sa_type=Instant, nullable=True)
    outcome: str | None = None  # AttemptOutcome once settled
    detail: str = Field(default="", sa_type=Text)
    mismatch: bool = False  # the org answered otherwise than the verdict promised


WAS_SENT = func.coalesce(col(ResumeAttempt.outcome), "") != AttemptOutcome.SKIPPED.value
"""The attempts that count as tries: for a skipped one nothing was sent."""


class OrgProof(SQLModel, table=True):
    """The first verified resume of an org: proof that writing this Status value resumes runs there."""

    __tablename__ = "org_proof"

    org_id: str = Field(primary_key=True, max_length=18)
    target_status: str = Field(primary_key=True)
    attempt_id: str = Field(max_length=32)
    run_id: str = Field(max_length=18)
    proven_at: datetime = Field(sa_type=Instant)


class AlertMessage(SQLModel, table=True):
    """One message as it was decided, in the transaction that wrote its notices."""

    __tablename__ = "alert_message"

    id: str = Field(primary_key=True, max_length=32)
    org_id: str = Field(max_length=18, index=True)
    kind: str
    created_at: datetime = Field(sa_type=Instant)
    body: dict[str, Any] = Field(sa_type=JSON)


class AlertNotice(SQLModel, table=True):
    """That one failure episode of one run was spoken of at one tier: once, for good."""

    __tablename__ = "alert_notice"

    org_id: str = Field(primary_key=True, max_length=18)
    run_id: str = Field(primary_key=True, max_length=18)
    episode: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    tier: str = Field(primary_key=True)
    message_id: str = Field(foreign_key="alert_message.id", max_length=32)
    noticed_at: datetime = Field(sa_type=Instant)


class AlertDelivery(SQLModel, table=True):
    """The outbox: one message still to be sent, sent, or given up, on one channel."""

    __tablename__ = "alert_delivery"
    __table_args__ = (Index("ix_alert_delivery_due", "state", "next_try_at"),)

    message_id: str = Field(primary_key=True, foreign_key="alert_message.id", max_length=32)
    channel: str = Field(primary_key=True)
    state: str = DeliveryState.PENDING
    tries: int = 0
    next_try_at: datetime = Field(sa_type=Instant)
    sent_at: datetime | None = Field(default=None, sa_type=Instant, nullable=True)
    problem: str | None = Field(default=None, sa_type=Text)  # why the newest try failed
