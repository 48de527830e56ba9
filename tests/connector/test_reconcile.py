"""The Id audit: purged rows are marked, hidden rows come back, lost access is an alarm, and agreement costs one call."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.errors import MirrorUnusable
from connector.mirror.tables import LogEntry, Run
from connector.reconcile import ReconcileReport, reconcile
from connector.report import SyncOutcome
from connector.settings import SyncSettings
from fixtures.org import access
from fixtures.org.faults import Fault, Kind
from tests.connector.peers import Peers, differences, in_mirror, peers, runs_to_judge
from tests.mirrors import empty_mirror

RUN, LOG = Run.salesforce_object, LogEntry.salesforce_object


def some_runs(both: Peers, count: int) -> list[str]:
    """That many runs, a second apart, mirrored."""
    found = []
    for _ in range(count):
        with both.org.world.store.transaction() as tx:
            found.append(tx.create(RUN, Status="InProgress", OrchestrationDeveloperName="Loan"))
        both.org.world.store.clock.set(both.org.world.store.now().replace(microsecond=0))
    both.advance(minutes=5)
    both.sync()
    both.advance(minutes=5)
    return found


def audit(both: Peers, **changes: object) -> ReconcileReport:
    """One audit with changed settings."""
    thorough = bool(changes.pop("thorough", False))
    return reconcile(both.client, both.engine, SyncSettings.model_validate(changes), thorough=thorough)


def test_agreement_costs_one_call(tmp_path: Path) -> None:
    """When the counts agree, the audit asks once and changes nothing."""
    with peers(empty_mirror(tmp_path)) as both:
        some_runs(both, 5)
        report = audit(both)
        assert (report.outcome, report.api_calls, report.changed_runs) == (SyncOutcome.COMPLETE, 1, 0)


def test_a_row_that_changed_out_of_sight_is_read_when_it_is_shared_again(database_url: str) -> None:
    """No poll reads behind the watermark and no count differs: the next audit compares what changed since the last one."""
    with peers(database_url) as both:
        runs = some_runs(both, 5)
        store = both.org.world.store
        access.unshare(store, both.org.user_id, runs[:2])
        with store.transaction() as tx:
            tx.update(RUN, runs[0], Status="Error")
        both.advance(minutes=10)
        both.sync()
        access.share(store, both.org.user_id, runs[:2])
        both.sync()
        assert in_mirror(both.engine, Run)[runs[0]]["status"] == "InProgress"
        report = audit(both)
        assert (report.outcome, report.objects[0].returned) == (SyncOutcome.COMPLETE, 1)
        assert differences(both.org, both.engine) == []
        assert audit(both).api_calls == 1


def test_a_purged_row_is_marked_and_kept(database_url: str) -> None:
    """A row that left no trace keeps its values and gets the date; the run above it counts as changed."""
    with peers(database_url) as both:
        runs = some_runs(both, 5)
        assert runs_to_judge(both.engine) == set(runs)
        both.org.world.store.purge(RUN, runs[2])
        report = audit(both)
        row = in_mirror(both.engine, Run)[runs[2]]
        assert row["status"] == "InProgress"
        assert row["vanished_at"] is not None
        assert (report.objects[0].vanished, report.changed_runs) == (1, 1)
        assert report.warnings[0].startswith("1 FlowOrchestrationInstance row cannot be found any more")
        assert runs_to_judge(both.engine) == {runs[2]}
        assert differences(both.org, both.engine) == []


def test_a_row_that_sharing_brings_back_is_whole_again(database_url: str) -> None:
    """Hidden, it is marked; shared again, with the stamp it always had, it is no longer marked and up to date."""
    with peers(database_url) as both:
        runs = some_runs(both, 3)
        access.unshare(both.org.world.store, both.org.user_id, runs[:1])
        audit(both)
        assert in_mirror(both.engine, Run)[runs[0]]["vanished_at"] is not None
        with both.org.world.store.transaction() as tx:
            tx.update(RUN, runs[0], Status="Error")
        both.advance(minutes=5)
        both.sync()
        both.advance(minutes=5)
        access.share(both.org.world.store, both.org.user_id, runs[:1])
        report = audit(both)
        assert report.objects[0].returned == 1
        assert differences(both.org, both.engine) == []


def test_lost_access_is_an_alarm_and_marks_nothing(tmp_path: Path) -> None:
    """When most rows are gone at once the audit is PARTIAL, says why, and no row is marked."""
    with peers(empty_mirror(tmp_path)) as both:
        runs = some_runs(both, 30)
        access.unshare(both.org.world.store, both.org.user_id, runs[:25])
        report = audit(both)
        assert report.outcome is SyncOutcome.PARTIAL
        assert report.objects[0].alarm
        assert report.warnings[0].startswith("Partial visibility: of 30 live FlowOrchestrationInstance rows only 5")
        assert not [row for row in in_mirror(both.engine, Run).values() if row["vanished_at"]]


def test_what_changed_during_lost_access_is_read_after_it(tmp_path: Path) -> None:
    """While the alarm stands each pass is partial; the audit that clears it reads what changed since the one before it."""
    with peers(empty_mirror(tmp_path)) as both:
        runs = some_runs(both, 30)
        store = both.org.world.store
        access.unshare(store, both.org.user_id, runs[:25])
        with store.transaction() as tx:
            tx.update(RUN, runs[0], Status="Error")
        both.advance(hours=1)
        both.sync()
        audit(both)
        both.advance(hours=1)
        report = both.sync()
        assert report.outcome is SyncOutcome.PARTIAL
        assert "raise sync.vanished_share" in report.warnings[0]
        access.share(store, both.org.user_id, runs[:25])
        both.advance(hours=1)
        assert audit(both).outcome is SyncOutcome.COMPLETE
        assert both.sync().outcome is SyncOutcome.COMPLETE
        assert differences(both.org, both.engine) == []


def test_what_cannot_be_audited_is_said(tmp_path: Path) -> None:
    """An object whose reading again has begun and not ended is left out, and the audit is partial."""
    with peers(empty_mirror(tmp_path)) as both:
        some_runs(both, 3)
        both.org.faults.arm(Fault(Kind.SERVER_ERROR, match="FROM FlowOrchestrationLog", times=None))
        both.sync(full=True)
        both.org.faults.clear()
        report = audit(both)
        assert report.outcome is SyncOutcome.PARTIAL
        assert report.warnings[0] == "FlowOrchestrationLog was not audited: it is still being read."


def test_a_difference_among_many_is_found_by_halving(tmp_path: Path) -> None:
    """One purged row among 12,000 is found in a few calls, not by listing every Id."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        columns = ("Id", "Status", "CreatedDate", "LastModifiedDate", "SystemModstamp", "IsDeleted")
        now, serials = store.epoch(), store.reserve(RUN, 12_000)
        store.load(RUN, columns, ((key, "Completed", now - n, now, now, 0) for n, key in enumerate(serials)))
        both.advance(minutes=5)
        both.sync()
        both.advance(minutes=5)
        target = sorted(in_mirror(both.engine, Run))[7000]
        store.purge(RUN, target)
        report = audit(both)
        assert report.objects[0].vanished == 1
        assert report.api_calls <= 6
        assert differences(both.org, both.engine) == []


