"""The rules of triage: what a run's story shows about its error. Pure; the first rule that answers decides.

Salesforce says in prose which errors can be resumed (Help, "Orchestration Run") and marks it in no field. The rules read
it off the rows and milestones; where the documents disagree, contradicting facts are listed and lower the confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from monitor import readiness
from monitor.ledger import AttemptOutcome
from monitor.reasons import explain
from monitor.story import (
    BACKGROUND_TYPES,
    ERROR,
    FINISHED,
    INTERACTIVE,
    KNOWN_STATUSES,
    AttemptFacts,
    LogFacts,
    StepFacts,
    Story,
)
from monitor.verdict import Confidence, Eligibility, Evidence, ReasonCode

RUN, STAGE, STEP = "FlowOrchestrationInstance", "FlowOrchestrationStageInstance", "FlowOrchestrationStepInstance"
LOG, INTERVIEW = "FlowOrchestrationLog", "FlowInterview"
_RUN_PAGE = 'Salesforce Help, "Orchestration Run"'
_CLOCK_SLACK = timedelta(seconds=5)
"""Milestones have whole seconds, and our idea of the org's time is up to two seconds off."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule concludes: the reason, how surely, and from what."""

    reason: ReasonCode
    confidence: Confidence
    evidence: tuple[Evidence, ...]


def find(story: Story) -> Finding:
    """The conclusion of the first rule that answers, with what contradicts it."""
    finding = next(found for rule in _RULES if (found := rule(story)) is not None)
    tried = _tried_in_vain(story) if finding.reason in readiness.RECOVERABLE else ()
    evidence = (*finding.evidence, *_contradictions(story, finding.reason), *_unseen_rows(story), *map(_trial, tried))
    if any(attempt.mismatch for attempt in tried):
        return Finding(finding.reason, Confidence.ASSUMED, evidence)
    lowered = finding.confidence is Confidence.PROVEN and any(fact.contradicts for fact in evidence)
    return Finding(finding.reason, Confidence.INFERRED if lowered else finding.confidence, evidence)


def instant(moment: datetime) -> str:
    """A moment as evidence names it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def as_seen(story: Story, finding: Finding) -> Finding:
    """What is left of a finding when the run itself cannot be seen any more: it was purged, or is no longer shared with us.

    What was over or hopeless stays so, less surely. Whether anything else still holds nobody can tell.
    """
    since = story.run.vanished_at
    if since is None or finding.reason is ReasonCode.RUN_DELETED:
        return finding
    unseen = Evidence(f"the run cannot be seen since {instant(since)}; this is what was last seen", f"{RUN}, Id audit")
    if _stays_so(story, finding):
        confidence = Confidence.INFERRED if finding.confidence is Confidence.PROVEN else finding.confidence
        return Finding(finding.reason, confidence, (replace(unseen, contradicts=True), *finding.evidence))
    return Finding(ReasonCode.RUN_NOT_VISIBLE, Confidence.ASSUMED, (unseen, *finding.evidence))


def _stays_so(story: Story, finding: Finding) -> bool:
    """Whether a finding outlives our sight of the run. One that left Error by its label alone goes on being counted down."""
    if story.run.status == ERROR:
        return explain(finding.reason).eligibility is Eligibility.NOT_RESUMABLE
    return story.run.status in FINISHED or bool(story.unmoved_steps)


def _deleted(story: Story) -> Finding | None:
    if story.run.is_deleted:
        return Finding(ReasonCode.RUN_DELETED, Confidence.PROVEN, (Evidence("the run is deleted", f"{RUN}.IsDeleted"),))
    return None


def _status(story: Story) -> Finding | None:
    status = story.run.status
    said = Evidence(f"the run's status is {status}", f"{RUN}.Status")
    if status not in KNOWN_STATUSES:
        return Finding(ReasonCode.UNRECOGNISED_STATUS, Confidence.ASSUMED, (said,))
    if status == ERROR:
        return None
    resumed = _resumed_without_us(story)
    if resumed is not None and status == "InProgress":
        return Finding(ReasonCode.RESUMED_ELSEWHERE, Confidence.PROVEN, (said, resumed))
    return Finding(ReasonCode.NOT_IN_ERROR, Confidence.PROVEN, (said, *map(_unmoved, story.unmoved_steps)))


def _unmoved(step: StepFacts) -> Evidence:
    fact = f"step {step.name} is still in Error, and no milestone tells of a resume"
    return Evidence(fact, f"{STEP}.Status, {LOG}", contradicts=True)


def _run_row_is_behind(story: Story) -> Finding | None:
    """A resume newer than the run's own row: the row was read just before, and its Error is over."""
    since, changed = story.resumed_at, story.run.system_modstamp
    if since is None or changed is None or changed >= since or story.milestones("FailInstance", since=since):
        return None
    row = Evidence(f"the run's row of {instant(changed)} still says Error", f"{RUN}.Status", contradicts=True)
    elsewhere = _resumed_without_us(story)
    if elsewhere is not None:
        return Finding(ReasonCode.RESUMED_ELSEWHERE, Confidence.INFERRED, (elsewhere, row))
    ours = Evidence(f"our resume took effect at {instant(since)}", f"{LOG}: Resume Run")
    return Finding(ReasonCode.NOT_IN_ERROR, Confidence.INFERRED, (ours, row))


