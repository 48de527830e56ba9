"""The watch: a cycle does its parts whatever fails, and the service goes on until it is told to stop."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from connector.errors import ApiLimitReached, MirrorUnusable
from connector.settings import SyncSettings
from fixtures.org.faults import Fault, Kind
from monitor.channels.console import ConsoleChannel
from monitor.ledger import AttemptOutcome
from monitor.schedule import CycleReport, Watcher, watch
from tests.mirrors import empty_mirror
from tests.monitor.workshop import Workshop, workshop

EAGER = SyncSettings(poll_floor=timedelta(milliseconds=1), api_share=1)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """A workshop on SQLite."""
    with workshop(empty_mirror(tmp_path)) as made:
        made.org.services.usage.daily_max = 10**9  # so that no test waits for the sake of the budget
        yield made


def watcher(shop: Workshop, written: list[str] | None = None, settings: SyncSettings = EAGER) -> Watcher:
    """A watcher of the shop's org that writes to a list."""
    console = ConsoleChannel((written if written is not None else []).append)
    return Watcher(shop.client, shop.engine, [console], clock=shop.now, sync_settings=settings)


def test_one_cycle_syncs_judges_tells_and_verifies(shop: Workshop) -> None:
    """`watch --once` does all of it in one go, and says nothing twice."""
    written: list[str] = []
    shop.fail_runs(2)
    shop.advance(days=8)
    reports: list[CycleReport] = []
    newest = watch(watcher(shop, written), once=True, say=reports.append)
    assert reports == [newest]
    assert newest is not None
    assert newest.problems == ()
    assert newest.evaluation is not None
    assert newest.evaluation.failed == 2
    assert len(written) == 1
    watch(watcher(shop, written), once=True, say=reports.append)
    assert len(written) == 1


def test_a_cycle_settles_what_a_command_left_open(shop: Workshop) -> None:
    """A resume whose proof came too late for the command is proven by the watch, without another write."""
    (run,) = shop.fail_runs(1)
    shop.sync()
    shop.org.faults.arm(Fault(Kind.LIMIT_EXCEEDED, match="POST /services/data/v[0-9.]+/composite", after=1, times=None))
    shop.execute(shop.plan([run]))
    shop.org.faults.clear()
    report = watcher(shop).cycle()
    assert report.verification is not None
    assert [one.outcome for one in report.verification.settled] == [AttemptOutcome.VERIFIED]
    assert shop.writes() == 1


def test_alerts_are_told_when_the_org_cannot_be_read(shop: Workshop) -> None:
    """A failed sync is a problem of the cycle; deadlines are told all the same, with the age of the data."""
    written: list[str] = []
    service = watcher(shop, written)
    service.cycle()
    shop.fail_runs(1)
    service.cycle()
    shop.advance(days=8)
    shop.org.faults.arm(Fault(Kind.LIMIT_EXCEEDED, match="/composite", times=None))
    report = service.cycle()
    assert [problem.during for problem in report.problems] == ["sync"]
    assert isinstance(report.problems[0].error, ApiLimitReached)
    assert "was last read" in written[-1]


def test_a_failing_cycle_does_not_end_the_service(shop: Workshop) -> None:
    """The first cycle fails and is reported, the next ones work, and a stop ends it after the one that runs."""
    shop.org.faults.arm(Fault(Kind.LIMIT_EXCEEDED, match="/composite", times=1))
    stop = threading.Event()
    reports: list[CycleReport] = []

    def say(report: CycleReport) -> None:
        reports.append(report)
        if len(reports) == 3:
            stop.set()

    newest = watch(watcher(shop), once=False, say=say, stop=stop)
    assert [bool(report.problems) for report in reports] == [True, False, False]
    assert newest is reports[-1]


def test_a_mirror_that_fails_for_a_while_does_not_end_the_service(shop: Workshop, tmp_path: Path) -> None:
    """While another program locks the database each part says so; when it lets go, the next cycle is whole again."""

    def wait_for_nobody(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=0").close()

    event.listen(shop.engine, "connect", wait_for_nobody)
    shop.engine.dispose()
    stop = threading.Event()
    reports: list[CycleReport] = []
    with closing(sqlite3.connect(tmp_path / "mirror.sqlite3", check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        def say(report: CycleReport) -> None:
            reports.append(report)
            other.rollback()
            if len(reports) == 2:
                stop.set()

        watch(watcher(shop), once=False, say=say, stop=stop)
    locked, whole = reports
    assert {type(problem.error) for problem in locked.problems} == {MirrorUnusable}
    assert "locked by another program" in str(locked.problems[0].error)
    assert whole.problems == ()


def test_cycles_never_overlap(shop: Workshop) -> None:
    """However eager the interval, a cycle begins when the one before has been reported."""
    inside = threading.Lock()
    stop = threading.Event()
    overlaps: list[bool] = []
    service = watcher(shop)

    def say(report: CycleReport) -> None:  # noqa: ARG001 - only that it was called counts
        overlaps.append(not inside.acquire(blocking=False))
        service.cycle()
        inside.release()
        if len(overlaps) == 4:
            stop.set()

    watch(service, once=False, say=say, stop=stop)
    assert overlaps == [False] * 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_service_after_the_cycle_that_runs(shop: Workshop, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C let the current work finish; the handlers of before are back afterwards."""
    before = signal.getsignal(number)
    reports: list[CycleReport] = []

    def say(report: CycleReport) -> None:
        reports.append(report)
        if len(reports) == 1:
            os.kill(os.getpid(), number)

    newest = watch(watcher(shop), once=False, say=say)
    assert newest is reports[-1]
    assert signal.getsignal(number) is before


def test_the_interval_stretches_as_the_allowance_is_used(shop: Workshop) -> None:
    """On an easy day the shortest interval; when the org's calls are nearly used up, the longest."""
    service = watcher(shop, settings=SyncSettings())
    assert service.interval(service.cycle()) == SyncSettings().poll_floor
    shop.org.services.usage.daily_max = shop.org.api_calls() + 1
    assert service.interval(service.cycle()) == SyncSettings().poll_ceiling


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(days=2)])
def test_the_pace_is_the_one_that_the_report_shows(shop: Workshop, ahead: timedelta) -> None:
    """What polls cost and what was spent is told by the org's time, wherever our clock stands."""
    shop.org.services.usage.daily_max = 1000
    shop.fail_runs(1)
    service = Watcher(shop.client, shop.engine, [], clock=lambda: shop.now() + ahead)
    total = 0
    for _ in range(3):
        report = service.cycle()
        assert report.sync is not None
        assert report.sync.spend is not None
        total += report.sync.api_calls
        assert report.sync.spend.budget.ours == total
        assert service.interval(report) == report.sync.spend.interval
        shop.advance(minutes=6)
    assert service.interval(report) > timedelta(minutes=14)  # polls of two calls


def test_without_a_word_from_the_org_the_shortest_interval_holds(shop: Workshop) -> None:
    """A cycle that could not read the org is repeated soon: deadlines are burning."""
    service = watcher(shop, settings=SyncSettings())
    shop.org.faults.arm(Fault(Kind.LIMIT_EXCEEDED, match="/composite", times=None))
    assert service.interval(service.cycle()) == SyncSettings().poll_floor
