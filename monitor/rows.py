"""The frozen rows that monitor.read answers with. Everything that shows runs (CLI, dashboard, alerts) shows these."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.verdict import Confidence, Eligibility, Evidence, Readiness, ReasonCode


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are meant. Empty means all; every given part must hold. Words match case-insensitively."""

    org: str | None = None  # the org's name, as with --org
    statuses: tuple[str, ...] = ()  # Salesforce status values
    orchestration: str | None = None  # API name or label, `*` as wildcard
    group: str | None = None  # cause group id, or an unambiguous prefix of one
    at_risk: bool = False  # failed, can still be saved or may be, deadline ahead
    within: timedelta | None = None  # of runs in Error: earliest deadline at most this far ahead
    reason: ReasonCode | None = None
    eligibility: Eligibility | None = None  # of runs in Error
    needs_eyes: bool = False  # not in Error, but stuck, forgotten, failing again and again, or only labelled so
    text: str | None = None  # contained in id, name, record, error, orchestration, stage or step
    ids: tuple[str, ...] = ()  # 15 or 18 characters


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run as lists show it. Names are the JSON names of `reprise runs`; instants are aware UTC."""

    org: str
    id: str
    name: str | None
    orchestration: str | None
    version: int | None
    status: str
    stage: str | None
    step: str | None
    error: str | None
    failed_at: datetime | None
    deadline_earliest: datetime | None
    deadline_latest: datetime | None
    seconds_left: int | None
    eligibility: Eligibility
    reason_code: ReasonCode
    readiness: Readiness
    confidence: Confidence
    group: str | None
    attempts: int  # our own resume attempts on this run
    record: str | None  # the triggering record's id
    attention: str | None  # why a run that is not in Error needs eyes, or None


@dataclass(frozen=True, slots=True)
class RunPage:
    """An answer to `runs`: how many matched, and the asked-for part of them, soonest deadline first."""

    as_of: datetime | None  # org time of the newest complete sync; None: never synced
    total: int
    runs: tuple[RunLine, ...]


@dataclass(frozen=True, slots=True)
class WorkItemLine:
    """A work item under its step."""

    id: str
    status: str
    assignee: str | None
    assignee_state: str | None  # "active", "inactive", "frozen", None: unknown
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step under its stage."""

    id: str
    name: str | None
    label: str | None
    status: str
    step_type: str | None
    called_flow: str | None
    started_at: datetime | None
    ended_at: datetime | None
    work_items: tuple[WorkItemLine, ...] = ()


@dataclass(frozen=True, slots=True)
class StageLine:
    """A stage under its run."""

    id: str
    name: str | None
    label: str | None
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    steps: tuple[StepLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Milestone:
    """One log entry; `text` is a sentence for people such as "step Call bureau failed"."""

    at: datetime | None
    kind: str
    text: str
    stage: str | None = None
    step: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What resuming a run would do, as far as the mirror knows."""

    steps_again: tuple[str, ...] = ()  # steps that will run again
    outputs_processed: tuple[str, ...] = ()  # discontinued steps whose stored outputs will be processed instead
    people: tuple[str, ...] = ()  # who would get a new work item and an e-mail
    record: str | None = None
    other_runs: tuple[str, ...] = ()  # ids of open or failed runs on the same record


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One resume of the run that Reprise sent, and what became of it."""

    at: datetime
    outcome: str | None  # AttemptOutcome; None: not known yet
    detail: str  # the proof, the org's code and words, or what there is to do while nothing is known
    reason: str  # why somebody wanted it


@dataclass(frozen=True, slots=True)
class RunDetail:
    """One run in full, as `show` prints it."""

    line: RunLine
    readiness_note: str
    evidence: tuple[Evidence, ...]
    stages: tuple[StageLine, ...]
    milestones: tuple[Milestone, ...]
    blast_radius: BlastRadius
    same_cause: int  # other runs in the same cause group
    time_zone: str | None  # IANA name of the org's zone
    url: str | None  # opens the run in Salesforce
    resumes: tuple[AttemptLine, ...] = ()  # our own attempts, oldest first; `attempts` of the line is their number


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """Failed runs that broke in the same place for the same reason."""

    id: str
    org: str
    orchestration: str | None
    stage: str | None
    step: str | None
    cause: str  # one sample of the cleaned error text, or the reason code's sentence
    count: int
    resumable: int
    reason_codes: tuple[ReasonCode, ...]  # of its runs, the most frequent first
    first_deadline: datetime | None
    new_last_day: int
    readiness: Readiness
    readiness_note: str
    sample_run: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The line on top of every screen."""

    org: str | None
    org_label: str | None
    is_sandbox: bool | None
    time_zone: str | None
    as_of: datetime | None
    last_problem: str | None  # why the newest pass was not complete, or None
    api_used: int | None
    api_max: int | None
    total: int
    by_status: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    at_risk: int = 0
    within_24h: int = 0
    first_deadline: datetime | None = None
