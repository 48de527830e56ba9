"""Runs that are not in Error and still need somebody's eyes: stuck, forgotten, failing again, or not really resumed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select

from connector.mirror import tables
from monitor.assessment import Assessment, Place
from monitor.ledger import WAS_SENT, ResumeAttempt
from monitor.settings import MonitorSettings
from monitor.sql import table_of
from monitor.verdict import Confidence, ReasonCode

RUN, STEP, ASSESSMENT = table_of(tables.Run), table_of(tables.Step), table_of(Assessment)
ATTEMPT = table_of(ResumeAttempt)
HISTORY = 2000
"""How many of the newest completed runs tell how long steps usually take."""
_IN_SIGHT = and_(RUN.c.is_deleted.is_(False), RUN.c.vanished_at.is_(None))
"""Of what cannot be seen nobody knows whether it is still stuck."""
ENOUGH = 20
"""With fewer completed steps of a kind nobody knows what is usual for it."""


class StepKind(NamedTuple):
    """Steps that are compared with each other."""

    orchestration: str | None
    stage: str | None
    step: str | None


class OpenStep(NamedTuple):
    """A step in progress."""

    run_id: str
    kind: StepKind
    since: datetime


@dataclass(frozen=True, slots=True)
class Usual:
    """How long steps of a kind took: the median, and what 95 of 100 stayed within."""

    count: int
    median: timedelta
    p95: timedelta


class Eyes(NamedTuple):
    """A run that needs eyes, since when, and why in one sentence that no clock makes wrong."""

    run_id: str
    status: str
    since: datetime
    why: str


def find(connection: Connection, org_id: str, now: datetime, settings: MonitorSettings) -> list[Eyes]:
    """Every run of an org that needs eyes at `now`, each once, for the weightiest reason."""
    usual = usual_times(_completed(connection, org_id))
    found = {eyes.run_id: eyes for eyes in stuck(_open_steps(connection, org_id, now, settings), usual, now, settings)}
    found |= {eyes.run_id: eyes for eyes in _forgotten(connection, org_id, now, settings)}
    found |= {eyes.run_id: eyes for eyes in _failing_again(connection, org_id, settings)}
    found |= {eyes.run_id: eyes for eyes in _unmoved(connection, org_id)}
    return [found[run_id] for run_id in sorted(found)]


def usual_times(durations: Iterable[tuple[StepKind, timedelta]]) -> dict[StepKind, Usual]:
    """What is usual for each kind of step."""
    by_kind: defaultdict[StepKind, list[timedelta]] = defaultdict(list)
    for kind, duration in durations:
        by_kind[kind].append(duration)
    return {kind: _usual(sorted(taken)) for kind, taken in by_kind.items()}


def stuck(
    steps: Iterable[OpenStep], usual: Mapping[StepKind, Usual], now: datetime, settings: MonitorSettings
) -> Iterator[Eyes]:
    """The steps that have been in progress far beyond what is usual for their kind; the newest of a run comes last."""
    for step in sorted(steps, key=lambda each: each.since, reverse=True):
        known = usual.get(step.kind)
        if known is None or known.count < ENOUGH:
            limit, what = settings.stuck_default, "nothing tells how long it usually takes"
        else:
            limit = max(settings.stuck_floor, known.p95 * settings.stuck_factor)
            what = f"it usually takes {_words(known.median)}, and 95 of 100 end within {_words(known.p95)}"
        if now - step.since > limit:
            why = f"Step {step.kind.step} has been in progress since {_instant(step.since)}; {what}."
            yield Eyes(step.run_id, "InProgress", step.since, why)


def _usual(taken: list[timedelta]) -> Usual:
    return Usual(len(taken), taken[len(taken) // 2], taken[min(len(taken) - 1, len(taken) * 95 // 100)])


def _completed(connection: Connection, org_id: str) -> Iterator[tuple[StepKind, timedelta]]:
    """From the creation of a step to its last change, which is its completion unless somebody edited it afterwards."""
    newest = (
        select(RUN.c.org_id, RUN.c.id, RUN.c.orchestration)
        .where(RUN.c.org_id == org_id, RUN.c.status == "Completed")
        .order_by(RUN.c.system_modstamp.desc())
        .limit(HISTORY)
        .subquery()
    )
    mine = and_(STEP.c.org_id == newest.c.org_id, STEP.c.run_id == newest.c.id, STEP.c.status == "Completed")
    what = select(newest.c.orchestration, STEP.c.stage_name, STEP.c.name, STEP.c.created_at, STEP.c.last_modified_at)
    for *kind, start, end in connection.execute(what.join_from(newest, STEP, mine)):
        if start is not None and end is not None:
            yield StepKind(*kind), end - start


def _open_steps(connection: Connection, org_id: str, now: datetime, settings: MonitorSettings) -> list[OpenStep]:
    """Steps in progress, since their last change: their start, or an edit, after which they count as watched."""
    mine = and_(STEP.c.org_id == RUN.c.org_id, STEP.c.run_id == RUN.c.id, STEP.c.status == "InProgress")
    what = select(RUN.c.id, RUN.c.orchestration, STEP.c.stage_name, STEP.c.name, STEP.c.last_modified_at)
    running = and_(RUN.c.org_id == org_id, RUN.c.status == "InProgress", RUN.c.is_debug_run.is_not(True))
    old = STEP.c.last_modified_at < now - settings.stuck_floor
    found = connection.execute(what.join_from(RUN, STEP, mine).where(running, old, _IN_SIGHT))
    return [OpenStep(run_id, StepKind(*kind), since) for run_id, *kind, since in found]


def _forgotten(connection: Connection, org_id: str, now: datetime, settings: MonitorSettings) -> Iterator[Eyes]:
    suspended = and_(RUN.c.org_id == org_id, RUN.c.status == "Suspended", RUN.c.is_debug_run.is_not(True))
    old = RUN.c.system_modstamp < now - settings.suspended_after
    for run_id, since in connection.execute(select(RUN.c.id, RUN.c.system_modstamp).where(suspended, old, _IN_SIGHT)):
        yield Eyes(run_id, "Suspended", since, f"The run has been suspended and untouched since {_instant(since)}.")


def _failing_again(connection: Connection, org_id: str, settings: MonitorSettings) -> Iterator[Eyes]:
    often = and_(ASSESSMENT.c.episode >= settings.failures_in_a_row, ASSESSMENT.c.status == "InProgress")
    known = select(ASSESSMENT.c.run_id, ASSESSMENT.c.status, ASSESSMENT.c.resumed_at, ASSESSMENT.c.episode)
    mine = and_(ASSESSMENT.c.org_id == org_id, ASSESSMENT.c.place.in_([Place.EYES, Place.RECOVERED]))
    for run_id, status, since, episode in connection.execute(
        known.where(mine, often, ASSESSMENT.c.resumed_at.is_not(None))
    ):
        yield Eyes(
            run_id, status, since, f"The run has failed {episode} times and was resumed again at {_instant(since)}."
        )


def _unmoved(connection: Connection, org_id: str) -> Iterator[Eyes]:
    """Runs that went back to InProgress by their label alone: the one thing that makes a NOT_IN_ERROR of them unsure."""
    mine = and_(ATTEMPT.c.org_id == ASSESSMENT.c.org_id, ATTEMPT.c.run_id == ASSESSMENT.c.run_id, WAS_SENT)
    newest = select(func.max(ATTEMPT.c.intended_at, type_=tables.Instant())).where(mine)
    tried = newest.correlate(ASSESSMENT).scalar_subquery()
    doubted = and_(
        ASSESSMENT.c.org_id == org_id,
        ASSESSMENT.c.place.in_([Place.EYES, Place.RECOVERED]),
        ASSESSMENT.c.status == "InProgress",
        ASSESSMENT.c.reason == ReasonCode.NOT_IN_ERROR.value,
        ASSESSMENT.c.confidence != Confidence.PROVEN.value,
    )
    same = and_(RUN.c.org_id == ASSESSMENT.c.org_id, RUN.c.id == ASSESSMENT.c.run_id)
    judged = (ASSESSMENT.c.step, ASSESSMENT.c.failed_at, ASSESSMENT.c.deadline_earliest)
    what = select(RUN.c.id, RUN.c.status, RUN.c.system_modstamp, *judged, tried)
    for run_id, status, changed, step, failed_at, until, tried_at in connection.execute(
        what.join_from(ASSESSMENT, RUN, same).where(doubted)
    ):
        ours = tried_at is not None and (failed_at is None or tried_at >= failed_at)
        who = f"resumed by Reprise at {_instant(tried_at)}" if ours else f"set to {status}, last at {_instant(changed)}"
        ends = f" The 14 days of its failure end at {_instant(until)}." if until else ""
        why = f"The run was {who}, but nothing moved: step {step} is still in Error.{ends}"
        yield Eyes(run_id, status, tried_at if ours else changed, why)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")


def _words(length: timedelta) -> str:
    """A length of time in its largest fitting unit."""
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if length >= 2 * unit:
            return f"{round(length / unit)} {name}"
    return f"{round(length.total_seconds())} s"
