"""The outbox: at least once, under one id, whatever crashes or fails on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlmodel import Session

from connector.mirror.engine import open_mirror, writing
from monitor.channels import Message, Rejected, TryAgain
from monitor.ledger import AlertDelivery
from monitor.outbox import DeliveryReport, deliver, enqueue
from monitor.settings import AlertSettings

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ORG = "00DRM000003ZjUF2A0"
Fails = Callable[[Message], BaseException | None]


class Receiver:
    """A channel that remembers what it got, and then fails as it is told."""

    def __init__(self, name: str = "desk", fails: Fails = lambda _message: None) -> None:
        self.name = name
        self.fails = fails
        self.got: list[str] = []

    def send(self, message: Message, now: datetime) -> None:  # noqa: ARG002 - the shape of a channel
        """Take it, and fail."""
        self.got.append(message.id)
        problem = self.fails(message)
        if problem is not None:
            raise problem


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty mirror with its outbox."""
    opened = open_mirror(database_url)
    yield opened
    opened.dispose()


def put(engine: Engine, *ids: str, channels: tuple[str, ...] = ("desk",)) -> None:
    """Put messages with these ids into the outbox."""
    messages = [
        Message(each, "24 h", f"title {each}", "text", {"title": f"title {each}", "text": "text"}) for each in ids
    ]
    with writing(engine) as connection:
        enqueue(connection, ORG, messages, channels, NOW)


def send(engine: Engine, *channels: Receiver, after: timedelta = timedelta()) -> DeliveryReport:
    """One round of sending, so long after NOW."""
    return deliver(engine, channels, NOW + after, AlertSettings())


def states(engine: Engine) -> dict[str, str]:
    """The state of each delivery of the first channel by message id."""
    with Session(engine) as session:
        return {row.message_id: str(row.state) for row in session.scalars(select(AlertDelivery))}


def test_each_message_goes_to_each_channel_once(engine: Engine) -> None:
    """What is sent is marked, and not sent again."""
    desk, phone = Receiver("desk"), Receiver("phone")
    put(engine, "a", "b", channels=("desk", "phone"))
    assert send(engine, desk, phone).sent == 4
    assert send(engine, desk, phone, after=timedelta(hours=1)) == DeliveryReport()
    assert (desk.got, phone.got) == (["a", "b"], ["a", "b"])


def test_what_waits_for_a_channel_that_was_taken_away_is_said_once_and_kept(engine: Engine) -> None:
    """The round that says it is not complete, later ones are; when the channel is back it gets what waits."""
    desk, phone = Receiver("desk"), Receiver("phone")
    put(engine, "a", "b", channels=("desk", "phone"))
    first, second = send(engine, desk), send(engine, desk, after=timedelta(hours=1))
    (said,) = first.problems
    assert said.startswith("2 messages wait for the channel 'phone', which the settings do not name any more.")
    assert "`reprise watch --once` sends what waits" in said
    assert (first.waiting, first.stranded, first.everything_arrived) == (0, 2, False)
    assert (second.problems, second.stranded, second.everything_arrived) == ((), 2, True)
    assert send(engine, desk, phone).sent == 2
    assert phone.got == ["a", "b"]


def test_what_is_rolled_back_was_never_said(engine: Engine) -> None:
    """The outbox row lives and dies with the caller's transaction."""
    message = Message("a", "24 h", "t", "t", {"title": "t", "text": "t"})
    with engine.connect() as connection:
        enqueue(connection, ORG, [message], ["desk"], NOW)
        connection.rollback()
    assert send(engine, desk := Receiver()) == DeliveryReport()
    assert desk.got == []


