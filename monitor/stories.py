"""Reads run stories from the mirror: many runs in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, FromClause, Select, and_, func, select
from sqlmodel import SQLModel

from connector.mirror import tables
from connector.mirror.evidence import sees_interviews
from monitor.ledger import WAS_SENT, ResumeAttempt, ResumeBatch
from monitor.sql import table_of
from monitor.story import (
    FINISHED,
    AttemptFacts,
    CalledFlowFacts,
    FlowVersionFacts,
    InterviewFacts,
    LogFacts,
    PersonFacts,
    RunFacts,
    Sibling,
    StageFacts,
    StatusFacts,
    StepFacts,
    Story,
    WorkItemFacts,
)

VERDICT_KINDS = (
    "StartInstance",
    "ResumeInstance",
    "FailInstance",
    "FailStage",
    "FailStep",
    "StartWorkItem",
)
"""The milestones that bear on a verdict; the others are only shown."""

Facts = TypeVar("Facts", bound=NamedTuple)
Siblings = Mapping[str, tuple[Sibling, ...]]


@dataclass(frozen=True)
class OrgContext:
    """What the stories of one org share."""

    org_id: str
    as_of: datetime | None
    people_by_id: Mapping[str, PersonFacts] = field(default_factory=dict)
    people_by_name: Mapping[str, tuple[PersonFacts, ...]] = field(default_factory=dict)
    calls: Mapping[str, tuple[CalledFlowFacts, ...]] = field(default_factory=dict)
    versions: Mapping[str, tuple[FlowVersionFacts, ...]] = field(default_factory=dict)
    sees_interviews: bool = True


def org_context(connection: Connection, org_id: str) -> OrgContext:
    """The evidence of an org that is not about single runs."""
    org = table_of(tables.Org)
    people = _read(connection, PersonFacts, _of_org(tables.Person, PersonFacts, org_id))
    calls = _read(connection, CalledFlowFacts, _of_org(tables.CalledFlow, CalledFlowFacts, org_id))
    versions = _read(connection, FlowVersionFacts, _of_org(tables.FlowVersion, FlowVersionFacts, org_id))
    names = [(name, person) for person in people for name in {person.name, person.username} if name]
    return OrgContext(
        org_id,
        connection.scalar(select(org.c.last_success_at).where(org.c.org_id == org_id)),
        {person.id: person for person in people},
        _grouped(names),
        _grouped((call.orchestration, call) for call in calls),
        _grouped((version.api_name, version) for version in versions),
        sees_interviews(connection, org_id),
    )


def load(connection: Connection, context: OrgContext, run_ids: Collection[str]) -> list[Story]:
    """The stories of these runs of one org, in no particular order; unknown ids are left out. At most one chunk of ids."""
    ids = list(run_ids)
    runs = _read(connection, RunFacts, _of_runs(tables.Run, RunFacts, context, ids, key="id"))
    stages = _by_run(connection, StageFacts, _of_runs(tables.Stage, StageFacts, context, ids))
    steps = _by_run(connection, StepFacts, _steps(context, ids))
    items = _by_run(connection, WorkItemFacts, _work_items(context, ids))
    log = _by_run(connection, LogFacts, _log(context, ids))
    changes = _by_run(connection, StatusFacts, _of_runs(tables.StatusChange, StatusFacts, context, ids))
    attempts = _by_run(connection, AttemptFacts, _attempts(context, ids))
    approvals = {row.run_id: row.submission_id for row in connection.execute(_approvals(context, ids))}
    interviews = _interviews(connection, context, [run.interview_id for run in runs if run.interview_id])
    return [
        Story(
            run,
            stages=stages.get(run.id, ()),
            steps=steps.get(run.id, ()),
            work_items=(mine := items.get(run.id, ())),
            log=(entries := log.get(run.id, ())),
            status_changes=changes.get(run.id, ()),
            interview=interviews.get(run.interview_id or ""),
            people=_people(context, mine, entries),
            called_flows=(calls := context.calls.get(run.orchestration or "", ())),
            flow_versions=_versions(context, mine, calls),
            approval_submission=approvals.get(run.id),
            attempts=attempts.get(run.id, ()),
            as_of=context.as_of,
        )
        for run in runs
    ]


def unfinished_on(
    connection: Connection, org_id: str, records: Collection[str | None]
) -> defaultdict[str | None, set[str]]:
    """The ids of the runs on these records that are not over, by record."""
    run = table_of(tables.Run)
    query = select(run.c.triggering_record, run.c.id).where(
        run.c.org_id == org_id, run.c.triggering_record.in_(records), run.c.status.not_in(FINISHED)
    )
    found: defaultdict[str | None, set[str]] = defaultdict(set)
    for record, run_id in connection.execute(query):
        found[record].add(run_id)
    return found


def _columns(source: FromClause, facts: type[NamedTuple]) -> list[Any]:
    """The columns that a facts class names; a name without a column of its own is the caller's to append."""
    return [source.c[name] for name in facts._fields if name in source.c]


