"""The mirror's tables. Each mirrored Salesforce object is declared once, as a field class with Salesforce's names as aliases.

From a field class come the SELECT list, the validation of a record and the columns of its table. Sources of the field
names: Salesforce Object Reference v67 and Field Reference; lengths are not enforced, closed sets are stored as open
strings (an unknown status is shown, never guessed). `Duration` and the `Elapsed…` fields are left out: Salesforce computes
them without touching SystemModstamp, so a stored value would lie; ages are computed when read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import AwareDatetime
from sqlalchemy import JSON, DateTime, Dialect, Index, String, Text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


def instant_text(value: datetime) -> str:
    """An aware datetime as SQLite keeps it: UTC, ISO 8601, always 27 characters, so that text order is time order."""
    text = value.isoformat(timespec="microseconds")
    if not text.endswith("+00:00"):
        text = value.astimezone(UTC).isoformat(timespec="microseconds")
    return text[:26] + "Z"


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime: timestamptz on PostgreSQL, sortable ISO text of fixed width on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the mirror stores instants")
        return instant_text(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        assert isinstance(value, datetime)
        return value.astimezone(UTC)


def _instant(*, alias: str | None = None, nullable: bool = False, index: bool = False) -> Any:
    if alias is None:
        return Field(default=None if nullable else ..., sa_type=Instant, nullable=nullable, index=index)
    return Field(default=None if nullable else ..., alias=alias, sa_type=Instant, nullable=nullable, index=index)


class MirroredFields(SQLModel):
    """What every mirrored record carries."""

    salesforce_object: ClassVar[str]

    id: str = Field(alias="Id", primary_key=True, max_length=18)
    created_at: AwareDatetime | None = _instant(alias="CreatedDate", nullable=True)
    last_modified_at: AwareDatetime | None = _instant(alias="LastModifiedDate", nullable=True)
    system_modstamp: AwareDatetime = _instant(alias="SystemModstamp")
    is_deleted: bool = Field(default=False, alias="IsDeleted")


class Mirrored(SQLModel):
    """What the mirror adds to each record: whose it is, and since when it can no longer be seen."""

    salesforce_object: ClassVar[str]

    org_id: str = Field(primary_key=True, max_length=18)
    first_seen_at: datetime = _instant()
    vanished_at: datetime | None = _instant(nullable=True)  # gone without a delete record: purged, or sharing lost


class RunFields(MirroredFields):
    """FlowOrchestrationInstance, the *run* (key prefix 0jE)."""

    salesforce_object: ClassVar[str] = "FlowOrchestrationInstance"

    name: str | None = Field(default=None, alias="Name")
    status: str = Field(alias="Status")
    current_stage: str | None = Field(default=None, alias="CurrentStage")
    interview_id: str | None = Field(default=None, alias="InterviewId")
    orchestration: str | None = Field(default=None, alias="OrchestrationDeveloperName")
    orchestration_label: str | None = Field(default=None, alias="OrchestrationLabel")
    flow_definition_version_name: str | None = Field(default=None, alias="FlowDefinitionVersionName")
    flow_type: str | None = Field(default=None, alias="FlowType")
    triggering_record: str | None = Field(default=None, alias="TriggeringRecord")
    triggering_record_type: str | None = Field(default=None, alias="TriggeringRecordType")
    is_debug_run: bool | None = Field(default=None, alias="IsDebugRun")


class Run(Mirrored, RunFields, table=True):
    """A mirrored run."""

    __tablename__ = "run"
    __table_args__ = (
        Index("ix_run_status", "org_id", "status", "system_modstamp"),
        Index("ix_run_record", "org_id", "triggering_record"),
        Index("ix_run_orchestration", "org_id", "orchestration", "status", "system_modstamp"),
    )


class StageFields(MirroredFields):
    """FlowOrchestrationStageInstance, the *stage* (key prefix 0jF)."""

    salesforce_object: ClassVar[str] = "FlowOrchestrationStageInstance"

    run_id: str = Field(alias="OrchestrationInstanceId")
    name: str | None = Field(default=None, alias="Name")
    label: str | None = Field(default=None, alias="Label")
    status: str = Field(alias="Status")
    position: int | None = Field(default=None, alias="Position")


class Stage(Mirrored, StageFields, table=True):
    """A mirrored stage."""

    __tablename__ = "stage"
    __table_args__ = (Index("ix_stage_run", "org_id", "run_id"),)


class StepFields(MirroredFields):
    """FlowOrchestrationStepInstance, the *step* (key prefix 0jL)."""

    salesforce_object: ClassVar[str] = "FlowOrchestrationStepInstance"

    run_id: str = Field(alias="OrchestrationInstanceId")
    stage_id: str | None = Field(default=None, alias="StageInstanceId")
    stage_name: str | None = Field(default=None, alias="OrchestrationStageName")
    name: str | None = Field(default=None, alias="Name")
    label: str | None = Field(default=None, alias="Label")
    status: str = Field(alias="Status")
    step_type: str | None = Field(default=None, alias="StepType")
    related_record: str | None = Field(default=None, alias="RelatedRecord")


class Step(Mirrored, StepFields, table=True):
    """A mirrored step."""

    __tablename__ = "step"
    __table_args__ = (Index("ix_step_run", "org_id", "run_id"),)


class WorkItemFields(MirroredFields):
    """FlowOrchestrationWorkItem, the *work item*. It has no run Id: join through its step."""

    salesforce_object: ClassVar[str] = "FlowOrchestrationWorkItem"

    step_id: str | None = Field(default=None, alias="StepInstanceId")
    name: str | None = Field(default=None, alias="Name")
    label: str | None = Field(default=None, alias="Label")
    status: str = Field(alias="Status")
    assignee_id: str | None = Field(default=None, alias="AssigneeId")
    screen_flow: str | None = Field(default=None, alias="ScreenFlow")
    related_record_id: str | None = Field(default=None, alias="RelatedRecordId")


class WorkItem(Mirrored, WorkItemFields, table=True):
    """A mirrored work item."""

    __tablename__ = "work_item"
    __table_args__ = (
        Index("ix_work_item_step", "org_id", "step_id"),
        Index("ix_work_item_status", "org_id", "status"),
    )


class LogFields(MirroredFields):
    """FlowOrchestrationLog, the *log entry* or milestone. It names stage and step by API name only, and carries no error text."""

    salesforce_object: ClassVar[str] = "FlowOrchestrationLog"

    run_id: str = Field(alias="OrchestrationInstanceId")
    kind: str = Field(alias="Kind")
    occurred_at: AwareDatetime | None = _instant(alias="Timestamp", nullable=True)
    orchestration: str | None = Field(default=None, alias="OrchestrationName")
    version: int | None = Field(default=None, alias="OrchestrationVersion")
    stage_name: str | None = Field(default=None, alias="StageName")
    step_name: str | None = Field(default=None, alias="StepName")
    actor: str | None = Field(default=None, alias="Actor")
    assignee: str | None = Field(default=None, alias="Assignee")
    assignee_type: str | None = Field(default=None, alias="AssigneeType")
    comments: str | None = Field(default=None, alias="Comments")
    context: str | None = Field(default=None, alias="Context")


class LogEntry(Mirrored, LogFields, table=True):
    """A mirrored log entry."""

    __tablename__ = "log_entry"
    __table_args__ = (Index("ix_log_entry_run", "org_id", "run_id"),)


MIRRORED: tuple[type[Run] | type[Stage] | type[Step] | type[WorkItem] | type[LogEntry], ...] = (
    Run,
    Stage,
    Step,
    WorkItem,
    LogEntry,
)
"""Parents before children."""


def field_class(table: type[Mirrored]) -> type[MirroredFields]:
    """The field class that a mirrored table was declared from: what Salesforce sends, without what the mirror adds."""
    return next(base for base in table.__bases__ if issubclass(base, MirroredFields))


# What we know beside the five objects. Evidence is fetched only for runs that need it and can be fetched again.


class Org(SQLModel, table=True):
    """One Salesforce organisation seen by this mirror."""

    __tablename__ = "org"

    org_id: str = Field(primary_key=True, max_length=18)
    name: str = Field(index=True)  # the name used with --org
    label: str | None = None  # Organization.Name
    instance_url: str
    is_sandbox: bool | None = None
    time_zone: str | None = None  # Organization.TimeZoneSidKey, an IANA name
    api_version: str | None = None
    username: str | None = None  # who we are signed in as
    clock_offset_seconds: float = 0.0  # org's clock minus ours, from the Date header of the newest reply
    api_used: int | None = None  # from Sforce-Limit-Info
    api_max: int | None = None
    last_success_at: datetime | None = _instant(nullable=True)  # org time of the newest complete pass
    last_attempt_at: datetime | None = _instant(nullable=True)
    last_outcome: str | None = None  # SyncOutcome
    last_problem: str | None = Field(default=None, sa_type=Text)  # why the data is incomplete, if it is


class SyncCursor(SQLModel, table=True):
    """How far one object of one org has been read.

    One *sweep* reads everything from `watermark` on, ordered by (SystemModstamp, Id). While it is unfinished,
    (`position_at`, `last_id`) is the last committed row that cannot have moved.
    """

    __tablename__ = "sync_cursor"

    org_id: str = Field(primary_key=True, max_length=18)
    object_name: str = Field(primary_key=True)
    watermark: datetime | None = _instant(nullable=True)  # inclusive lower bound of the sweep; None: from the beginning
    position_at: datetime | None = _instant(nullable=True)
    last_id: str | None = None
    loaded: bool = False  # one sweep from the beginning has finished
    since: datetime | None = _instant(nullable=True)  # the first load's own bound (--since)
    readable: bool = True  # this user may read the object
    replicateable: bool = True  # the org answers /updated and /deleted for this object
    missing_fields: list[str] = Field(default_factory=list, sa_type=JSON)
    described_at: datetime | None = _instant(nullable=True)
    deleted_until: datetime | None = _instant(nullable=True)  # up to when the org told what was deleted
    audited_until: datetime | None = _instant(nullable=True)  # up to when an audit compared what changed
    updated_at: datetime = _instant()


class SyncPass(SQLModel, table=True):
    """One pass as it went: the history behind data age and API spend."""

    __tablename__ = "sync_pass"

    id: int | None = Field(default=None, primary_key=True)
    org_id: str = Field(index=True, max_length=18)
    kind: str  # "sync", "reconcile" or, for its writes, "resume"
    started_at: datetime = _instant(index=True)
    finished_at: datetime | None = _instant(nullable=True)
    outcome: str
    api_calls: int = 0
    report: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)


class StatusChange(SQLModel, table=True):
    """A run's status as our polls saw it change: the bracket that proves when a failure happened if no log entry does."""

    __tablename__ = "status_change"
    __table_args__ = (Index("ix_status_change_run", "org_id", "run_id"),)

    id: int | None = Field(default=None, primary_key=True)
    org_id: str = Field(max_length=18)
    run_id: str = Field(max_length=18)
    old_status: str | None = None  # None: first seen
    new_status: str
    after: datetime | None = _instant(nullable=True)  # org time of the last poll that saw old_status
    seen_at: datetime = _instant()  # org time of the poll that saw new_status


