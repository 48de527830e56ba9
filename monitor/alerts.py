"""Who must be told what now: every failed run's tier against what was already told, and the outbox rows for the rest.

Notices and outbox rows commit in one transaction, so nothing is told twice or forgotten whatever crashes in between.
Nothing here says "resolved": a run that is no longer seen in Error gets no further message, unless only its label changed,
and blindness gets none either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from connector.mirror.engine import org_now, orgs, writing
from connector.mirror.tables import Org
from monitor.assessment import Assessment
from monitor.channels import Message
from monitor.failed import IS_FAILED, FailedRun, failed_runs
from monitor.ledger import AlertMessage, AlertNotice
from monitor.messages import Standing, Told, group_message, standing, summary_message
from monitor.outbox import DeliveryReport, deliver, enqueue
from monitor.plans import new_id
from monitor.settings import MonitorSettings
from monitor.tiers import Sight, Tier, notice_due, present_tier

__all__ = ["DeliveryReport", "Evaluation", "deliver", "evaluate"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one look decided: how many failed runs were judged, and the messages that went into the outbox."""

    failed: int
    messages: tuple[Message, ...]


def evaluate(
    engine: Engine, now: datetime, settings: MonitorSettings, channels: Sequence[str], org: str | None = None
) -> Evaluation:
    """Look at the failed runs of the org of that name, or of all, and put what is due into the outbox of these channels.

    `now` is our clock; each org's own is worked out from it. An org that was never read to the end is left alone, and
    without a channel nothing counts as told.
    """
    found = [
        _evaluate_org(engine, each, each.last_success_at, now, settings, channels)
        for each in orgs(engine)
        if channels and each.last_success_at is not None and org in (None, each.name)
    ]
    messages = tuple(message for evaluation in found for message in evaluation.messages)
    return Evaluation(sum(evaluation.failed for evaluation in found), messages)


def _evaluate_org(
    engine: Engine, org: Org, as_of: datetime, now: datetime, settings: MonitorSettings, channels: Sequence[str]
) -> Evaluation:
    sight = Sight(org_now(org, now), as_of, settings.data_max_age)
    failing = failed_runs(engine, org.org_id, sight.now, sight.as_of, settings).values()
    try:
        with writing(engine) as connection:
            due = _due(failing, _already_told(connection, org.org_id), sight)
            said = _say(org, due, sight, first=not _was_introduced(connection, org.org_id))
            enqueue(connection, org.org_id, [message for message, _ in said], channels, now)
            _remember(connection, org.org_id, said, now)
    except IntegrityError:
        # Another process evaluated at the same moment and its messages stand; what it left is due at the next look.
        return Evaluation(len(failing), ())
    return Evaluation(len(failing), tuple(message for message, _ in said))


def _due(failing: Collection[FailedRun], told: Mapping[tuple[str, int], set[Tier]], sight: Sight) -> list[Told]:
    """The runs of which something must be told now."""
    due = []
    for run in failing:
        verdict = run.verdict
        present = present_tier(verdict.eligibility, verdict.reason, verdict.deadline, _sight_of(run, sight))
        notice = notice_due(present, told.get((run.id, verdict.episode), set()))
        if notice is not None:
            due.append(Told(run, notice))
    return due


def _sight_of(run: FailedRun, sight: Sight) -> Sight:
    """What vanished was last read before it did, so that no later look at the org says that it is lost."""
    return sight if run.vanished_at is None else replace(sight, as_of=min(sight.as_of, run.vanished_at))


def _say(org: Org, due: Sequence[Told], sight: Sight, *, first: bool) -> list[tuple[Message, Sequence[Told]]]:
    """Few messages about many runs: one for each cause and tier, or a single summary when the org is new to us."""
    if first:
        return [(summary_message(_summary_id(org.org_id), org, due, sight), due)]
    causes: defaultdict[tuple[str, Tier, Standing], list[Told]] = defaultdict(list)
    for one in due:
        verdict, tier = one.run.verdict, one.notice.tier
        group = verdict.group or f"{one.run.orchestration} {verdict.reason}"
        causes[group, tier, standing(one.run)].append(one)
    return [(group_message(new_id(), org, told, sight), told) for told in causes.values()]


def _already_told(connection: Connection, org_id: str) -> dict[tuple[str, int], set[Tier]]:
    """What was told of each failure episode of the runs that are failed now."""
    failing = select(col(Assessment.run_id)).where(col(Assessment.org_id) == org_id, IS_FAILED)
    query = select(col(AlertNotice.run_id), col(AlertNotice.episode), col(AlertNotice.tier)).where(
        col(AlertNotice.org_id) == org_id, col(AlertNotice.run_id).in_(failing)
    )
    told: defaultdict[tuple[str, int], set[Tier]] = defaultdict(set)
    for run, episode, tier in connection.execute(query):
        told[run, episode].add(Tier(tier))
    return told


def _was_introduced(connection: Connection, org_id: str) -> bool:
    introduced = select(col(AlertMessage.id)).where(col(AlertMessage.id) == _summary_id(org_id))
    return connection.scalar(introduced) is not None


def _summary_id(org_id: str) -> str:
    """Always the same for an org, so that the database itself allows only one."""
    return uuid5(NAMESPACE_OID, org_id).hex


def _remember(
    connection: Connection, org_id: str, said: Sequence[tuple[Message, Sequence[Told]]], now: datetime
) -> None:
    rows = [
        AlertNotice(
            org_id=org_id,
            run_id=one.run.id,
            episode=one.run.verdict.episode,
            tier=one.notice.tier.value,
            message_id=message.id,
            noticed_at=now,
        ).model_dump()
        for message, told in said
        for one in told
    ]
    if rows:
        connection.execute(insert(AlertNotice), rows)