def _of_org(model: type[SQLModel], facts: type[NamedTuple], org_id: str) -> Select[Any]:
    source = table_of(model)
    return select(*_columns(source, facts)).where(source.c.org_id == org_id)


def _of_runs(
    model: type[SQLModel], facts: type[NamedTuple], context: OrgContext, ids: list[str], *, key: str = "run_id"
) -> Select[Any]:
    return _of_org(model, facts, context.org_id).where(table_of(model).c[key].in_(ids))


def _steps(context: OrgContext, ids: list[str]) -> Select[Any]:
    step, evidence = table_of(tables.Step), table_of(tables.StepEvidence)
    same = and_(evidence.c.org_id == step.c.org_id, evidence.c.step_id == step.c.id)
    return (
        select(*_columns(step, StepFacts), evidence.c.has_pending_outputs)
        .join_from(step, evidence, same, isouter=True)
        .where(step.c.org_id == context.org_id, step.c.run_id.in_(ids))
    )


def _work_items(context: OrgContext, ids: list[str]) -> Select[Any]:
    """A work item has no run Id: its step has."""
    item, step = table_of(tables.WorkItem), table_of(tables.Step)
    return (
        select(step.c.run_id, *_columns(item, WorkItemFacts))
        .join_from(step, item, and_(item.c.org_id == step.c.org_id, item.c.step_id == step.c.id))
        .where(step.c.org_id == context.org_id, step.c.run_id.in_(ids))
    )


def _log(context: OrgContext, ids: list[str]) -> Select[Any]:
    log = table_of(tables.LogEntry)
    at = func.coalesce(log.c.occurred_at, log.c.created_at, type_=tables.Instant())
    return select(
        log.c.run_id,
        log.c.id,
        log.c.kind,
        at,
        log.c.version,
        log.c.stage_name,
        log.c.step_name,
        log.c.assignee,
        log.c.assignee_type,
        log.c.vanished_at,
    ).where(log.c.org_id == context.org_id, log.c.run_id.in_(ids), log.c.kind.in_(VERDICT_KINDS), at.is_not(None))


def _attempts(context: OrgContext, ids: list[str]) -> Select[Any]:
    attempt, batch = table_of(ResumeAttempt), table_of(ResumeBatch)
    became = (attempt.c.episode, attempt.c.outcome, attempt.c.detail, attempt.c.mismatch, batch.c.reason)
    return (
        select(attempt.c.run_id, attempt.c.intended_at, attempt.c.settled_at.is_(None), *became)
        .join_from(attempt, batch, attempt.c.batch_id == batch.c.id)
        .where(attempt.c.org_id == context.org_id, attempt.c.run_id.in_(ids), WAS_SENT)
    )


def _approvals(context: OrgContext, ids: list[str]) -> Select[tuple[str, str]]:
    link = table_of(tables.ApprovalLink)
    return select(link.c.run_id, link.c.submission_id).where(link.c.org_id == context.org_id, link.c.run_id.in_(ids))


def _interviews(connection: Connection, context: OrgContext, ids: list[str]) -> dict[str, InterviewFacts]:
    """Interviews are shared record by record: a user who is shown none cannot tell which are gone."""
    found = _read(connection, InterviewFacts, _of_runs(tables.Interview, InterviewFacts, context, ids, key="id"))
    return {
        interview.id: interview
        for interview in found
        if interview.present or interview.status is not None or context.sees_interviews
    }


def _people(
    context: OrgContext, items: tuple[WorkItemFacts, ...], log: tuple[LogFacts, ...]
) -> tuple[PersonFacts, ...]:
    known = {
        person.id: person
        for item in items
        if item.assignee_id and (person := context.people_by_id.get(item.assignee_id))
    }
    for name in {entry.assignee for entry in log if entry.assignee}:
        known.update({person.id: person for person in context.people_by_name.get(name, ())})
    return tuple(known.values())


def _versions(
    context: OrgContext, items: tuple[WorkItemFacts, ...], calls: tuple[CalledFlowFacts, ...]
) -> tuple[FlowVersionFacts, ...]:
    names = {call.action_name for call in calls} | {item.screen_flow for item in items if item.screen_flow}
    return tuple(version for name in names for version in context.versions.get(name, ()))


def _read(connection: Connection, facts: type[Facts], query: Select[Any]) -> list[Facts]:
    make: Callable[[Iterable[Any]], Facts] = facts._make
    return [make(row) for row in connection.execute(query).all()]


def _by_run(connection: Connection, facts: type[Facts], query: Select[Any]) -> dict[str, tuple[Facts, ...]]:
    """Facts by their first field, the run's id."""
    return _grouped((row[0], row) for row in _read(connection, facts, query))


def _grouped(pairs: Iterable[tuple[str, Facts]]) -> dict[str, tuple[Facts, ...]]:
    groups: defaultdict[str, list[Facts]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return {key: tuple(values) for key, values in groups.items()}
