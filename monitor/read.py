"""The questions that everybody asks of the mirror, answered as frozen rows. Reads only.

`now` is always the org's time. A row number stands for a run in long lists; it holds until the next full list.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, select

from connector.errors import NotFound, UsageError
from connector.mirror import tables
from monitor.assessment import FAR, Place, micros
from monitor.detail import detail
from monitor.groups import groups as groups_of
from monitor.lines import Moment
from monitor.lines import lines as lines_of
from monitor.rows import CauseGroup, Overview, RunDetail, RunFilter, RunLine, RunPage
from monitor.selection import ASSESSMENT, ROWID, RUN, Question, Segment, failed, long_id, segments
from monitor.settings import MonitorSettings
from monitor.sql import table_of

ORG = table_of(tables.Org)
EVERYTHING = RunFilter()
BATCH = 2000
SORTS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "left": (),
    "orchestration": (RUN.c.orchestration, RUN.c.id),
    "status": (RUN.c.status, RUN.c.id),
    "name": (RUN.c.name, RUN.c.id),
    "newest": (RUN.c.created_at.desc(), RUN.c.id),
}


def runs(
    engine: Engine,
    now: datetime,
    filter: RunFilter = EVERYTHING,  # noqa: A002  # the word everybody uses for it
    *,
    limit: int | None = None,
    offset: int = 0,
    settings: MonitorSettings | None = None,
) -> RunPage:
    """The runs that a filter selects, in display order; `total` counts them all. `limit` None: every one."""
    with engine.connect() as connection:
        moment = _moment(connection, now, filter.org, settings)
        total, numbers = 0, list[int]()
        for segment in segments(_question(connection, moment, filter)):
            wanted, skipped = None if limit is None else limit - len(numbers), max(0, offset - total)
            count, part = _page(connection, segment, wanted, skipped, searching=bool(filter.text))
            numbers += part
            total += count
        found = lines_of(connection, moment, numbers)
        return RunPage(_as_of(moment), total, tuple(found[number] for number in numbers if number in found))


def vector(
    engine: Engine,
    now: datetime,
    filter: RunFilter = EVERYTHING,  # noqa: A002
    sort: str = "left",
    *,
    settings: MonitorSettings | None = None,
) -> array[int]:
    """The row numbers of the runs that a filter selects, in display order.

    Another `sort` than "left" orders by a key of SORTS within each stretch of the display order, so that runs that can
    still be saved stay on top.
    """
    order = SORTS[sort]
    with engine.connect() as connection:
        moment = _moment(connection, now, filter.org, settings)
        numbers = array("q")
        for segment in segments(_question(connection, moment, filter)):
            for part in _numbers(connection, replace(segment, order=order or segment.order), None, 0):
                numbers.extend(part)
        return numbers


def lines(
    engine: Engine, now: datetime, row_numbers: Iterable[int], *, settings: MonitorSettings | None = None
) -> dict[int, RunLine]:
    """The lines of these runs by row number; numbers of runs that are gone are left out."""
    with engine.connect() as connection:
        return lines_of(connection, _moment(connection, now, None, settings), row_numbers)


def row_of(engine: Engine, run_id: str) -> int | None:
    """The row number of a run (15 or 18 characters); None when the mirror has no such run."""
    with engine.connect() as connection:
        found: int | None = connection.scalar(select(ROWID).select_from(RUN).where(RUN.c.id == long_id(run_id)))
        return found


def run(
    engine: Engine, now: datetime, run_id: str, org: str | None = None, *, settings: MonitorSettings | None = None
) -> RunDetail:
    """One run in full. Raises NotFound, naming ids that look alike."""
    with engine.connect() as connection:
        moment = _moment(connection, now, org, settings)
        wanted = RUN.c.org_id.in_(moment.orgs), RUN.c.id == long_id(run_id.strip())
        found = connection.execute(select(RUN.c.org_id, RUN.c.id, ROWID).select_from(RUN).where(*wanted)).first()
        if found is None:
            raise _unknown_run(connection, moment, run_id)
        return detail(connection, moment, *found)


def groups(
    engine: Engine,
    now: datetime,
    filter: RunFilter = EVERYTHING,  # noqa: A002
    *,
    settings: MonitorSettings | None = None,
) -> tuple[CauseGroup, ...]:
    """The selected failed runs by cause, soonest deadline first."""
    with engine.connect() as connection:
        moment = _moment(connection, now, filter.org, settings)
        return groups_of(connection, moment, _question(connection, moment, filter))


def overview(
    engine: Engine, now: datetime, org: str | None = None, *, settings: MonitorSettings | None = None
) -> Overview:
    """The figures on top of every screen, of one org or of all."""
    with engine.connect() as connection:
        moment = _moment(connection, now, org, settings)
        orgs = list(moment.orgs.values())
        only = orgs[0] if len(orgs) == 1 else None
        statuses = _by_status(connection, list(moment.orgs))
        at_risk, soon, first = _risk(connection, moment)
        failed = select(func.count()).where(ASSESSMENT.c.org_id.in_(moment.orgs), ASSESSMENT.c.place <= Place.HOPELESS)
        return Overview(
            org=only.name if only else None,
            org_label=only.label if only else None,
            is_sandbox=only.is_sandbox if only else None,
            time_zone=only.time_zone if only else None,
            as_of=_as_of(moment),
            last_problem=next((each.last_problem for each in orgs if each.last_problem), None),
            api_used=only.api_used if only else None,
            api_max=only.api_max if only else None,
            total=sum(statuses.values()),
            by_status=statuses,
            failed=connection.scalar(failed) or 0,
            at_risk=at_risk,
            within_24h=soon,
            first_deadline=first,
        )


def _moment(connection: Connection, now: datetime, org: str | None, settings: MonitorSettings | None) -> Moment:
    known = connection.execute(select(ORG).order_by(ORG.c.name)).all()
    chosen = [row for row in known if org is None or org in (row.name, row.org_id)]
    if known and not chosen:
        names = ", ".join(row.name for row in known)
        raise NotFound(f"No org named {org!r} is mirrored here (mirrored: {names}).", next_step="Run `reprise sync`.")
    return Moment(now, settings or MonitorSettings(), {row.org_id: row for row in chosen})


def _unknown_run(connection: Connection, moment: Moment, run_id: str) -> NotFound:
    ends = func.lower(RUN.c.id).contains(run_id.strip().lower(), autoescape=True)
    near = connection.scalars(
        select(RUN.c.id).where(RUN.c.org_id.in_(moment.orgs), ends).order_by(RUN.c.id).limit(5)
    ).all()
    if not near:
        known = connection.scalars(select(RUN.c.id).where(RUN.c.org_id.in_(moment.orgs)).order_by(ROWID).limit(5000))
        near = get_close_matches(run_id, known.all(), n=3, cutoff=0.8)
    meaning = f"Did you mean {', '.join(near)}?" if near else "No run's id looks like it."
    return NotFound(
        f"There is no run {run_id!r} in the mirror.", meaning=meaning, next_step="List them with `reprise runs`."
    )


def _question(connection: Connection, moment: Moment, chosen: RunFilter) -> Question:
    """What a filter means in this mirror. Raises UsageError for a group prefix that is empty or that several groups share."""
    orgs = list(moment.orgs)
    if chosen.group is not None:
        chosen = replace(chosen, group=_whole_group(connection, orgs, chosen.group.strip().lower()))
    names = None
    if chosen.orchestration is not None:
        names = _orchestrations(connection, orgs, chosen.orchestration)
    return Question(moment.now, chosen, orgs, moment.stale(), names, _is_judged(connection, orgs))


def _whole_group(connection: Connection, orgs: list[str], prefix: str) -> str:
    if not prefix:
        raise UsageError(
            "The id of a cause group is empty.",
            meaning="Every group begins like that, so every failed run of every cause would be meant.",
            next_step="Type the id of one; `reprise groups` lists them.",
        )
    group = ASSESSMENT.c.cause_group
    like = select(group).where(ASSESSMENT.c.org_id.in_(orgs), group >= prefix, group < f"{prefix}g")
    found = connection.scalars(like.distinct().limit(3)).all()
    if len(found) > 1:
        raise UsageError(
            f"Several cause groups begin with {prefix!r}: {', '.join(sorted(found))}.",
            next_step="Type more of the one you mean; `reprise groups` lists them.",
        )
    return found[0] if found else prefix


def _orchestrations(connection: Connection, orgs: list[str], pattern: str) -> list[str]:
    """The API names whose name or label a pattern matches, any case, `*` as wildcard.

    Hops from name to name along the index, so that a million runs of thirty orchestrations cost thirty looks.
    """
    wanted = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE)
    named = select(RUN.c.orchestration, RUN.c.orchestration_label).order_by(RUN.c.orchestration).limit(1)
    found = []
    for org in orgs:
        name = ""
        while row := connection.execute(named.where(RUN.c.org_id == org, RUN.c.orchestration > name)).first():
            name = row.orchestration
            if any(wanted.fullmatch(each) for each in row if each):
                found.append(name)
    return sorted(set(found))


def _is_judged(connection: Connection, orgs: list[str]) -> bool:
    """Whether as many runs are judged as need judging: not so between a sync and the assessment after it."""
    judged = select(func.count()).where(ASSESSMENT.c.place <= Place.HOPELESS, ASSESSMENT.c.org_id.in_(orgs))
    failing = select(func.count()).select_from(RUN).where(failed(orgs))
    return connection.scalar(judged) == connection.scalar(failing)


def _page(
    connection: Connection, segment: Segment, limit: int | None, offset: int, *, searching: bool
) -> tuple[int, list[int]]:
    """How many runs a segment has, and the row numbers of a part of them.

    A search in texts looks at every run, so it does it once, for the count and the part together.
    """
    if searching:
        found = list(chain.from_iterable(_numbers(connection, segment, None, 0)))
        return len(found), found[offset : None if limit is None else offset + limit]
    count = connection.scalar(segment.select(func.count(), numbered=False)) or 0
    if limit == 0 or offset >= count:
        return count, []
    return count, list(chain.from_iterable(_numbers(connection, segment, limit, offset)))


def _numbers(connection: Connection, segment: Segment, limit: int | None, offset: int) -> Iterator[Iterator[int]]:
    """The row numbers of a segment in batches, past SQLAlchemy's rows: they are whole numbers in any database."""
    query = segment.select(ROWID).order_by(*segment.order)
    if limit is not None or offset:
        query = query.limit(FAR if limit is None else limit).offset(offset)
    cursor: Any = connection.execute(query).cursor
    while batch := cursor.fetchmany(BATCH):
        yield chain.from_iterable(batch)