def test_a_crash_after_sending_repeats_the_message_under_the_same_id(engine: Engine) -> None:
    """Killed between sending and marking, the message comes again when the claim runs out: twice rather than never."""
    put(engine, "a")
    crashing = Receiver(fails=lambda _message: KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        send(engine, crashing)
    desk = Receiver()
    assert send(engine, desk, after=timedelta(seconds=30)).sent == 0
    assert send(engine, desk, after=timedelta(minutes=3)).sent == 1
    assert (crashing.got, desk.got) == (["a"], ["a"])


def test_a_passing_failure_is_tried_again_with_growing_waits(engine: Engine) -> None:
    """30 s, then 1 min, then 2 min, at most 15 min; and the message is said to wait."""
    put(engine, "a")
    desk = Receiver(fails=lambda _message: TryAgain("The line is busy."))
    first = send(engine, desk)
    assert (first.failed, first.waiting) == (1, 1)
    assert "will be tried again" in first.problems[0]
    tried_at = []
    for seconds in range(0, 3600, 30):
        before = len(desk.got)
        send(engine, desk, after=timedelta(seconds=seconds))
        tried_at += [seconds] * (len(desk.got) - before)
    assert tried_at == [30, 90, 210, 450, 930, 1830, 2730]
    desk.fails = lambda _message: None
    assert send(engine, desk, after=timedelta(hours=2)).sent == 1


def test_retry_after_is_honoured_by_the_whole_channel(engine: Engine) -> None:
    """A channel that asks for ten minutes of peace gets them, for its other messages too."""
    put(engine, "a", "b")
    desk = Receiver(fails=lambda _message: TryAgain("Too many.", after=timedelta(minutes=10)))
    send(engine, desk)
    desk.fails = lambda _message: None
    assert send(engine, desk, after=timedelta(minutes=9)).sent == 0
    assert send(engine, desk, after=timedelta(minutes=10)).sent == 2
    assert desk.got == ["a", "b", "a"] or desk.got == ["a", "a", "b"]


def test_a_channel_cannot_put_off_warnings_for_ever(engine: Engine) -> None:
    """A Retry-After of a year is obeyed for an hour: deadlines do not wait."""
    put(engine, "a")
    desk = Receiver(fails=lambda _message: TryAgain("Later.", after=timedelta(days=365)))
    send(engine, desk)
    desk.fails = lambda _message: None
    assert send(engine, desk, after=timedelta(hours=1)).sent == 1


def test_a_refused_message_is_said_loudly_each_time_and_not_hammered(engine: Engine) -> None:
    """A 400 holds up nobody else and is tried once an hour; when the address is right again, the message arrives."""
    put(engine, "a", "b")
    desk = Receiver(fails=lambda message: Rejected("HTTP 400.", next_step="Fix it.") if message.id == "a" else None)
    report = send(engine, desk)
    assert (report.sent, report.rejected, report.waiting, report.dead) == (1, 1, 1, 0)
    assert "HTTP 400. The message 'title a' did not get through; next try in an hour. Fix it." in report.problems[0]
    between = send(engine, desk, after=timedelta(minutes=59))
    assert (between.rejected, between.waiting, between.everything_arrived) == (0, 1, False)
    assert send(engine, desk, after=timedelta(minutes=60)).problems == report.problems
    assert desk.got == ["a", "b", "a"]
    desk.fails = lambda _message: None
    last = send(engine, desk, after=timedelta(minutes=120))
    assert (last.sent, last.everything_arrived) == (1, True)


def test_a_refused_message_is_given_up_when_its_runs_are_beyond_help(engine: Engine) -> None:
    """14 days after it was made no run in it can be resumed: a dead letter, said once more, counted from then on."""
    put(engine, "a")
    desk = Receiver(fails=lambda _message: Rejected("HTTP 400."))
    assert send(engine, desk, after=timedelta(days=13, hours=23)).waiting == 1
    last = send(engine, desk, after=timedelta(days=14, hours=1))
    assert (last.rejected, last.waiting, last.dead, last.everything_arrived) == (1, 0, 1, False)
    assert "is given up, and never got through" in last.problems[0]
    later = send(engine, desk, after=timedelta(days=15))
    assert (later.rejected, later.dead, later.everything_arrived) == (0, 1, True)
    assert states(engine) == {"a": "DEAD"}


def test_one_failing_channel_does_not_hold_up_another(engine: Engine) -> None:
    """The telephone works although the desk is on fire."""
    put(engine, "a", channels=("desk", "phone"))
    desk = Receiver(fails=lambda _message: ZeroDivisionError())
    phone = Receiver("phone")
    report = send(engine, desk, phone)
    assert (report.sent, report.failed, phone.got) == (1, 1, ["a"])
    assert "ZeroDivisionError" in report.problems[0]


def test_a_message_that_always_fails_does_not_block_the_others(engine: Engine) -> None:
    """The least tried goes first, so a poisoned message is overtaken."""
    put(engine, "a", "b", "c")
    desk = Receiver(fails=lambda message: TryAgain("No.") if message.id == "a" else None)
    for minutes in range(3):
        send(engine, desk, after=timedelta(minutes=minutes))
    assert states(engine) == {"a": "PENDING", "b": "SENT", "c": "SENT"}
