"""The table `assessment`: what triage found about each run that failed or needs eyes. Derived; it can be dropped.

A row holds a verdict without the clock's part: whether a deadline has passed, and whether the data is too old to answer
with, is decided when the row is read (`monitor.triage.at`). So a stored row never becomes wrong by waiting.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from connector.mirror.tables import Instant
from monitor.story import RunFacts
from monitor.verdict import (
    Confidence,
    Deadline,
    DeadlineProof,
    Eligibility,
    Readiness,
    ReasonCode,
    Verdict,
)

FAR = 2**62
"""A `due` or `lost` later than any: the sort column of an index cannot be null."""


class Place(IntEnum):
    """Where a run stands in the display order; the clock moves a run on from the first two when it expires."""

    SAVABLE = 0  # the error is recoverable
    UNCLEAR = 1  # something is missing to tell
    HOPELESS = 2  # in Error, and never resumable
    EYES = 3  # not in Error, and stuck, forgotten or failing again and again
    RECOVERED = 4  # failed once and went on: kept for what its cause group learns from it


class Assessment(SQLModel, table=True):
    """One judged run. `due` and `lost` are the deadline's two ends in microseconds since 1970, FAR without one."""

    __tablename__ = "assessment"
    __table_args__ = (
        Index("ix_assessment_due", "place", "due", "run_id", "org_id"),
        Index("ix_assessment_lost", "place", "lost", "due", "org_id"),
        Index("ix_assessment_group", "org_id", "cause_group"),
    )

    org_id: str = Field(primary_key=True, max_length=18)
    run_id: str = Field(primary_key=True, max_length=18)
    status: str
    place: int
    due: int = Field(sa_type=BigInteger)
    lost: int = Field(sa_type=BigInteger)
    eligibility: str
    reason: str
    readiness: str
    readiness_note: str = Field(sa_type=Text)
    confidence: str
    failed_at: datetime | None = Field(default=None, sa_type=Instant, nullable=True)
    deadline_earliest: datetime | None = Field(default=None, sa_type=Instant, nullable=True)
    deadline_latest: datetime | None = Field(default=None, sa_type=Instant, nullable=True)
    proof: str | None = None
    episode: int
    version: int | None = None
    stage: str | None = None
    step: str | None = None
    error: str | None = Field(default=None, sa_type=Text)
    cause_group: str | None = None
    resumed_at: datetime | None = Field(default=None, sa_type=Instant, nullable=True)
    failed_after_resume: bool | None = None  # None: was never resumed, or nobody can tell yet
    attention: str | None = Field(default=None, sa_type=Text)


def micros(moment: datetime | None) -> int:
    """A moment as the whole number that `due` and `lost` hold."""
    if moment is None:
        return FAR
    whole = int(moment.timestamp())
    return whole * 1_000_000 + moment.microsecond


def moment_of(whole: int) -> datetime:
    """The moment that a `due` or `lost` stands for."""
    return datetime.fromtimestamp(whole // 1_000_000, UTC).replace(microsecond=whole % 1_000_000)


def columns(run: RunFacts, verdict: Verdict) -> dict[str, Any]:
    """The row of a verdict that knows no clock yet."""
    until = verdict.deadline
    return {
        "org_id": run.org_id,
        "run_id": run.id,
        "status": run.status,
        "eligibility": verdict.eligibility.value,
        "reason": verdict.reason.value,
        "readiness": verdict.readiness.value,
        "readiness_note": verdict.readiness_note,
        "confidence": verdict.confidence.value,
        "failed_at": verdict.failed_at,
        "deadline_earliest": until.earliest if until else None,
        "deadline_latest": until.latest if until else None,
        "due": micros(until.earliest if until else None),
        "lost": micros(until.latest if until else None),
        "proof": until.proof.value if until else None,
        "episode": verdict.episode,
        "stage": verdict.stage,
        "step": verdict.step,
        "error": verdict.error,
        "cause_group": verdict.group,
    }


def verdict_of(row: Any) -> Verdict:
    """The verdict that a row (any object with the table's columns as attributes) was made from, without its evidence."""
    until = None
    if row.deadline_earliest is not None:
        until = Deadline(row.deadline_earliest, row.deadline_latest, DeadlineProof(row.proof))
    return Verdict(
        eligibility=Eligibility(row.eligibility),
        reason=ReasonCode(row.reason),
        readiness=Readiness(row.readiness),
        readiness_note=row.readiness_note,
        confidence=Confidence(row.confidence),
        deadline=until,
        failed_at=row.failed_at,
        episode=row.episode,
        stage=row.stage,
        step=row.step,
        error=row.error,
        group=row.cause_group,
        evidence=(),
    )