class ChangedRun(SQLModel, table=True):
    """A run that changed, itself or in what it hangs on, and has not been judged since. Written with the change itself."""

    __tablename__ = "changed_run"

    org_id: str = Field(primary_key=True, max_length=18)
    run_id: str = Field(primary_key=True, max_length=18)
    evidence_due: bool = True  # what it hangs on has not been asked for since, should it have failed


class Quarantined(SQLModel, table=True):
    """A record that could not be mapped, kept as it came."""

    __tablename__ = "quarantined"

    org_id: str = Field(primary_key=True, max_length=18)
    object_name: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)
    problem: str = Field(sa_type=Text)
    raw: dict[str, Any] = Field(sa_type=JSON)
    seen_at: datetime = _instant()


class Interview(SQLModel, table=True):
    """The FlowInterview of a failed run: whether it still exists, and why it failed (FlowInterview.Error, API 62+)."""

    __tablename__ = "interview"

    org_id: str = Field(primary_key=True, max_length=18)
    id: str = Field(primary_key=True, max_length=18)
    present: bool
    status: str | None = None
    error: str | None = Field(default=None, sa_type=Text)
    current_element: str | None = None
    checked_at: datetime = _instant()


class Person(SQLModel, table=True):
    """An assignee: user, queue or group. `is_frozen` is None where UserLogin cannot be read (needs Manage Users)."""

    __tablename__ = "person"

    org_id: str = Field(primary_key=True, max_length=18)
    id: str = Field(primary_key=True, max_length=18)
    kind: str  # "User", "Queue" or "Group"
    name: str | None = None
    username: str | None = Field(default=None, index=True)
    is_active: bool | None = None
    is_frozen: bool | None = None
    changed_at: datetime | None = _instant(
        nullable=True
    )  # org time of the poll that first saw the present state differ
    checked_at: datetime = _instant()


