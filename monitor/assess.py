"""Judges the failed runs of the mirror and keeps what was found in the table `assessment`, ready to be listed."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.mirror import changes, tables
from connector.mirror.engine import writing
from monitor import attention
from monitor.assessment import FAR, Assessment, Place, columns, micros
from monitor.ledger import ResumeAttempt
from monitor.selection import ASSESSMENT, JUDGED, RUN, SETTLED, STILL_SO, failed
from monitor.settings import MonitorSettings
from monitor.sql import chunks, table_of
from monitor.stories import Siblings, load, org_context
from monitor.story import ERROR, RunFacts, Sibling, Story
from monitor.triage import UNFAILED, judge
from monitor.verdict import Eligibility, Verdict


def assess(
    engine: Engine,
    now: datetime,
    *,
    everything: bool = True,
    org_id: str | None = None,
    settings: MonitorSettings | None = None,
) -> int:
    """Judge the failed runs of an org, or of all; the number of runs judged. `now` is the org's time.

    Without `everything` only those runs are judged that changed since they were judged, themselves or in what they hang
    on (connector.mirror.changes). A run of which another of the same cause was resumed is always judged again.
    """
    judged = 0
    with writing(engine) as connection:
        known = connection.scalars(select(table_of(tables.Org).c.org_id)).all()
        for each in known if org_id is None else [org_id]:
            judged += _assess_org(connection, each, everything=everything)
            _mark(connection, each, attention.find(connection, each, now, settings or MonitorSettings()))
    return judged


def judge_among(story: Story, siblings: Siblings) -> Verdict:
    """The verdict of a story in the light of the runs that failed the same way and were resumed."""
    verdict = judge(story)
    others = tuple(other for other in siblings.get(verdict.group or "", ()) if other.run_id != story.run.id)
    return judge(replace(story, siblings=others)) if others else verdict


def siblings_of(connection: Connection, org_id: str) -> Siblings:
    """The runs that were resumed after a failure, by cause group."""
    known = connection.execute(
        select(
            ASSESSMENT.c.cause_group, ASSESSMENT.c.run_id, ASSESSMENT.c.resumed_at, ASSESSMENT.c.failed_after_resume
        ).where(ASSESSMENT.c.org_id == org_id, ASSESSMENT.c.resumed_at.is_not(None))
    )
    groups: defaultdict[str, list[Sibling]] = defaultdict(list)
    for group, run_id, resumed_at, failing in known:
        groups[group].append(Sibling(run_id, resumed_at, None if failing is None else not failing))
    return {group: tuple(sorted(members)) for group, members in groups.items()}


def _assess_org(connection: Connection, org_id: str, *, everything: bool) -> int:
    before = siblings_of(connection, org_id)
    changed = changes.take(connection, org_id)
    ids = _candidates(connection, org_id, None if everything else changed)
    _judge_and_store(connection, org_id, ids, before)
    after = siblings_of(connection, org_id)
    groups = {group for group in {*before, *after} if before.get(group) != after.get(group)}
    if groups:
        members = select(ASSESSMENT.c.run_id).where(
            ASSESSMENT.c.org_id == org_id, ASSESSMENT.c.cause_group.in_(groups), ASSESSMENT.c.status == ERROR
        )
        _judge_and_store(connection, org_id, connection.scalars(members).all(), after)
    return len(ids)


def _candidates(connection: Connection, org_id: str, changed: Collection[str] | None) -> Sequence[str]:
    """The runs to judge: in Error now or once, or touched by a resume of ours."""
    failing = select(RUN.c.id).where(failed([org_id]))
    change, attempt = table_of(tables.StatusChange), table_of(ResumeAttempt)
    once = select(change.c.run_id).where(change.c.org_id == org_id, change.c.old_status == ERROR)
    tried = select(attempt.c.run_id).where(attempt.c.org_id == org_id)
    judged = select(ASSESSMENT.c.run_id).where(ASSESSMENT.c.org_id == org_id, ASSESSMENT.c.episode > 0)
    candidates = set(connection.scalars(failing.union(once, tried, judged)))
    if changed is None:
        return sorted(candidates)
    up_to_date = select(ASSESSMENT.c.run_id).join_from(ASSESSMENT, RUN, JUDGED)
    up_to_date = up_to_date.where(ASSESSMENT.c.org_id == org_id, STILL_SO)
    return sorted(candidates - (set(connection.scalars(up_to_date)) - set(changed)))


def _judge_and_store(connection: Connection, org_id: str, ids: Iterable[str], siblings: Siblings) -> None:
    context = org_context(connection, org_id)
    for chunk in chunks(ids):
        with _uncollected():
            rows = [_row(story, judge_among(story, siblings)) for story in load(connection, context, chunk)]
        _keep_groups(connection, org_id, rows)
        if rows:
            upsert(connection, rows)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the cycle collector, which walks thousands of rows again and again that hold no cycles: a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _row(story: Story, verdict: Verdict) -> dict[str, Any]:
    place = _place(story, verdict)
    resumed_at, failed_again = _resumed(story)
    row = columns(story.run, verdict) | {
        "place": place,
        "version": story.version,
        "resumed_at": resumed_at,
        "failed_after_resume": failed_again,
        "attention": None,
    }
    if place is Place.HOPELESS and verdict.failed_at is not None:
        row["due"] = -micros(verdict.failed_at)  # the newest first
    return row


def _mark(connection: Connection, org_id: str, found: Iterable[attention.Eyes]) -> None:
    """Keep the runs that need eyes, and only them, at their place."""
    of_org = ASSESSMENT.c.org_id == org_id
    marked = and_(of_org, ASSESSMENT.c.place == Place.EYES)
    connection.execute(update(Assessment).where(marked).values(place=Place.RECOVERED, due=FAR, attention=None))
    plain = columns(RunFacts(org_id, "", ""), UNFAILED)
    for chunk in chunks(found):
        rows = [
            plain
            | {"run_id": eyes.run_id, "status": eyes.status, "place": Place.EYES, "attention": eyes.why}
            | {"due": micros(eyes.since)}
            for eyes in chunk
        ]
        upsert(connection, rows, replacing=("status", "place", "due", "attention"))
    connection.execute(
        delete(Assessment).where(of_org, ASSESSMENT.c.place == Place.RECOVERED, ASSESSMENT.c.episode == 0)
    )


def _keep_groups(connection: Connection, org_id: str, rows: list[dict[str, Any]]) -> None:
    """Leave a run that went on in the group of its failure: a resume wipes the error text that the group was made from."""
    went_on = [row["run_id"] for row in rows if row["place"] is Place.RECOVERED]
    known = select(ASSESSMENT.c.run_id, ASSESSMENT.c.cause_group)
    known = known.where(ASSESSMENT.c.org_id == org_id, ASSESSMENT.c.run_id.in_(went_on))
    groups = dict(connection.execute(known).all())
    for row in rows:
        row["cause_group"] = groups.get(row["run_id"]) or row["cause_group"]


def _place(story: Story, verdict: Verdict) -> Place:
    if story.run.status in SETTLED:
        return Place.RECOVERED
    if verdict.eligibility is Eligibility.UNKNOWN:
        return Place.UNCLEAR
    return Place.SAVABLE if verdict.deadline is not None else Place.HOPELESS


def _resumed(story: Story) -> tuple[datetime | None, bool | None]:
    """When the run was last resumed after a failure, and whether it failed again; None while nobody can tell."""
    resumed_at = story.resumed_at
    failures = [entry for entry in story.milestones("FailStep") if resumed_at and entry.at < resumed_at]
    if resumed_at is None or not failures:
        return None, None
    if story.run.status == ERROR:
        return resumed_at, True
    last = failures[-1]
    again = [step for step in story.steps if (step.stage_name, step.name) == (last.stage_name, last.step_name)]
    newest = max(again, key=lambda step: (step.created_at is not None, step.created_at, step.id), default=None)
    went_on = story.run.status == "Completed" or (newest is not None and newest.status == "Completed")
    return resumed_at, False if went_on else None


def upsert(connection: Connection, rows: Sequence[dict[str, Any]], replacing: Collection[str] = ()) -> None:
    """Write rows of the assessment table; of runs that have one, only the columns `replacing`, or all that are given."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(Assessment)
    names = replacing or [name for name in rows[0] if name not in {"org_id", "run_id"}]
    replaced = {name: statement.excluded[name] for name in names}
    connection.execute(statement.on_conflict_do_update(index_elements=["org_id", "run_id"], set_=replaced), list(rows))