def _approval(story: Story) -> Finding | None:
    if story.approval_submission is not None:
        link = Evidence(
            f"approval submission {story.approval_submission} points at the run",
            "ApprovalSubmission.FlowOrchestrationInstanceId",
        )
        return Finding(ReasonCode.APPROVAL_RUN, Confidence.PROVEN, (link,))
    if (story.run.flow_type or "").startswith("Approval"):
        kind = Evidence(f"the run's flow type is {story.run.flow_type}", f"{RUN}.FlowType")
        return Finding(ReasonCode.APPROVAL_RUN, Confidence.PROVEN, (kind,))
    return None


def _interview_gone(story: Story) -> Finding | None:
    interview = story.interview
    if interview is not None and not interview.present:
        was_seen = interview.status is not None
        fact = "no longer exists" if was_seen else "cannot be found, unlike those of other runs"
        confidence = Confidence.PROVEN if was_seen else Confidence.INFERRED
        return Finding(
            ReasonCode.INTERVIEW_GONE, confidence, (Evidence(f"interview {interview.id} {fact}", INTERVIEW),)
        )
    if story.run.interview_id is None:
        return Finding(
            ReasonCode.INTERVIEW_GONE,
            Confidence.INFERRED,
            (Evidence("the run names no interview", f"{RUN}.InterviewId"),),
        )
    return None


def _mulesoft(story: Story) -> Finding | None:
    for step in story.errored_steps:
        called = story.called_flow(step)
        if called is not None and called.action_type == "stepMuleSoft":
            fact = Evidence(f"step {step.name} calls the MuleSoft action {called.action_name}", "Flow metadata")
            return Finding(ReasonCode.MULESOFT_ACTION, Confidence.PROVEN, (fact,))
        if step.step_type is not None and not _is_documented_type(step) and called is None:
            fact = Evidence(f"step {step.name} is of the undocumented type {step.step_type}", f"{STEP}.StepType")
            return Finding(ReasonCode.MULESOFT_ACTION, Confidence.INFERRED, (fact,))
    return None


def _assignee_unresolved(story: Story) -> Finding | None:
    since = story.resumed_at
    for entry in story.milestones("FailStep", "StartWorkItem", since=since):
        if entry.assignee_type == "Invalid" and any(_is_at(step, entry) for step in story.errored_steps):
            fact = Evidence(f"the assignee of step {entry.step_name} is of type Invalid", f"{LOG}.AssigneeType")
            return Finding(ReasonCode.ASSIGNEE_UNRESOLVED, Confidence.PROVEN, (fact,))
    return None


def _step_without_kind(story: Story) -> Finding | None:
    """A step whose kind cannot be read may be a MuleSoft step, and one without log may have no valid assignee."""
    for step in story.errored_steps:
        if step.step_type is None and story.called_flow(step) is None:
            fact = Evidence(f"the type of step {step.name} cannot be read", f"{STEP}.StepType")
            return Finding(ReasonCode.NO_STEP_ROWS, Confidence.ASSUMED, (fact,))
        if _is_interactive(step) and not story.has_log and not _has_work_item(story, step):
            fact = Evidence(f"nothing shows whether the assignee of step {step.name} is valid", f"{LOG}.AssigneeType")
            return Finding(ReasonCode.NO_LOG_ACCESS, Confidence.ASSUMED, (fact,))
    return None


