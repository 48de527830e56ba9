"""Random histories: an org that changes in every way the platform allows, a mirror that polls at random and dies at random.

Whatever happened, once things are quiet the mirror must equal the org, and verdicts that were brought up to date run by
run must be those that judging every run gives. Rows are written below the orchestration engine,
which would never write such chaos; the engine's own life is for the scenarios.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import timedelta
from typing import Any

import stamina
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, event, inspect, text

from connector.errors import Failure
from connector.mirror.engine import open_mirror, writing
from connector.mirror.tables import MIRRORED
from connector.reconcile import reconcile
from connector.report import SyncOutcome
from connector.settings import SyncSettings
from connector.sync import sync
from fixtures.org import access, ids, serve
from fixtures.org.errors import SalesforceError
from fixtures.org.faults import Fault, Kind
from fixtures.org.transaction import HeldTransaction, Transaction
from monitor.assess import assess
from tests.connector.peers import differences, log_entries, stale_verdicts, token_client

RUN, STAGE, STEP, ITEM, LOG = (table.salesforce_object for table in MIRRORED)
STATUSES = ("Error", "InProgress", "Error", "Completed", "Suspended", "Brand New")
KINDS = ("FailInstance", "StartStep", "ResumeInstance")
FAULTS = (
    Kind.UNAVAILABLE,
    Kind.SERVER_ERROR,
    Kind.HTML_ERROR,
    Kind.LIMIT_EXCEEDED,
    Kind.QUERY_TIMEOUT,
    Kind.RESET,
    Kind.CUT_BODY,
    Kind.REPLY_LOST,
    Kind.LOGIN_PAGE,
    Kind.EXPIRE_LOCATORS,
    Kind.SHORT_PAGE,
    Kind.CLOCK_SKEW,
)
PAUSES = st.sampled_from([0, 1, 1, 30, 90, 700, 5000])  # seconds
BURST = 40  # rows; short pages cut them into six


class Crash(Exception):
    """Our process dies here."""


class History(RuleBasedStateMachine):
    """One history. `database` yields an empty mirror and must be set by whoever runs it."""

    database: Callable[[], AbstractContextManager[Engine]]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(stamina.set_testing(True, attempts=3))
        self.org = self.stack.enter_context(serve("empty"))
        self.store = self.org.world.store
        self.engine: Engine = self.stack.enter_context(type(self).database())
        self.client = token_client(self.org)
        self.held: list[HeldTransaction] = []
        self.hidden: set[str] = set()
        self.untraceable: set[str] = set()
        self.told = True

    def teardown(self) -> None:
        """Let everything become quiet, then compare."""
        try:
            self.org.faults.clear()
            for held in self.held:
                held.commit()
            access.share(self.store, self.org.user_id, self.hidden)
            self.store.clock.advance(timedelta(minutes=20))  # an org that refused /updated is read with a margin of 15
            self.polls_suffice()
            if self.untraceable:
                self.an_audit_finds_the_rest()
            self.verdicts_are_current()
        finally:
            self.client.close()
            self.stack.close()

    def polls_suffice(self) -> None:
        """Polling alone brings everything but what leaves no trace in the org: purges and sharing."""
        for _ in range(2):
            report = sync(self.client, self.engine, SyncSettings())
            assert report.outcome is SyncOutcome.COMPLETE, report.warnings
        found = differences(self.org, self.engine, ignoring=self.untraceable)
        assert found == [], found[:5]

    def verdicts_are_current(self) -> None:
        """No change was forgotten on the way to the verdicts."""
        found = stale_verdicts(self.engine, self.client.now())
        assert found == set(), found

    def an_audit_finds_the_rest(self) -> None:
        """After the Id audit nothing differs."""
        audit = reconcile(self.client, self.engine, SyncSettings(vanished_at_least=10_000), thorough=True)
        assert audit.outcome is SyncOutcome.COMPLETE, audit.warnings
        found = differences(self.org, self.engine)
        assert found == [], found[:5]

    # What happens in the org

    @initialize(
        told=st.sampled_from([True, True, True, False]),
        statuses=st.lists(st.sampled_from(STATUSES), min_size=1, max_size=3),
        mirrored=st.booleans(),
    )
    def begin(self, told: bool, statuses: list[str], mirrored: bool) -> None:
        """No history begins with nothing, for little can happen to it. Some orgs do not answer /updated and /deleted."""
        self.told = told
        if not told:
            self.org.faults.arm(Fault(Kind.NOT_SUPPORTED, match="/(updated|deleted)/", times=None))
        for status in statuses:
            self.run_appears(late=False, status=status, children=2)
        if mirrored:
            self.poll(pauses=[30, 700], judge=True)

    @rule(seconds=PAUSES)
    def time_passes(self, seconds: int) -> None:
        """Often not at all: equal stamps are the rule."""
        self.store.clock.advance(timedelta(seconds=seconds))

    @rule(late=st.booleans(), status=st.sampled_from(STATUSES), children=st.integers(0, 3))
    def run_appears(self, late: bool, status: str, children: int) -> None:
        """A run with what is below it, visible at once or whenever its transaction commits."""
        with self._transaction(late) as tx:
            run = tx.create(RUN, Status=status, OrchestrationDeveloperName="Loan", InterviewId=None)
            for number in range(children):
                stage = tx.create(STAGE, OrchestrationInstanceId=run, Status=status, Name=f"S{number}")
                step = tx.create(STEP, OrchestrationInstanceId=run, StageInstanceId=stage, Status=status, Name="Step")
                tx.create(ITEM, StepInstanceId=step, Status="Assigned")
                tx.create(LOG, OrchestrationInstanceId=run, Kind="StartStage", StageName=f"S{number}")

    @rule(late=st.booleans(), which=st.integers(0), kind=st.sampled_from(KINDS))
    def milestone_appears(self, late: bool, which: int, kind: str) -> None:
        """Something happened to a run, and only the log says so."""
        target = self._pick(RUN, which)
        if target is not None:
            with self._transaction(late) as tx:
                tx.create(LOG, OrchestrationInstanceId=target, Kind=kind)

    @rule(
        late=st.booleans(),
        which=st.integers(0),
        status=st.sampled_from(STATUSES),
        table=st.sampled_from([RUN, STAGE, STEP]),
    )
    def row_changes(self, late: bool, which: int, status: str, table: str) -> None:
        """A row gets another status; a row that a held transaction has changed stays locked."""
        target = self._pick(table, which)
        if target is not None:
            with self._transaction(late) as tx:
                tx.update(table, target, Status=status)

    @rule(
        late=st.booleans(),
        which=st.integers(0),
        table=st.sampled_from([RUN, STEP, ITEM, LOG]),
        emptied=st.booleans(),
    )
    def row_is_deleted(self, late: bool, which: int, table: str, emptied: bool) -> None:
        """A row goes to the recycle bin, which may be emptied at once: then only the delete log knows."""
        target = self._pick(table, which)
        if target is not None:
            with self._transaction(late) as tx:
                tx.delete(table, target)
            deleted = self.store.query(f"SELECT 1 FROM {table} WHERE IsDeleted = 1 AND Id = ?", [ids.compact(target)])
            if emptied and deleted:
                self.store.purge(table, target)
                if not self.told:
                    self.untraceable.add(target)

    @rule(which=st.integers(0), table=st.sampled_from([STAGE, STEP, ITEM, LOG]))
    def row_is_purged(self, which: int, table: str) -> None:
        """A row is gone for good, without having been in the recycle bin."""
        target = self._pick(table, which)
        if target is not None:
            self.untraceable.add(target)
            self.store.purge(table, target)

    @rule(dead_after=st.none() | st.integers(0, 3))
    def many_rows_in_one_second(self, dead_after: int | None) -> None:
        """More log entries with one stamp than the next pages hold; after some calls their locators may die."""
        self.org.faults.arm(Fault(Kind.SHORT_PAGE, match="/query", times=6))
        if dead_after is not None:
            self.org.faults.arm(Fault(Kind.EXPIRE_LOCATORS, match="/composite", after=dead_after))
        log_entries(self.org, BURST)

    @rule(which=st.integers(0), table=st.sampled_from([RUN, STEP, LOG]))
    def sharing_is_lost(self, which: int, table: str) -> None:
        """A row is hidden from us, unchanged."""
        target = self._pick(table, which)
        if target is not None:
            self.hidden.add(target)
            self.untraceable.add(target)
            access.unshare(self.store, self.org.user_id, [target])

    @precondition(lambda self: self.hidden)
    @rule()
    def sharing_returns(self) -> None:
        """Everything hidden can be seen again, with the stamps it had."""
        access.share(self.store, self.org.user_id, self.hidden)
        self.hidden.clear()

    @precondition(lambda self: self.held)
    @rule(commit=st.booleans(), which=st.integers(0))
    def transaction_ends(self, commit: bool, which: int) -> None:
        """A long transaction commits or rolls back."""
        held = self.held.pop(which % len(self.held))
        held.commit() if commit else held.rollback()

    # What goes wrong on the way

    @rule(kind=st.sampled_from(FAULTS), times=st.integers(1, 4), after=st.integers(0, 2))
    def fault_is_coming(self, kind: Kind, times: int, after: int) -> None:
        """The next requests, or parts of them, will fail."""
        seconds = 3600.0 if times % 2 else -3600.0
        self.org.faults.arm(Fault(kind, match="/services/data/", times=times, after=after, seconds=seconds))

    # What the mirror does

    @rule(pauses=st.lists(PAUSES, min_size=1, max_size=3), judge=st.booleans())
    def poll(self, pauses: list[int], judge: bool) -> None:
        """Passes, each after a while; what changed is judged at last or is not; faults may end any."""
        for seconds in pauses:
            self.store.clock.advance(timedelta(seconds=seconds))
            with suppress(Failure):
                sync(self.client, self.engine, SyncSettings())
        if judge:
            assess(self.engine, self.client.now(), everything=False)

    @rule()
    def audit(self) -> None:
        """One audit; a fault may end it."""
        with suppress(Failure):
            reconcile(self.client, self.engine, SyncSettings(vanished_at_least=10_000))

    @rule(statement=st.integers(0, 40))
    def poll_dies(self, statement: int) -> None:
        """Our process dies at some statement of a pass or of the judging, in the middle of a transaction or between two."""
        countdown = [statement]

        def die(*about: Any) -> None:
            if "advisory" in about[2]:
                return  # a process that died would no longer let go of its lock by itself
            countdown[0] -= 1
            if countdown[0] < 0:
                raise Crash

        event.listen(self.engine, "before_cursor_execute", die)
        try:
            with suppress(Crash, Failure):
                sync(self.client, self.engine, SyncSettings())
                assess(self.engine, self.client.now(), everything=False)
        finally:
            event.remove(self.engine, "before_cursor_execute", die)
        self.client.close()
        self.client = token_client(self.org)

    # Inside

    @contextmanager
    def _transaction(self, late: bool) -> Iterator[Transaction]:
        """A transaction, held open when `late`. A row that another one has locked makes it come to nothing."""
        held = self.store.begin() if late else None
        try:
            if held is not None:
                yield held
                self.held.append(held)
            else:
                with self.store.transaction() as tx:
                    yield tx
        except SalesforceError:
            if held is not None:
                held.rollback()

    def _pick(self, table: str, which: int) -> str | None:
        """Some committed, live row."""
        rows = self.store.query(f"SELECT Id FROM {table} WHERE IsDeleted = 0 ORDER BY Id")
        return None if not rows else ids.expand(rows[which % len(rows)][0])


@contextmanager
def emptied_mirrors(url: str) -> Iterator[Callable[[], AbstractContextManager[Engine]]]:
    """A factory of empty mirrors in one database, emptied each time: making one takes longer than a history."""
    engine = open_mirror(url)
    names = [name for name in inspect(engine).get_table_names() if name != "alembic_version"]

    @contextmanager
    def fresh() -> Iterator[Engine]:
        with writing(engine) as connection:
            for name in names:  # so few rows are gone sooner than PostgreSQL truncates two dozen tables
                connection.execute(text(f'DELETE FROM "{name}"'))
        yield engine

    try:
        yield fresh
    finally:
        engine.dispose()


def run_histories(
    database: Callable[[], AbstractContextManager[Engine]], number: int, *, seeded: int | None = None
) -> None:
    """That many histories; raises for the smallest that ends with a difference. A seed makes them other ones."""
    machine: type[History] = type("History", (History,), {"database": staticmethod(database)})
    options = settings(
        max_examples=number,
        stateful_step_count=12,
        deadline=None,
        derandomize=seeded is None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine if seeded is None else seed(seeded)(machine), settings=options)
