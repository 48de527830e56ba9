"""Makes the plan of a resume out of the mirror: who was asked for, and the verdict on each. Nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine

from connector.errors import NothingMatched, UsageError
from connector.mirror.engine import find_org
from connector.mirror.tables import Org
from monitor import attempts, read
from monitor.blast import blast_radius
from monitor.failed import failed_runs
from monitor.plans import Excluded, Plan, PlannedRun, new_id, seal
from monitor.reasons import explain
from monitor.rows import BlastRadius, RunFilter, RunLine
from monitor.settings import MonitorSettings, ResumeSettings
from monitor.sql import chunks
from monitor.stories import load, org_context, unfinished_on
from monitor.story import ERROR
from monitor.verdict import Eligibility, ReasonCode, Verdict


def plan(
    engine: Engine,
    now: datetime,
    chosen: RunFilter,
    settings: ResumeSettings,
    monitor: MonitorSettings | None = None,
) -> Plan:
    """What resuming the chosen runs would do at `now` (org time), the first to be lost first.

    Runs are chosen among those in Error unless they are named by id: only a failed run can be resumed. RESUMABLE runs are
    included; an UNKNOWN one only when it is named, since trying it is a person's decision. Raises NothingMatched when
    nothing is chosen, UsageError when the choice spans several orgs.
    """
    by_name, judging = bool(chosen.ids), monitor or MonitorSettings()
    wanted = chosen if by_name else replace(chosen, statuses=(ERROR,))
    lines = read.runs(engine, now, wanted, settings=judging).runs
    if not lines:
        raise NothingMatched(
            "No failed run matches.", next_step="`reprise runs --at-risk` lists the runs that can be resumed."
        )
    org = _only_org(engine, lines)
    failed = failed_runs(engine, org.org_id, now, org.last_success_at, judging, [line.id for line in lines])
    taken = [line for line in lines if line.id in failed and _may_try(line, by_name=by_name)]
    radii = _blast_radii(engine, org.org_id, [line.id for line in taken])
    left_out = {line.id for line in lines} - {line.id for line in taken}
    return seal(
        Plan(
            id=new_id(),
            org=org.name,
            org_id=org.org_id,
            created_at=now,
            expires_at=now + settings.plan_lifetime,
            target_status=settings.target_status,
            proven_here=attempts.is_proven(engine, org.org_id, settings.target_status),
            included=tuple(_planned(line, failed[line.id].verdict, radii[line.id]) for line in taken),
            excluded=tuple(_excluded(line) for line in lines if line.id in left_out),
        )
    )


def _only_org(engine: Engine, lines: Sequence[RunLine]) -> Org:
    names = sorted({line.org for line in lines})
    if len(names) > 1:
        raise UsageError(
            f"The runs belong to several orgs: {', '.join(names)}.", next_step="Choose one with --org NAME."
        )
    return find_org(engine, names[0])


def _may_try(line: RunLine, *, by_name: bool) -> bool:
    if line.reason_code is ReasonCode.RUN_NOT_VISIBLE:
        return False  # a resume is proven by reading the run
    return line.eligibility is Eligibility.RESUMABLE or (by_name and line.eligibility is Eligibility.UNKNOWN)


def _excluded(line: RunLine) -> Excluded:
    reason = explain(line.reason_code)
    said = [reason.sentence, line.attention or ""]
    if line.reason_code in {ReasonCode.ATTEMPT_OPEN, ReasonCode.RUN_NOT_VISIBLE}:
        said.append(reason.todo)
    elif line.eligibility is Eligibility.UNKNOWN:
        said.append("Name the run by its id to try it all the same.")
    return Excluded(line.id, line.reason_code, " ".join(filter(None, said)))


def _planned(line: RunLine, verdict: Verdict, radius: BlastRadius) -> PlannedRun:
    return PlannedRun(
        run=line.id,
        name=line.name,
        orchestration=line.orchestration,
        stage=line.stage,
        step=line.step,
        error=line.error,
        group=line.group,
        episode=verdict.episode,
        eligibility=line.eligibility,
        reason_code=line.reason_code,
        confidence=line.confidence,
        readiness=line.readiness,
        readiness_note=verdict.readiness_note,
        deadline_earliest=line.deadline_earliest,
        deadline_latest=line.deadline_latest,
        blast_radius=radius,
    )


def _blast_radii(engine: Engine, org_id: str, runs: Sequence[str]) -> dict[str, BlastRadius]:
    """What resuming each of these runs would do, in a constant number of queries for each 2,000 runs."""
    radii: dict[str, BlastRadius] = {}
    with engine.connect() as connection:
        context = org_context(connection, org_id)
        for chunk in chunks(runs):
            stories = load(connection, context, chunk)
            records = {story.run.triggering_record for story in stories} - {None}
            on_record = unfinished_on(connection, org_id, records)
            for story in stories:
                others = on_record[story.run.triggering_record] - {story.run.id}
                radii[story.run.id] = blast_radius(story, others)
    return radii
