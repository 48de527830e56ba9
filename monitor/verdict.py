"""The words of a verdict: four axes that are never mixed into one colour, with the evidence they stand on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Eligibility(StrEnum):
    """Can the platform resume this run? RESUMABLE means: the resume would be accepted now."""

    RESUMABLE = "RESUMABLE"
    NOT_RESUMABLE = "NOT_RESUMABLE"
    UNKNOWN = "UNKNOWN"


class ReasonCode(StrEnum):
    """Why. A closed list: scripts, alerts and `reprise explain` rely on the names."""

    STEP_FLOW_ERROR = "STEP_FLOW_ERROR"
    ASSIGNEE_INACTIVE = "ASSIGNEE_INACTIVE"
    SCREEN_FLOW_ERROR = "SCREEN_FLOW_ERROR"

    WINDOW_EXPIRED = "WINDOW_EXPIRED"
    OUTSIDE_STEP = "OUTSIDE_STEP"
    MULESOFT_ACTION = "MULESOFT_ACTION"
    ASSIGNEE_UNRESOLVED = "ASSIGNEE_UNRESOLVED"
    APPROVAL_RUN = "APPROVAL_RUN"
    INTERVIEW_GONE = "INTERVIEW_GONE"
    NOT_IN_ERROR = "NOT_IN_ERROR"
    RUN_DELETED = "RUN_DELETED"
    ATTEMPT_OPEN = "ATTEMPT_OPEN"
    RESUMED_ELSEWHERE = "RESUMED_ELSEWHERE"
    NO_PERMISSION = "NO_PERMISSION"
    READ_ONLY = "READ_ONLY"
    POLICY_BLOCKED = "POLICY_BLOCKED"

    RUN_NOT_VISIBLE = "RUN_NOT_VISIBLE"
    STALE_DATA = "STALE_DATA"
    FAIL_TIME_UNKNOWN = "FAIL_TIME_UNKNOWN"
    NO_STEP_ROWS = "NO_STEP_ROWS"
    NO_LOG_ACCESS = "NO_LOG_ACCESS"
    UNRECOGNISED_STATUS = "UNRECOGNISED_STATUS"


class Readiness(StrEnum):
    """Should it be resumed yet? Warns, never forbids: a fix can be data, a permission or Apex that nobody here can see."""

    READY = "READY"
    FIX_UNSEEN = "FIX_UNSEEN"
    LIKELY_TO_FAIL_AGAIN = "LIKELY_TO_FAIL_AGAIN"
    NEEDS_HUMAN = "NEEDS_HUMAN"
    UNASSESSED = "UNASSESSED"


class Confidence(StrEnum):
    """How the eligibility is known."""

    PROVEN = "PROVEN"
    INFERRED = "INFERRED"
    ASSUMED = "ASSUMED"


class DeadlineProof(StrEnum):
    """What says when the run failed, best first. LastModifiedDate is never one: any edit would move the deadline."""

    FAIL_RUN_MILESTONE = "FAIL_RUN_MILESTONE"
    FAIL_STEP_MILESTONE = "FAIL_STEP_MILESTONE"
    STEP_OR_STAGE_ROW = "STEP_OR_STAGE_ROW"
    POLL_BRACKET = "POLL_BRACKET"


RESUME_WINDOW = timedelta(days=14)
"""How long after the failure a run can be resumed. Source: Help, "Orchestration Run"; to the hour is UNCONFIRMED."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment after which a resume is refused, as an interval: alerts and order use `earliest`, expiry uses `latest`."""

    earliest: datetime
    latest: datetime
    proof: DeadlineProof


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact behind a verdict and where it was read; `contradicts` marks a fact that speaks against the verdict."""

    fact: str
    source: str
    contradicts: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about one run at one moment.

    `error` is the failed interview's text, cleaned for people; `group` is the id of its cause group (None while
    nothing failed); `episode` counts the failures of this run, 1 for the first, so that a second failure after a
    resume starts anew; `failed_at` is the earliest proven moment of the present failure.
    """

    eligibility: Eligibility
    reason: ReasonCode
    readiness: Readiness
    readiness_note: str
    confidence: Confidence
    deadline: Deadline | None
    failed_at: datetime | None
    episode: int
    stage: str | None
    step: str | None
    error: str | None
    group: str | None
    evidence: tuple[Evidence, ...]