def _assignee_inactive(story: Story) -> Finding | None:
    for step in filter(_is_interactive, story.errored_steps):
        for person in story.assignees(step, story.resumed_at):
            if person.state in {"inactive", "frozen"}:
                fact = Evidence(f"{person.name or person.id}, assignee of step {step.name}, is {person.state}", "User")
                return _resumable(story, ReasonCode.ASSIGNEE_INACTIVE, step, fact)
            if readiness.came_back(story, person):
                fact = Evidence(f"{person.name or person.id}, assignee of step {step.name}, is active again", "User")
                return _resumable(story, ReasonCode.ASSIGNEE_INACTIVE, step, fact)
    return None


def _step_flow(story: Story) -> Finding | None:
    for step in story.errored_steps:
        reason = ReasonCode.SCREEN_FLOW_ERROR if _is_interactive(step) else ReasonCode.STEP_FLOW_ERROR
        fact = Evidence(f"step {step.name} ({step.step_type}) is in Error", f"{STEP}.Status")
        return _resumable(story, reason, step, fact)
    return None


def _screen_flow_in_progress(story: Story) -> Finding | None:
    stage = story.current_stage
    if stage is None or stage.status != ERROR:
        return None
    for step in story.current_steps:
        if step.status == "InProgress" and _is_interactive(step):
            fact = Evidence(f"interactive step {step.name} is InProgress in a stage in Error", f"{STEP}.Status")
            return Finding(ReasonCode.SCREEN_FLOW_ERROR, Confidence.INFERRED, (fact,))
    return None


def _rows_missing(story: Story) -> Finding | None:
    """The run got as far as a stage or step of which no row can be seen."""
    since = story.resumed_at
    named = [entry for entry in story.milestones("FailStep", since=since) if entry.step_name is not None]
    if named and not story.steps:
        fact = Evidence(f"step {named[-1].step_name} failed and the run has no step rows", LOG)
        return Finding(ReasonCode.NO_STEP_ROWS, Confidence.ASSUMED, (fact,))
    if not story.stages and not story.has_log:
        fact = Evidence("the run has neither stages nor log entries that we may read", f"{STAGE}, {LOG}")
        return Finding(ReasonCode.NO_STEP_ROWS, Confidence.ASSUMED, (fact,))
    stage = story.current_stage
    if stage is not None and stage.status == ERROR and not story.steps:
        fact = Evidence(f"stage {stage.name} is in Error and the run has no step rows", f"{STAGE}.Status")
        return Finding(ReasonCode.NO_STEP_ROWS, Confidence.ASSUMED, (fact,))
    return None


def _outside_step(story: Story) -> Finding:
    if not story.has_log:
        fact = Evidence("no step is in Error, which alone proves nothing, and the log cannot be read", f"{STEP}, {LOG}")
        return Finding(ReasonCode.NO_LOG_ACCESS, Confidence.ASSUMED, (fact,))
    fact = Evidence("no step of the current stage is in Error", f"{STEP}.Status")
    return Finding(ReasonCode.OUTSIDE_STEP, Confidence.INFERRED, (fact,))


_RULES: tuple[Callable[[Story], Finding | None], ...] = (
    _deleted,
    _status,
    _run_row_is_behind,
    _approval,
    _interview_gone,
    _mulesoft,
    _assignee_unresolved,
    _step_without_kind,
    _assignee_inactive,
    _step_flow,
    _screen_flow_in_progress,
    _rows_missing,
    _outside_step,
)