def _as_of(moment: Moment) -> datetime | None:
    """How old the oldest data of the answer is; None when an org was never read completely."""
    times = [org.last_success_at for org in moment.orgs.values()]
    return min(times) if times and None not in times else None


def _by_status(connection: Connection, orgs: list[str]) -> dict[str, int]:
    counted = select(RUN.c.status, func.count()).where(RUN.c.org_id.in_(orgs)).group_by(RUN.c.status)
    return dict(connection.execute(counted.order_by(RUN.c.status)).all())


def _risk(connection: Connection, moment: Moment) -> tuple[int, int, datetime | None]:
    """How many runs can still be lost, how many within a day, and when the first."""
    day = micros(moment.now + timedelta(days=1))
    due = ASSESSMENT.c.due
    total, soon, first = 0, 0, None
    for segment in segments(_question(connection, moment, RunFilter(at_risk=True))):
        if not segment.judged:
            total += connection.scalar(segment.select(func.count())) or 0
            continue
        earliest = func.min(ASSESSMENT.c.deadline_earliest, type_=tables.Instant())
        counted: Any = connection.execute(
            segment.select(
                func.count(),
                func.count().filter(due <= day),
                earliest.filter(due >= micros(moment.now)),
                numbered=False,
            )
        ).one()
        total, soon = total + counted[0], soon + counted[1]
        first = min((each for each in (first, counted[2]) if each), default=None)
    return total, soon, first
