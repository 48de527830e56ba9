"""Failed runs by cause: how many, until when, how many can be saved, and one of them as a sample."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, or_, select

from connector.mirror import tables
from monitor.assessment import Place, micros
from monitor.lines import Moment, shown
from monitor.reasons import explain
from monitor.rows import CauseGroup, RunFilter
from monitor.selection import ASSESSMENT, JUDGED, RUN, segments
from monitor.verdict import Readiness, ReasonCode

NEW = timedelta(days=1)
"""How young a failure must be to count as new."""
NEVER = datetime.max.replace(tzinfo=UTC)


def groups(connection: Connection, moment: Moment, chosen: RunFilter) -> tuple[CauseGroup, ...]:
    """The cause groups of the selected runs in Error, soonest deadline first; those without one last, largest first."""
    rows = connection.execute(_query(moment, chosen)).all()
    found = [_group(row, moment) for row in rows]
    return tuple(sorted(found, key=lambda group: (group.first_deadline or NEVER, -group.count, group.id)))


def _query(moment: Moment, chosen: RunFilter) -> Select[Any]:
    """One row a group: its figures beside its sample, the run that will be lost first."""
    chain = segments(moment.now, chosen, list(moment.orgs), moment.stale())
    failing = or_(*(segment.where for segment in chain if segment.judged and not segment.eyes))
    of_group: dict[str, Any] = {"partition_by": (ASSESSMENT.c.org_id, ASSESSMENT.c.cause_group)}
    due, now = ASSESSMENT.c.due, micros(moment.now)
    in_time = and_(ASSESSMENT.c.place == Place.SAVABLE, due >= now, ASSESSMENT.c.org_id.not_in(moment.stale()))
    first = func.min(case((due >= now, ASSESSMENT.c.deadline_earliest)), type_=tables.Instant())
    soonest = (case((ASSESSMENT.c.lost >= now, 0), else_=1), ASSESSMENT.c.place, due, ASSESSMENT.c.run_id)
    ranked = (
        select(
            ASSESSMENT,
            RUN.c.orchestration,
            func.count().over(**of_group).label("size"),
            func.sum(case((in_time, 1), else_=0)).over(**of_group).label("resumable"),
            func.sum(case((ASSESSMENT.c.failed_at > moment.now - NEW, 1), else_=0)).over(**of_group).label("new"),
            first.over(**of_group).label("first_deadline"),
            func.row_number().over(**of_group, order_by=soonest).label("rank"),
        )
        .select_from(ASSESSMENT.join(RUN, JUDGED))
        .where(failing, ASSESSMENT.c.cause_group.is_not(None))
        .subquery()
    )
    return select(ranked).where(ranked.c.rank == 1)


def _group(row: Any, moment: Moment) -> CauseGroup:
    return CauseGroup(
        id=row.cause_group,
        org=moment.orgs[row.org_id].name,
        orchestration=row.orchestration,
        stage=row.stage,
        step=row.step,
        cause=shown(row.error, moment.settings) or explain(ReasonCode(row.reason)).sentence,
        count=row.size,
        resumable=int(row.resumable),
        first_deadline=row.first_deadline,
        new_last_day=int(row.new),
        readiness=Readiness(row.readiness),
        readiness_note=row.readiness_note,
        sample_run=row.run_id,
    )
