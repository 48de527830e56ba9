"""A run's story: everything the mirror knows about one run at one moment, as frozen values without SQL.

The rows are named tuples whose fields are the columns of the mirror's tables, so that thousands of stories load cheaply.
Instants are aware UTC. The order of rows means nothing: every reader sorts by what it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

ERROR = "Error"
KNOWN_STATUSES = frozenset({"Canceled", "Completed", ERROR, "InProgress", "Suspended"})
"""FlowOrchestrationInstance.Status. Source: Object Reference v67."""

FINISHED = frozenset({"Canceled", "Completed"})
"""The statuses that a run never leaves again."""

UNDATED = datetime.min.replace(tzinfo=UTC)

INTERACTIVE = "InteractiveStep"
BACKGROUND_TYPES = frozenset({"BackgroundStep", "AynchronousBackgroundStep", "AsynchronousBackgroundStep"})
"""Object Reference v67 prints the asynchronous value without its first s; both spellings are taken."""


class RunFacts(NamedTuple):
    """The run's own row."""

    org_id: str
    id: str
    status: str
    name: str | None = None
    current_stage: str | None = None
    interview_id: str | None = None
    orchestration: str | None = None
    orchestration_label: str | None = None
    flow_type: str | None = None
    triggering_record: str | None = None
    created_at: datetime | None = None
    system_modstamp: datetime | None = None
    first_seen_at: datetime | None = None
    is_deleted: bool = False
    vanished_at: datetime | None = None


class StageFacts(NamedTuple):
    """A stage row of the run."""

    run_id: str
    id: str
    status: str
    name: str | None = None
    label: str | None = None
    created_at: datetime | None = None
    vanished_at: datetime | None = None


class StepFacts(NamedTuple):
    """A step row of the run; `pending_outputs` is None where InProgressStepOutputs was not read."""

    run_id: str
    id: str
    status: str
    stage_id: str | None = None
    stage_name: str | None = None
    name: str | None = None
    label: str | None = None
    step_type: str | None = None
    created_at: datetime | None = None
    vanished_at: datetime | None = None
    pending_outputs: bool | None = None


class WorkItemFacts(NamedTuple):
    """A work item of one of the run's steps."""

    run_id: str
    id: str
    step_id: str
    status: str
    assignee_id: str | None = None
    screen_flow: str | None = None
    created_at: datetime | None = None


class LogFacts(NamedTuple):
    """A log entry that bears on a verdict; `at` is its Timestamp, or CreatedDate where that is missing."""

    run_id: str
    id: str
    kind: str
    at: datetime
    version: int | None = None
    stage_name: str | None = None
    step_name: str | None = None
    assignee: str | None = None
    assignee_type: str | None = None
    vanished_at: datetime | None = None


class StatusFacts(NamedTuple):
    """A change of the run's status as polls saw it: `after` is the last poll that saw the old status."""

    run_id: str
    old_status: str | None
    new_status: str
    after: datetime | None
    seen_at: datetime


class InterviewFacts(NamedTuple):
    """The run's FlowInterview, when somebody looked. `status` is the one last seen, None if it never was."""

    id: str
    present: bool
    error: str | None = None
    checked_at: datetime | None = None
    status: str | None = None


class PersonFacts(NamedTuple):
    """An assignee. `is_frozen` is None where UserLogin cannot be read."""

    id: str
    kind: str
    name: str | None = None
    username: str | None = None
    is_active: bool | None = None
    is_frozen: bool | None = None
    changed_at: datetime | None = None

    @property
    def state(self) -> str | None:
        """`active`, `inactive`, `frozen`, or None when it is not known."""
        if self.is_active is False:
            return "inactive"
        if self.is_frozen:
            return "frozen"
        return "active" if self.is_active else None


class CalledFlowFacts(NamedTuple):
    """Which flow or action a step of the orchestration calls, from the version's metadata."""

    orchestration: str
    version: int
    stage_name: str
    step_name: str
    action_name: str
    action_type: str | None = None