class FlowVersion(SQLModel, table=True):
    """The active version of a called flow, one row per value seen; Salesforce keeps no activation time for ordinary flows."""

    __tablename__ = "flow_version"

    org_id: str = Field(primary_key=True, max_length=18)
    api_name: str = Field(primary_key=True)
    active_version_id: str = Field(primary_key=True)
    version_number: int | None = None
    last_modified_at: datetime | None = _instant(nullable=True)  # FlowDefinitionView.LastModifiedDate
    first_seen_at: datetime = _instant()
    is_current: bool = True


class ApprovalLink(SQLModel, table=True):
    """An ApprovalSubmission that points at a run; such runs can never be resumed.

    Source: Help, "Error Handling in Flow Approval Processes".
    """

    __tablename__ = "approval_link"

    org_id: str = Field(primary_key=True, max_length=18)
    run_id: str = Field(primary_key=True, max_length=18)
    submission_id: str = Field(max_length=18)
    status: str | None = None
    checked_at: datetime = _instant()


class CalledFlow(SQLModel, table=True):
    """Which flow a step of an orchestration version calls, from the version's metadata where we may read it."""

    __tablename__ = "called_flow"

    org_id: str = Field(primary_key=True, max_length=18)
    orchestration: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    stage_name: str = Field(primary_key=True)
    step_name: str = Field(primary_key=True)
    action_name: str
    action_type: str | None = None  # stepBackground, stepInteractive, stepMuleSoft
    checked_at: datetime = _instant()


class StepEvidence(SQLModel, table=True):
    """What only a failed run's steps are asked for: whether outputs are pending (InProgressStepOutputs, API 61+)."""

    __tablename__ = "step_evidence"

    org_id: str = Field(primary_key=True, max_length=18)
    step_id: str = Field(primary_key=True, max_length=18)
    has_pending_outputs: bool | None = None  # None: the field cannot be read
    checked_at: datetime = _instant()


class EvidenceCheck(SQLModel, table=True):
    """When something was last looked into, so that it is asked once and not at each poll."""

    __tablename__ = "evidence_check"

    org_id: str = Field(primary_key=True, max_length=18)
    subject: str = Field(primary_key=True)  # a run's Id, "orchestration:version", or "*" for the repeated look at all
    checked_at: datetime = _instant()
