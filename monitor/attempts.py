"""What happens to resume attempts in the ledger: leased with their intent, answered, settled; each step one transaction.

What a step changes about a run's verdict waits to be judged from the same transaction on (connector.mirror.changes).

An attempt that is not settled is a lease on its run: a unique partial index allows one per run, whoever asks (command
line, dashboard or watch, in whatever process). An attempt is settled once: whoever comes second changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col

from connector.mirror import changes, state
from connector.mirror.engine import writing
from connector.mirror.tables import SyncPass
from connector.org.commands import CommandResult
from monitor.ledger import WAS_SENT, AttemptOutcome, OrgProof, ResumeAttempt, ResumeBatch
from monitor.reasons import explain
from monitor.verdict import Eligibility, ReasonCode

_NO_PERMISSION = frozenset({"INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY", "PermissionDenied"})
_SAYS_NOTHING_OF_THE_RUN = _NO_PERMISSION | frozenset(
    {
        "API_DISABLED_FOR_ORG",
        "SignInFailed",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "INVALID_SESSION_ID",
        "REQUEST_LIMIT_EXCEEDED",
        "SERVER_UNAVAILABLE",
        "UNABLE_TO_LOCK_ROW",
    }
)
"""Refusals because of who we are, of the settings or of the moment: they do not contradict a verdict."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be sent for one run. `tried` counts the attempts on it that were known with its baseline."""

    run: str
    episode: int
    eligibility: Eligibility
    reason_code: ReasonCode
    baseline: dict[str, Any]
    tried: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one attempt ended."""

    attempt: ResumeAttempt
    outcome: AttemptOutcome
    detail: str
    mismatch: bool = False


def start_batch(engine: Engine, batch: ResumeBatch) -> None:
    """Record that a plan is being executed, before anything is sent."""
    with writing(engine) as connection:
        connection.execute(insert(ResumeBatch).values(**batch.model_dump()))


def close_batch(engine: Engine, batch_id: str, outcome: str, api_calls: int, finished_at: datetime | None) -> None:
    """Record how a batch stands; `finished_at` None while one of its attempts is still open."""
    with writing(engine) as connection:
        connection.execute(
            update(ResumeBatch)
            .where(col(ResumeBatch.id) == batch_id)
            .values(outcome=outcome, finished_at=finished_at, api_calls=col(ResumeBatch.api_calls) + api_calls)
        )


def lease(engine: Engine, batch: ResumeBatch, intents: Sequence[Intent], now: datetime) -> list[ResumeAttempt]:
    """Commit the intent to write to these runs; the attempts that now hold their run's lease.

    A run that is missing from the answer is being resumed by somebody else, or was since its baseline was read: nothing
    may be sent for it.
    """
    known = {intent.run: intent.tried for intent in intents}
    with writing(engine) as connection:
        _insert_new(connection, ResumeAttempt, [_row(batch, intent, now) for intent in intents])
        mine = [one for one in _select(connection, batch_id=batch.id, still_open=True) if one.run_id in known]
        tried = _tries(connection, batch.org_id, list(known))
        # Only now can nobody else come between the count and the lease.
        overtaken = {one.id for one in mine if tried[one.run_id] > known[one.run_id] + 1}
        connection.execute(delete(ResumeAttempt).where(col(ResumeAttempt.id).in_(overtaken)))
        changes.note_judgement(connection, batch.org_id, known)
    return [one for one in mine if one.id not in overtaken]


def skip(engine: Engine, batch: ResumeBatch, skipped: Sequence[tuple[Intent, str]], now: datetime) -> None:
    """Record the runs of a batch for which nothing was sent, each with the reason."""
    if not skipped:
        return
    settled = {"baseline": None, "settled_at": now, "outcome": AttemptOutcome.SKIPPED}
    rows = [_row(batch, intent, now) | settled | {"detail": why} for intent, why in skipped]
    with writing(engine) as connection:
        connection.execute(insert(ResumeAttempt), rows)


def answer(
    engine: Engine,
    leased: Sequence[ResumeAttempt],
    results: Mapping[str, CommandResult],
    now: datetime,
    api_calls: int,
) -> None:
    """Record the org's answers, by run, and the calls they took among those that the mirror counts for the day's share.

    A refusal settles its attempt; anything else waits for proof from reading.
    """
    spent = SyncPass(
        org_id=leased[0].org_id,
        kind="resume",
        started_at=now,
        finished_at=now,
        outcome="ANSWERED",
        api_calls=api_calls,
    )
    with writing(engine) as connection:
        state.record_pass(connection, spent)
        changes.note_judgement(connection, spent.org_id, {attempt.run_id for attempt in leased})
        for attempt in leased:
            result = results.get(attempt.run_id)
            if result is None:
                continue
            answered_at = None if result.accepted is None else now  # the reply was lost: only why is known
            connection.execute(
                update(ResumeAttempt)
                .where(col(ResumeAttempt.id) == attempt.id)
                .values(accepted=result.accepted, code=result.code, message=result.message, answered_at=answered_at)
            )
            if result.accepted is False:
                _settle(connection, _refusal(attempt, result), now)


def settle(engine: Engine, settlements: Iterable[Settlement], now: datetime) -> None:
    """End attempts that are still open. The first verified one of an org proves the Status value that was written."""
    with writing(engine) as connection:
        for settlement in settlements:
            _settle(connection, settlement, now)
            changes.note_judgement(connection, settlement.attempt.org_id, {settlement.attempt.run_id})
            if settlement.outcome is AttemptOutcome.VERIFIED:
                _prove(connection, settlement.attempt, now)


def tries(engine: Engine, org_id: str, runs: Sequence[str]) -> Counter[str]:
    """How often each of these runs was tried; skipped attempts do not count, since nothing was sent."""
    with engine.connect() as connection:
        return _tries(connection, org_id, runs)


def open_attempts(engine: Engine, org_id: str, batch_id: str | None = None) -> list[ResumeAttempt]:
    """The attempts of an org, or of one batch, that are not settled."""
    with engine.connect() as connection:
        return _select(connection, org_id=org_id, batch_id=batch_id, still_open=True)


def attempts_of(engine: Engine, batch_id: str) -> list[ResumeAttempt]:
    """All attempts of a batch, in the order in which they were made."""
    with engine.connect() as connection:
        return _select(connection, batch_id=batch_id)


def unfinished_batches(engine: Engine, org_id: str, started_before: datetime) -> list[str]:
    """Ids of batches that nobody finished although none of their attempts is open any more: their process died."""
    is_open = select(col(ResumeAttempt.id)).where(
        col(ResumeAttempt.batch_id) == col(ResumeBatch.id), col(ResumeAttempt.settled_at).is_(None)
    )
    unfinished = select(col(ResumeBatch.id)).where(
        col(ResumeBatch.org_id) == org_id,
        col(ResumeBatch.finished_at).is_(None),
        col(ResumeBatch.started_at) <= started_before,
        ~is_open.exists(),
    )
    with engine.connect() as connection:
        return list(connection.scalars(unfinished))


def is_proven(engine: Engine, org_id: str, target_status: str) -> bool:
    """Whether a resume by writing this Status value was ever verified in this org."""
    with engine.connect() as connection:
        proof = select(col(OrgProof.org_id)).where(
            col(OrgProof.org_id) == org_id, col(OrgProof.target_status) == target_status
        )
        return connection.scalar(proof) is not None


def _row(batch: ResumeBatch, intent: Intent, now: datetime) -> dict[str, Any]:
    return ResumeAttempt(
        id=uuid4().hex,
        batch_id=batch.id,
        org_id=batch.org_id,
        run_id=intent.run,
        episode=intent.episode,
        eligibility=intent.eligibility,
        reason_code=intent.reason_code,
        baseline=intent.baseline,
        intended_at=now,
    ).model_dump()


def _insert_new(connection: Connection, table: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def _select(
    connection: Connection, *, org_id: str | None = None, batch_id: str | None = None, still_open: bool = False
) -> list[ResumeAttempt]:
    query = select(ResumeAttempt).order_by(col(ResumeAttempt.intended_at), col(ResumeAttempt.run_id))
    if org_id is not None:
        query = query.where(col(ResumeAttempt.org_id) == org_id)
    if batch_id is not None:
        query = query.where(col(ResumeAttempt.batch_id) == batch_id)
    if still_open:
        query = query.where(col(ResumeAttempt.settled_at).is_(None))
    return [ResumeAttempt(**row) for row in connection.execute(query).mappings()]


def _tries(connection: Connection, org_id: str, runs: Sequence[str]) -> Counter[str]:
    query = (
        select(col(ResumeAttempt.run_id), func.count())
        .where(col(ResumeAttempt.org_id) == org_id, col(ResumeAttempt.run_id).in_(runs))
        .where(WAS_SENT)
        .group_by(col(ResumeAttempt.run_id))
    )
    return Counter(dict(connection.execute(query).all()))


def _refusal(attempt: ResumeAttempt, result: CommandResult) -> Settlement:
    promised = attempt.eligibility == Eligibility.RESUMABLE
    mismatch = promised and result.code not in _SAYS_NOTHING_OF_THE_RUN
    detail = f"{result.code}: {result.message}"
    if result.code in _NO_PERMISSION:
        detail = f"{ReasonCode.NO_PERMISSION}: {explain(ReasonCode.NO_PERMISSION).sentence} {detail}"
    return Settlement(attempt, AttemptOutcome.REFUSED, detail, mismatch)


def _settle(connection: Connection, settlement: Settlement, now: datetime) -> None:
    connection.execute(
        update(ResumeAttempt)
        .where(col(ResumeAttempt.id) == settlement.attempt.id, col(ResumeAttempt.settled_at).is_(None))
        .values(outcome=settlement.outcome, detail=settlement.detail, mismatch=settlement.mismatch, settled_at=now)
    )


def _prove(connection: Connection, attempt: ResumeAttempt, now: datetime) -> None:
    target = connection.scalars(
        select(col(ResumeBatch.target_status)).where(col(ResumeBatch.id) == attempt.batch_id)
    ).one()
    proof = OrgProof(
        org_id=attempt.org_id,
        target_status=target,
        attempt_id=attempt.id,
        run_id=attempt.run_id,
        proven_at=now,
    )
    _insert_new(connection, OrgProof, [proof.model_dump()])
