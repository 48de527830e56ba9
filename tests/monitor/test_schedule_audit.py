"""The watch's Id audit: run when it is due, told when it finds too little, and told until an audit finds it mended."""

from __future__ import annotations

from pathlib import Path

from connector.mirror.engine import find_org
from connector.mirror.tables import Run
from connector.report import SyncOutcome
from connector.settings import SyncSettings
from fixtures.org import access
from monitor.schedule import CycleReport, Watcher
from tests.mirrors import empty_mirror
from tests.monitor.workshop import Workshop, workshop


def a_cycle(shop: Workshop, hours: float) -> CycleReport:
    """One cycle after so many hours in which nothing happened."""
    shop.advance(hours=hours)
    return Watcher(shop.client, shop.engine, [], clock=shop.now, sync_settings=SyncSettings()).cycle()


def runs_of(shop: Workshop, count: int) -> list[str]:
    """That many runs that wait for nothing."""
    store = shop.org.world.store
    with store.transaction() as tx:
        return [
            tx.create(Run.salesforce_object, Status="InProgress", OrchestrationDeveloperName="Loan")
            for _ in range(count)
        ]


def test_ids_are_audited_once_a_day_for_two_calls(tmp_path: Path) -> None:
    """Every other cycle is one call; the one on which the audit is due is three."""
    with workshop(empty_mirror(tmp_path)) as shop:
        runs_of(shop, 3)
        a_cycle(shop, hours=1)
        calls = []
        audited = []
        for _ in range(8):
            before = shop.org.api_calls()
            report = a_cycle(shop, hours=6.5)
            assert report.problems == ()
            calls.append(shop.org.api_calls() - before)
            audited.append(report.audit is not None)
        assert audited == [False, False, False, True] * 2
        assert calls == [1, 1, 1, 3] * 2


def test_a_purged_run_is_found_by_the_watch(tmp_path: Path) -> None:
    """What left no trace that a poll could see is marked within a day."""
    with workshop(empty_mirror(tmp_path)) as shop:
        runs = runs_of(shop, 3)
        a_cycle(shop, hours=1)
        shop.org.world.store.purge(Run.salesforce_object, runs[0])
        report = a_cycle(shop, hours=25)
        assert report.audit is not None
        assert report.audit.changed_runs == 1


def test_lost_access_is_told_until_it_is_mended(tmp_path: Path) -> None:
    """The alarm stands in every later cycle's warnings and in the org's problem, and goes when an audit sees all again."""
    with workshop(empty_mirror(tmp_path)) as shop:
        runs = runs_of(shop, 30)
        a_cycle(shop, hours=1)
        access.unshare(shop.org.world.store, shop.org.user_id, runs[:25])
        found, later = a_cycle(shop, hours=25), a_cycle(shop, hours=1)
        for report in (found, later):
            assert [warning for warning in report.warnings if warning.startswith("Partial visibility: of 30 live")]
        assert later.audit is None
        assert later.sync is not None
        assert later.sync.outcome is SyncOutcome.PARTIAL
        assert (find_org(shop.engine, shop.client.identity.org_id).last_problem or "").startswith("Partial visibility")
        access.share(shop.org.world.store, shop.org.user_id, runs[:25])
        a_cycle(shop, hours=25)
        mended = a_cycle(shop, hours=1)
        assert mended.warnings == ()
        assert find_org(shop.engine, shop.client.identity.org_id).last_problem is None
