"""The outbox: what was decided to be said and has not been said yet. A message is sent, then marked: at least once.

For each message that is due on a channel:
1. Claim it: a conditional update moves its next try ahead, so that of two senders only one goes on.
2. Send it.
3. Mark it. A crash between 2 and 3 sends it again when the claim runs out, under the same id, which a receiver can drop.
A transient failure backs off the whole channel. A refusal is said aloud and tried again every hour, because its tier counts
as told and somebody may put the channel right; once no run that it speaks of can be resumed any more, it is a dead letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, update
from sqlmodel import col

from connector.mirror.engine import writing
from monitor.channels import Channel, Message, Rejected, TryAgain
from monitor.ledger import AlertDelivery, AlertMessage, DeliveryState
from monitor.settings import AlertSettings
from monitor.verdict import RESUME_WINDOW

_CLAIM = timedelta(minutes=2)  # longer than any channel's time-out, so that a claim outlives a slow send
_LONGEST_WAIT_OBEYED = timedelta(hours=1)  # a channel that asks for more would outlive the last tier
_STRANDED = "The settings do not name this channel any more."
_REFUSED_WAIT = timedelta(hours=1)  # rare enough not to hammer an address that is wrong, often enough for a 24 h tier


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """One round of sending, in deliveries. `dead`, `waiting` and `stranded` count what the outbox holds afterwards."""

    sent: int = 0
    failed: int = 0  # for the moment
    rejected: int = 0  # refused by the channel
    dead: int = 0
    waiting: int = 0
    stranded: int = 0  # kept for channels that the settings do not name any more
    problems: tuple[str, ...] = ()

    @property
    def everything_arrived(self) -> bool:
        """Whether nothing is left to be delivered where it can be, and nothing went wrong in this round."""
        return not (self.waiting or self.problems)

    def to_json(self) -> dict[str, Any]:
        """The part `delivery` of the document of `reprise watch --json`."""
        return asdict(self) | {"problems": list(self.problems)}


def enqueue(
    connection: Connection, org_id: str, messages: Sequence[Message], channels: Sequence[str], now: datetime
) -> None:
    """Put an org's messages into the outbox of every channel, inside the caller's transaction."""
    for message in messages:
        row = AlertMessage(id=message.id, org_id=org_id, kind=message.kind, created_at=now, body=message.body)
        connection.execute(insert(AlertMessage).values(**row.model_dump()))
        for channel in channels:
            delivery = AlertDelivery(message_id=message.id, channel=channel, next_try_at=now)
            connection.execute(insert(AlertDelivery).values(**delivery.model_dump()))


def deliver(engine: Engine, channels: Sequence[Channel], now: datetime, settings: AlertSettings) -> DeliveryReport:
    """Send what is due at `now` (our clock) on each channel; never raises for a channel that fails."""
    tally: Counter[type[TryAgain | Rejected] | None] = Counter()
    problems: list[str] = []
    for channel in channels:
        for delivery, message in _due(engine, channel.name, now):
            if not _claim(engine, delivery, now):
                continue
            problem = _send(channel, message, now)
            state = _mark(engine, delivery, problem, now, settings)
            tally[type(problem) if problem else None] += 1
            if problem is not None:
                problems.append(_sentence(channel, message, problem, state))
            if isinstance(problem, TryAgain):
                break  # the channel is down: its other messages would fare no better now
    configured = {channel.name for channel in channels}
    problems += _say_stranded(engine, configured)
    pending, dead = _left(engine)
    waiting = sum(count for channel, count in pending.items() if channel in configured)
    return DeliveryReport(
        sent=tally[None],
        failed=tally[TryAgain],
        rejected=tally[Rejected],
        waiting=waiting,
        stranded=sum(pending.values()) - waiting,
        dead=dead,
        problems=tuple(problems),
    )


def _due(engine: Engine, channel: str, now: datetime) -> list[tuple[AlertDelivery, Message]]:
    """What may be sent now, least often tried first: a message that always fails must not block the others."""
    due = (
        select(AlertDelivery)
        .where(col(AlertDelivery.channel) == channel, col(AlertDelivery.state) == DeliveryState.PENDING)
        .where(col(AlertDelivery.next_try_at) <= now)
        .order_by(col(AlertDelivery.tries), col(AlertDelivery.next_try_at), col(AlertDelivery.message_id))
    )
    with engine.connect() as connection:
        deliveries = [AlertDelivery(**row) for row in connection.execute(due).mappings()]
        return [(delivery, _message(connection, delivery.message_id)) for delivery in deliveries]


def _message(connection: Connection, message_id: str) -> Message:
    query = select(col(AlertMessage.kind), col(AlertMessage.body)).where(col(AlertMessage.id) == message_id)
    kind, body = connection.execute(query).one()
    return Message(message_id, kind, body["title"], body["text"], body)


def _claim(engine: Engine, delivery: AlertDelivery, now: datetime) -> bool:
    """Whether the delivery is ours to try; the number of tries tells whether another sender was faster."""
    with writing(engine) as connection:
        claimed = connection.execute(
            update(AlertDelivery)
            .where(*_identity(delivery), col(AlertDelivery.state) == DeliveryState.PENDING)
            .where(col(AlertDelivery.tries) == delivery.tries)
            .values(tries=delivery.tries + 1, next_try_at=now + _CLAIM)
        )
    return claimed.rowcount == 1


def _send(channel: Channel, message: Message, now: datetime) -> TryAgain | Rejected | None:
    try:
        channel.send(message, now)
    except (TryAgain, Rejected) as problem:
        return problem
    except Exception as problem:  # noqa: BLE001 - a mistake in one channel must not silence the others
        return TryAgain(f"Sending failed unexpectedly ({type(problem).__name__}).")
    return None


def _mark(
    engine: Engine,
    delivery: AlertDelivery,
    problem: TryAgain | Rejected | None,
    now: datetime,
    settings: AlertSettings,
) -> DeliveryState:
    """Record how a try went: the state in which the delivery is now."""
    values: dict[str, Any] = {"problem": problem.what if problem else None}
    state = DeliveryState.PENDING
    if problem is None:
        state = DeliveryState.SENT
        values["sent_at"] = now
    elif isinstance(problem, TryAgain):
        values["next_try_at"] = now + _wait(delivery.tries, problem.after, settings)
    with writing(engine) as connection:
        if isinstance(problem, Rejected):
            values["next_try_at"] = now + _REFUSED_WAIT
            state = DeliveryState.PENDING if _still_matters(connection, delivery, now) else DeliveryState.DEAD
        connection.execute(update(AlertDelivery).where(*_identity(delivery)).values(state=state, **values))
        if isinstance(problem, TryAgain) and problem.after is not None:
            _hold_channel(connection, delivery.channel, values["next_try_at"])
    return state


def _still_matters(connection: Connection, delivery: AlertDelivery, now: datetime) -> bool:
    """Whether a run that the message speaks of may still be resumable: it had failed when the message was made."""
    made = connection.scalars(
        select(col(AlertMessage.created_at)).where(col(AlertMessage.id) == delivery.message_id)
    ).one()
    return now - made < RESUME_WINDOW


def _wait(tries: int, asked: timedelta | None, settings: AlertSettings) -> timedelta:
    """How long until the next try: doubling from the first, and never shorter than the channel asked for."""
    own = min(settings.first_retry_after * (1 << min(tries, 20)), settings.longest_retry_after)
    return max(own, min(asked or timedelta(), _LONGEST_WAIT_OBEYED))


def _hold_channel(connection: Connection, channel: str, until: datetime) -> None:
    """Retry-After speaks for the whole address, so nothing else is sent to it before."""
    connection.execute(
        update(AlertDelivery)
        .where(col(AlertDelivery.channel) == channel, col(AlertDelivery.state) == DeliveryState.PENDING)
        .where(col(AlertDelivery.next_try_at) < until)
        .values(next_try_at=until)
    )


def _left(engine: Engine) -> tuple[dict[str, int], int]:
    """What the outbox holds: waiting messages by channel, and the number of dead letters."""
    counted = select(col(AlertDelivery.state), col(AlertDelivery.channel), func.count()).group_by(
        col(AlertDelivery.state), col(AlertDelivery.channel)
    )
    with engine.connect() as connection:
        rows = connection.execute(counted).all()
    waiting = {channel: count for state, channel, count in rows if state == DeliveryState.PENDING}
    return waiting, sum(count for state, _, count in rows if state == DeliveryState.DEAD)


def _say_stranded(engine: Engine, configured: set[str]) -> list[str]:
    """Say once what waits for channels that the settings do not name any more; the deliveries remember that it was said."""
    unsaid = (
        col(AlertDelivery.state) == DeliveryState.PENDING,
        col(AlertDelivery.channel).not_in(configured),
        col(AlertDelivery.problem).is_distinct_from(_STRANDED),
    )
    counted = select(col(AlertDelivery.channel), func.count()).where(*unsaid).group_by(col(AlertDelivery.channel))
    with engine.connect() as connection:
        found = connection.execute(counted.order_by(col(AlertDelivery.channel))).all()
    if found:
        with writing(engine) as connection:
            connection.execute(update(AlertDelivery).where(*unsaid).values(problem=_STRANDED))
    return [
        f"{'1 message waits' if count == 1 else f'{count} messages wait'} for the channel {channel!r}, which the settings do"
        " not name any more. This is said once, and nothing is lost: put the channel back under [alerts] and"
        " `reprise watch --once` sends what waits."
        for channel, count in found
    ]


def _sentence(channel: Channel, message: Message, problem: TryAgain | Rejected, state: DeliveryState) -> str:
    fate = "will be tried again"
    if isinstance(problem, Rejected):
        given_up = state is DeliveryState.DEAD
        fate = "is given up, and never got through here" if given_up else "did not get through; next try in an hour"
    said = f"{channel.name}: {problem.what} The message {message.title!r} {fate}."
    return f"{said} {problem.next_step}".rstrip()


def _identity(delivery: AlertDelivery) -> tuple[ColumnElement[bool], ...]:
    return col(AlertDelivery.message_id) == delivery.message_id, col(AlertDelivery.channel) == delivery.channel