class FlowVersionFacts(NamedTuple):
    """The active version of a called flow since `first_seen_at`."""

    api_name: str
    active_version_id: str
    version_number: int | None
    last_modified_at: datetime | None
    first_seen_at: datetime
    is_current: bool


class AttemptFacts(NamedTuple):
    """One of our own resume attempts on the run.

    `detail` has the org's words. `mismatch` tells that the org refused the run itself, and not us or the moment.
    """

    run_id: str
    at: datetime
    is_open: bool
    episode: int = 0
    outcome: str | None = None
    detail: str = ""
    mismatch: bool = False
    reason: str = ""


class Sibling(NamedTuple):
    """Another run that failed with the same cause and was resumed; `lived` is None while nobody can tell."""

    run_id: str
    resumed_at: datetime
    lived: bool | None


@dataclass(frozen=True)
class Story:
    """One run with all its evidence. `as_of` is the org's time of the newest complete sync, None before the first."""

    run: RunFacts
    stages: tuple[StageFacts, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    work_items: tuple[WorkItemFacts, ...] = ()
    log: tuple[LogFacts, ...] = ()
    status_changes: tuple[StatusFacts, ...] = ()
    interview: InterviewFacts | None = None
    people: tuple[PersonFacts, ...] = ()
    called_flows: tuple[CalledFlowFacts, ...] = ()
    flow_versions: tuple[FlowVersionFacts, ...] = ()
    approval_submission: str | None = None
    attempts: tuple[AttemptFacts, ...] = ()
    siblings: tuple[Sibling, ...] = ()
    as_of: datetime | None = None

    @property
    def has_log(self) -> bool:
        """Whether the run's log can be read: every run has at least its Start Run milestone."""
        return bool(self.log)

    @property
    def rows_unseen_since(self) -> datetime | None:
        """When the first of the run's stages, steps and log entries vanished; None while all are visible."""
        rows: tuple[StageFacts | StepFacts | LogFacts, ...] = (*self.stages, *self.steps, *self.log)
        return min((row.vanished_at for row in rows if row.vanished_at), default=None)

    @property
    def version(self) -> int | None:
        """The orchestration's version number, which only the log tells (FlowOrchestrationLog.OrchestrationVersion)."""
        return max((entry.version for entry in self.log if entry.version is not None), default=None)

    @cached_property
    def current_stage(self) -> StageFacts | None:
        """The stage the run stands in: the newest row of that name, or the newest of all when the run names none.

        A resume may reuse rows or add new ones (no document says), so rows of one name are told apart by age.
        """
        named = [stage for stage in self.stages if stage.name == self.run.current_stage]
        return max(named or self.stages, key=age, default=None)

    @cached_property
    def current_steps(self) -> tuple[StepFacts, ...]:
        """The newest row of each step of the current stage, oldest first."""
        stage = self.current_stage
        if stage is None:
            return ()
        mine = [step for step in self.steps if step.stage_id == stage.id]
        newest = {step.name or step.id: step for step in sorted(mine, key=age)}
        return tuple(sorted(newest.values(), key=age))

    @cached_property
    def errored_steps(self) -> tuple[StepFacts, ...]:
        """The steps in Error of the stage the run stands in."""
        return tuple(step for step in self.current_steps if step.status == ERROR)

    @cached_property
    def unmoved_steps(self) -> tuple[StepFacts, ...]:
        """The steps still in Error of a failed run whose status says InProgress although nothing tells of a resume.

        Whoever writes Status may change the label alone: that the write resumes a run is documented nowhere. A failure
        newer than the run's row is none of these: that row was read just before it.
        """
        changed = self.run.system_modstamp
        failed = self.milestones("FailInstance", since=self.resumed_at)
        relabelled = changed is not None and failed[-1].at < changed if failed else self._left_error_unlogged()
        return self.errored_steps if self.run.status == "InProgress" and relabelled else ()

    def _left_error_unlogged(self) -> bool:
        """Whether polls saw the run leave Error, of a run whose log cannot be read."""
        newest = max(self.status_changes, key=lambda change: change.seen_at, default=None)
        return not self.has_log and newest is not None and newest.old_status == ERROR

    @cached_property
    def restarted_steps(self) -> tuple[StepFacts, ...]:
        """The steps that a resume starts again: those in Error, and discontinued ones unless their outputs are pending.

        Source: Help, "Orchestration Run".
        """
        return tuple(
            step
            for step in self.current_steps
            if step.status == ERROR or (step.status == "Discontinued" and not step.pending_outputs)
        )

    def called_flow(self, step: StepFacts) -> CalledFlowFacts | None:
        """What a step calls."""
        return self.call_of(step.stage_name, step.name)

    def call_of(self, stage_name: str | None, step_name: str | None) -> CalledFlowFacts | None:
        """What the step of that name calls, in the run's own orchestration version where that is known."""
        known = [flow for flow in self.called_flows if (flow.stage_name, flow.step_name) == (stage_name, step_name)]
        mine = [flow for flow in known if flow.version == self.version]
        return max(mine or known, key=lambda flow: flow.version, default=None)

    def flow_name(self, step: StepFacts) -> str | None:
        """The API name of the flow a step calls: from metadata, or from its work items, which name their screen flow."""
        called = self.called_flow(step)
        named = (item.screen_flow for item in self.work_items if item.step_id == step.id and item.screen_flow)
        return called.action_name if called else max(named, default=None)

    @cached_property
    def history(self) -> tuple[LogFacts, ...]:
        """The log, oldest entry first."""
        return tuple(sorted(self.log, key=lambda entry: (entry.at, entry.id)))

    def milestones(self, *kinds: str, since: datetime | None = None) -> list[LogFacts]:
        """Log entries of these kinds not older than `since`, oldest first."""
        return [entry for entry in self.history if entry.kind in kinds and (since is None or entry.at >= since)]

    @cached_property
    def resumes(self) -> list[LogFacts]:
        """The milestones that say the run was resumed, oldest first.

        "Start Run" is logged when a run "started or was manually resumed" (Help: Debug an Orchestration), so every
        one but the first is a resume.
        """
        started = [entry for entry in self.history if entry.kind in {"StartInstance", "ResumeInstance"}]
        first = next((entry for entry in started if entry.kind == "StartInstance"), None)
        return [entry for entry in started if entry is not first]

    @property
    def resumed_at(self) -> datetime | None:
        """When the run was last resumed; its present failure is not older. None: never."""
        return self.resumes[-1].at if self.resumes else None

    @cached_property
    def episode(self) -> int:
        """The number of the run's newest failure, 1 for the first; 0 when it never failed.

        Failures without a resume between them are one: a handled error may be logged as Fail Run too.
        """
        count = max(self._failures_logged(), sum(change.new_status == ERROR for change in self.status_changes))
        return max(count, 1) if self.run.status == ERROR else count

    def _failures_logged(self) -> int:
        moments = [(entry.at, False) for entry in self.resumes]
        moments += [(entry.at, True) for entry in self.milestones("FailInstance")]
        failing, count = False, 0
        for _, fails in sorted(moments):  # in one second a resume comes before the failure that followed it
            count += fails and not failing
            failing = fails
        return count + (self.run.status == ERROR and count > 0 and not failing)

    def assignees(self, step: StepFacts, since: datetime | None = None) -> tuple[PersonFacts, ...]:
        """Who a step is assigned to: by its work items, and by its milestones, which name people only by name."""
        ids = {item.assignee_id for item in self.work_items if item.step_id == step.id}
        names = {
            entry.assignee
            for entry in self.milestones("StartWorkItem", "FailStep", since=since)
            if (entry.stage_name, entry.step_name) == (step.stage_name, step.name) and entry.assignee
        }
        mine = (p for p in self.people if p.id in ids or p.username in names or p.name in names)
        return tuple(sorted(mine, key=lambda person: person.id))


def age(row: StageFacts | StepFacts) -> tuple[datetime, str]:
    """Sorts rows by creation, equal seconds by Id, which Salesforce hands out in rising order."""
    return row.created_at or UNDATED, row.id