def test_an_audit_stops_at_its_limit_of_calls(tmp_path: Path) -> None:
    """With no calls left the audit ends as PARTIAL and says so, once, however much it leaves undone."""
    with peers(empty_mirror(tmp_path)) as both:
        runs = some_runs(both, 3)
        both.sync()
        both.org.world.store.purge(RUN, runs[0])
        report = audit(both, reconcile_calls=1)
        assert report.outcome is SyncOutcome.PARTIAL
        assert "stopped after 1 calls" in report.warnings[0]
        assert len([warning for warning in report.warnings if "stopped after" in warning]) == 1


def test_a_thorough_audit_sees_through_equal_counts(tmp_path: Path) -> None:
    """One row gone and another come back leaves the count as it was; listing every Id finds both."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        runs = some_runs(both, 4)
        access.unshare(store, both.org.user_id, runs[:1])
        audit(both)
        access.share(store, both.org.user_id, runs[:1])
        store.purge(RUN, runs[1])
        assert audit(both).objects[0].returned == 0
        audit(both, thorough=True)
        assert differences(both.org, both.engine) == []


def test_there_must_be_something_to_audit(tmp_path: Path) -> None:
    """Before the first sync the audit says what to do."""
    with peers(empty_mirror(tmp_path)) as both, pytest.raises(MirrorUnusable) as refused:
        audit(both)
    assert "reprise sync" in refused.value.next_step
