"""The service behind `reprise watch`: one cycle after another on APScheduler, until it is told to stop.

A cycle is sync, once a day an audit of all Ids, assess, evaluate, deliver, verify. A part that fails is reported and the
others go on: above all, alerts are evaluated when the org cannot be read, because deadlines do not wait for the network.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine

from connector.audits import is_due
from connector.mirror.engine import find_org, org_now
from connector.org.client import OrgClient
from connector.pace import next_interval
from connector.reconcile import ReconcileReport, reconcile
from connector.report import SyncReport
from connector.settings import SyncSettings
from connector.sync import sync
from monitor.alerts import DeliveryReport, Evaluation, deliver, evaluate
from monitor.assess import assess
from monitor.channels import Channel
from monitor.proof import VerifyReport, verify_open
from monitor.settings import AlertSettings, MonitorSettings, ResumeSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a cycle that failed, and how."""

    during: str
    error: Exception


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What one cycle did. A part that failed has no report of its own, and a problem instead."""

    started_at: datetime
    sync: SyncReport | None = None
    audit: ReconcileReport | None = None  # None also where no audit was due
    evaluation: Evaluation | None = None
    delivery: DeliveryReport | None = None
    verification: VerifyReport | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know although the part itself went through."""
        parts = (self.sync, self.audit)
        found = [warning for part in parts if part for warning in part.warnings]
        return (*dict.fromkeys(found), *(self.delivery.problems if self.delivery else ()))


@dataclass(slots=True)
class Watcher:
    """Everything that a cycle needs. `clock` is ours, aware UTC."""

    client: OrgClient
    engine: Engine
    channels: Sequence[Channel]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sync_settings: SyncSettings = field(default_factory=lambda: SyncSettings())
    monitor: MonitorSettings = field(default_factory=lambda: MonitorSettings())
    resume: ResumeSettings = field(default_factory=lambda: ResumeSettings())
    alerts: AlertSettings = field(default_factory=lambda: AlertSettings())
    _judged_all: bool = field(default=False, init=False)

    def cycle(self) -> CycleReport:
        """One cycle. Never raises for what goes wrong on the way: that is in the report."""
        problems: list[Problem] = []

        def attempt(during: str, work: Callable[[], T]) -> T | None:
            try:
                return work()
            except Exception as error:  # noqa: BLE001 - one bad part must not keep the others from warning people
                problems.append(Problem(during, error))
                return None

        started_at = self.clock()
        audited = None
        synced = attempt("sync", lambda: sync(self.client, self.engine, self.sync_settings))
        if synced is not None:
            audited = attempt("audit", self._audit)
            attempt("assess", self._assess)
        evaluation = attempt("evaluate", self._evaluate)
        delivery = attempt("deliver", lambda: deliver(self.engine, self.channels, self.clock(), self.alerts))
        verification = attempt("verify", self._verify) if synced is not None else None
        return CycleReport(started_at, synced, audited, evaluation, delivery, verification, tuple(problems))

    def interval(self, report: CycleReport) -> timedelta:
        """How long to wait after this cycle: as its sync says of the org's API budget, sooner while a resume waits for proof."""
        spent = report.sync.spend if report.sync else None
        if spent is None:
            return self.sync_settings.poll_floor
        verifying = report.verification is not None and report.verification.still_open > 0
        return next_interval(self.sync_settings, spent.budget, calls_per_poll=spent.calls_per_poll, verifying=verifying)

    def _audit(self) -> ReconcileReport | None:
        """The Id audit, on the day that it is due."""
        if not is_due(self.engine, self.client.identity.org_id, self.sync_settings, self.client.now()):
            return None
        return reconcile(self.client, self.engine, self.sync_settings)

    def _assess(self) -> int:
        """The first cycle judges every failed run: the verdicts on record may be those of an older Reprise."""
        org = find_org(self.engine, self.client.identity.org_id)
        now = org_now(org, self.clock())
        judged = assess(self.engine, now, everything=not self._judged_all, org_id=org.org_id)
        self._judged_all = True
        return judged

    def _evaluate(self) -> Evaluation:
        names = [channel.name for channel in self.channels]
        return evaluate(self.engine, self.clock(), self.monitor, names, self.client.settings.name)

    def _verify(self) -> VerifyReport:
        return verify_open(
            self.engine, self.client, settings=self.resume, clock=self.clock, sync_settings=self.sync_settings
        )


def watch(
    watcher: Watcher,
    *,
    once: bool,
    say: Callable[[CycleReport], object],
    stop: threading.Event | None = None,
) -> CycleReport | None:
    """Run one cycle (`once`), or one after another until SIGTERM, SIGINT or `stop`; the newest report, if there is one.

    `say` gets each report as it comes. The cycle that runs when the signal comes is finished first; a second signal ends
    it at once. Cycles never overlap: the next is planned when one has ended.
    """
    if once:
        report = watcher.cycle()
        say(report)
        return report
    return _Service(watcher, say, stop or threading.Event()).run()


class _Service:
    """The endless watch."""

    def __init__(self, watcher: Watcher, say: Callable[[CycleReport], object], stop: threading.Event) -> None:
        self.watcher, self.say, self.stop = watcher, say, stop
        self.newest: CycleReport | None = None
        self.planning = threading.Lock()
        self.scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})

    def run(self) -> CycleReport | None:
        with _stopped_by_signals(self.stop):
            self._plan(timedelta())
            self.scheduler.start()
            self.stop.wait()
            with self.planning:
                pass  # nobody plans any more: the shutdown waits for the cycle, with a lock that planning needs
            self.scheduler.shutdown(wait=True)
        return self.newest

    def _plan(self, wait: timedelta) -> None:
        # No misfire time: a cycle that comes late, say after the machine slept, is still wanted.
        self.scheduler.add_job(self._cycle, "date", run_date=datetime.now(UTC) + wait, misfire_grace_time=None)

    def _cycle(self) -> None:
        wait = self.watcher.sync_settings.poll_floor
        try:
            self.newest = self.watcher.cycle()
            self.say(self.newest)
            wait = self.watcher.interval(self.newest)
        finally:
            with self.planning:
                if not self.stop.is_set():
                    self._plan(wait)


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """While inside, SIGTERM and SIGINT set `stop`; a second one interrupts. Only the main thread can have handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: object) -> None:  # noqa: ARG001 - the shape that signal wants
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {each: signal.signal(each, handle) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
