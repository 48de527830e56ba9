"""One run in full: its tree of stages, steps and work items, its milestones, its verdict with evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, select

from connector.mirror import tables
from monitor.assess import judge_among, siblings_of
from monitor.assessment import Place
from monitor.blast import blast_radius
from monitor.lines import Moment, lines
from monitor.links import run_url
from monitor.reasons import explain
from monitor.rows import AttemptLine, Milestone, RunDetail, RunLine, StageLine, StepLine, WorkItemLine
from monitor.selection import ASSESSMENT
from monitor.sql import table_of
from monitor.stories import load, org_context, unfinished_on
from monitor.story import PersonFacts, StageFacts, StepFacts, Story, WorkItemFacts, age
from monitor.triage import at
from monitor.verdict import ReasonCode

LOG = table_of(tables.LogEntry)

_WAITS = explain(ReasonCode.ATTEMPT_OPEN).todo
"""What is said of an attempt of which nobody knows yet what became of it."""

_MILESTONES = {
    "StartInstance": "run started",
    "EndInstance": "run completed",
    "SuspendInstance": "run suspended",
    "CancelInstance": "run canceled",
    "ResumeInstance": "run resumed",
    "FailInstance": "run failed",
    "StartStage": "stage {stage} started",
    "EndStage": "stage {stage} ended",
    "SuspendStage": "stage {stage} suspended",
    "DiscontinueStage": "stage {stage} discontinued",
    "FailStage": "stage {stage} failed",
    "StartStep": "step {step} started",
    "EndStep": "step {step} ended",
    "DiscontinueStep": "step {step} discontinued",
    "FailStep": "step {step} failed",
    "StartWorkItem": "step {step} assigned to {assignee}",
    "EndWorkItem": "work item of step {step} completed",
    "ReassignWorkItem": "step {step} reassigned to {assignee}",
    "RunRecallPath": "approval recalled",
}
"""FlowOrchestrationLog.Kind (Object Reference v67) as sentences; other values are shown as they are."""


def detail(connection: Connection, moment: Moment, org_id: str, run_id: str, number: int) -> RunDetail:
    """The detail of a run that exists; `number` is its row number."""
    context = org_context(connection, org_id)
    story = load(connection, context, [run_id])[0]
    line = lines(connection, moment, [number])[number]
    judged = judge_among(story, siblings_of(connection, org_id))
    open_since = min((attempt.at for attempt in story.attempts if attempt.is_open), default=None)
    verdict = at(judged, moment.now, context.as_of, moment.settings, open_since)
    record = story.run.triggering_record
    on_record = unfinished_on(connection, org_id, {record} - {None})[record]
    org, log = moment.orgs[org_id], _log(connection, org_id, run_id)
    return RunDetail(
        line=line,
        readiness_note=verdict.readiness_note,
        evidence=verdict.evidence,
        stages=_stages(story, log),
        milestones=tuple(_milestone(entry) for entry in log),
        blast_radius=blast_radius(story, on_record - {run_id}),
        same_cause=_same_cause(connection, org_id, line),
        time_zone=org.time_zone,
        url=run_url(org.instance_url, run_id),
        resumes=tuple(
            AttemptLine(attempt.at, attempt.outcome, attempt.detail or _WAITS, attempt.reason)
            for attempt in sorted(story.attempts, key=lambda each: each.at)
        ),
    )


def _log(connection: Connection, org_id: str, run_id: str) -> Sequence[Any]:
    at_ = func.coalesce(LOG.c.occurred_at, LOG.c.created_at, type_=tables.Instant()).label("at")
    named = (LOG.c.kind, LOG.c.stage_name, LOG.c.step_name, LOG.c.actor, LOG.c.assignee)
    query = select(at_, *named).where(LOG.c.org_id == org_id, LOG.c.run_id == run_id)
    return connection.execute(query.order_by(at_, LOG.c.id)).all()


def _milestone(entry: Any) -> Milestone:
    words = {"stage": entry.stage_name, "step": entry.step_name, "assignee": entry.assignee}
    text = _MILESTONES.get(entry.kind, entry.kind).format(**{key: word or "?" for key, word in words.items()})
    return Milestone(entry.at, entry.kind, text, entry.stage_name, entry.step_name, entry.actor)


def _stages(story: Story, log: Sequence[Any]) -> tuple[StageLine, ...]:
    found = []
    for stage in sorted(story.stages, key=age):
        mine = [entry for entry in log if entry.stage_name == stage.name and entry.step_name is None]
        started, ended = _span(stage, mine)
        steps = [step for step in sorted(story.steps, key=age) if step.stage_id == stage.id]
        lines_ = tuple(_step(story, step, log) for step in steps)
        found.append(StageLine(stage.id, stage.name, stage.label, stage.status, started, ended, lines_))
    return tuple(found)


def _step(story: Story, step: StepFacts, log: Sequence[Any]) -> StepLine:
    mine = [entry for entry in log if (entry.stage_name, entry.step_name) == (step.stage_name, step.name)]
    started, ended = _span(step, [entry for entry in mine if not entry.kind.endswith("WorkItem")])
    items = sorted((item for item in story.work_items if item.step_id == step.id), key=lambda item: item.id)
    people = {person.id: person for person in story.people}
    return StepLine(
        step.id,
        step.name,
        step.label,
        step.status,
        step.step_type,
        story.flow_name(step),
        started,
        ended,
        tuple(_work_item(item, people.get(item.assignee_id or "")) for item in items),
    )


def _span(row: StageFacts | StepFacts, log: Sequence[Any]) -> tuple[datetime | None, datetime | None]:
    """From when to when a stage or step ran last, by its milestones; its creation where there is no milestone."""
    if row.status == "NotStarted":
        return None, None
    since = [entry for entry in log if row.created_at is None or entry.at >= row.created_at]
    started = max((entry.at for entry in since if entry.kind.startswith("Start")), default=row.created_at)
    ends = [entry.at for entry in since if entry.kind.startswith(("End", "Fail", "Discontinue"))]
    return started, max(ends, default=None) if row.status not in {"InProgress", "Suspended"} else None


def _work_item(item: WorkItemFacts, assignee: PersonFacts | None) -> WorkItemLine:
    name = (assignee.name or assignee.username) if assignee else None
    return WorkItemLine(
        item.id, item.status, name or item.assignee_id, assignee.state if assignee else None, item.created_at
    )


def _same_cause(connection: Connection, org_id: str, line: RunLine) -> int:
    """How many other runs in Error belong to the line's cause group."""
    same = and_(ASSESSMENT.c.org_id == org_id, ASSESSMENT.c.cause_group == line.group)
    failing = and_(ASSESSMENT.c.place <= Place.HOPELESS, ASSESSMENT.c.run_id != line.id)
    return connection.scalar(select(func.count()).where(same, failing)) or 0 if line.group else 0