def _resumable(story: Story, reason: ReasonCode, step: StepFacts, fact: Evidence) -> Finding:
    """A recoverable error; as sure as the interview, the log, what the step calls and the way of counting are known."""
    evidence = [fact]
    if not story.has_log:
        evidence.append(Evidence("the run's log cannot be read", LOG))
    if story.called_flow(step) is None:
        evidence.append(
            Evidence(f"what step {step.name} calls is not known; it may be a MuleSoft action", "Flow metadata")
        )
    if story.episode > 1:
        evidence.append(Evidence("whether a second failure has 14 days of its own is not documented", _RUN_PAGE))
    confidence = Confidence.INFERRED if len(evidence) > 1 else Confidence.PROVEN
    if story.interview is None:
        unseen = "whether the interview still exists is not known: nobody looked, or we are shown none of this org"
        evidence.append(Evidence(unseen, INTERVIEW))
        return Finding(reason, Confidence.ASSUMED, tuple(evidence))
    return Finding(reason, confidence, (*evidence, Evidence(f"interview {story.interview.id} exists", INTERVIEW)))


def _contradictions(story: Story, reason: ReasonCode) -> tuple[Evidence, ...]:
    """Facts that speak against a reason. The documents disagree in places: they are listed, never averaged."""
    if story.run.status != ERROR or not story.has_log:
        return ()
    facts = []
    failed_steps = story.milestones("FailStep", since=story.resumed_at)
    logged = [entry for entry in failed_steps if any(_is_at(step, entry) for step in story.errored_steps)]
    if story.errored_steps and not logged:
        facts.append("no Fail Step milestone names the step in Error")
    if reason is ReasonCode.OUTSIDE_STEP and any(e.stage_name == story.run.current_stage for e in failed_steps):
        facts.append("the log has a Fail Step in the current stage")
    stage = story.current_stage
    if story.errored_steps and stage is not None and stage.status != ERROR:
        facts.append(f"stage {stage.name} is {stage.status} although its step is in Error")
    if story.errored_steps and story.run.current_stage is None:
        facts.append("the run names no current stage, as after errors that cannot be resumed")
    types = [step for step in story.errored_steps if not _is_documented_type(step)]
    if types and reason is not ReasonCode.MULESOFT_ACTION:
        facts.append("the failed step's type is not a documented one")
    return tuple(Evidence(fact, f"{LOG}, {RUN}, {STAGE}", contradicts=True) for fact in facts)


def _unseen_rows(story: Story) -> tuple[Evidence, ...]:
    """Rows of a failed run that we can still see have vanished: what they showed happened, but newer ones may be unseen."""
    since = story.rows_unseen_since
    if since is None or story.run.status != ERROR or story.run.vanished_at is not None:
        return ()
    fact = f"some stages, steps or log entries of the run cannot be seen since {instant(since)}"
    return (Evidence(fact, f"{STAGE}, {STEP}, {LOG}, Id audit", contradicts=True),)


def _tried_in_vain(story: Story) -> tuple[AttemptFacts, ...]:
    """Our attempts on the present failure that the org refused because of the run, or that had no effect, oldest first."""
    return tuple(
        attempt
        for attempt in sorted(story.attempts, key=lambda each: each.at)
        if attempt.episode == story.episode and (attempt.mismatch or attempt.outcome == AttemptOutcome.STALLED)
    )


def _trial(attempt: AttemptFacts) -> Evidence:
    what = "was refused by the org" if attempt.mismatch else "had no effect"
    return Evidence(f"our resume of {instant(attempt.at)} {what}: {attempt.detail}", "our ledger", contradicts=True)


def _resumed_without_us(story: Story) -> Evidence | None:
    """The resume that ended the newest failure, unless it was ours."""
    resumed = story.resumes
    if not resumed:
        return None
    newest = resumed[-1]
    failed = [entry for entry in story.milestones("FailInstance") if entry.at <= newest.at]
    if not failed or any(
        failed[-1].at - _CLOCK_SLACK <= attempt.at <= newest.at + _CLOCK_SLACK for attempt in story.attempts
    ):
        return None
    return Evidence(f"the run was resumed at {instant(newest.at)}", f"{LOG}: Resume Run")


def _is_at(step: StepFacts, entry: LogFacts) -> bool:
    return (step.stage_name, step.name) == (entry.stage_name, entry.step_name)


def _is_interactive(step: StepFacts) -> bool:
    return step.step_type == INTERACTIVE


def _is_documented_type(step: StepFacts) -> bool:
    return step.step_type == INTERACTIVE or step.step_type in BACKGROUND_TYPES


def _has_work_item(story: Story, step: StepFacts) -> bool:
    return any(item.step_id == step.id for item in story.work_items)
