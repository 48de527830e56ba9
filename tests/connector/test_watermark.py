"""No row is lost: late commits, ties across page borders, changes while paging, dead locators, deaths of ours, wrong clocks."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.errors import UsageError
from connector.mirror.engine import open_mirror, writing
from connector.mirror.tables import LogEntry, Run
from connector.mirror.upsert import mark_deleted
from connector.report import Progress, SyncOutcome
from connector.settings import SyncSettings
from connector.sync import sync
from fixtures.org import access
from fixtures.org.faults import Fault, Kind
from tests.connector.peers import differences, in_mirror, log_entries, peers
from tests.mirrors import empty_mirror

RUN, LOG = Run.salesforce_object, LogEntry.salesforce_object


class Died(BaseException):
    """Our process ends here."""


@pytest.mark.parametrize("seconds_late", [1, 59, 61, 300, 590, 1200])
def test_rows_that_commit_late_are_read(tmp_path: Path, seconds_late: int) -> None:
    """A row that becomes visible long after its stamp is read by the first poll that can see it."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        held = store.begin()
        late = held.create(RUN, Status="Error", OrchestrationDeveloperName="Late")
        for _ in range(3):
            store.clock.advance(timedelta(seconds=seconds_late / 3))
            with store.transaction() as tx:
                tx.create(RUN, Status="InProgress", OrchestrationDeveloperName="Early")
            both.sync()
        assert late not in in_mirror(both.engine, Run)
        held.commit()
        both.sync()
        assert differences(both.org, both.engine) == []


@pytest.mark.parametrize("minutes", [10, 50], ids=["within the margin", "beyond it"])
def test_a_failed_question_does_not_move_the_watermark(tmp_path: Path, minutes: int) -> None:
    """Where the org fails to say once what it covers, a transaction that is open for long stays ahead of the watermark,
    which does not fall back either: nothing is read a second time in vain."""
    with peers(empty_mirror(tmp_path)) as both:
        both.sync()
        both.advance(minutes=5)
        known = both.sync().objects[0].watermark
        held = both.org.world.store.begin()
        held.create(RUN, Status="Error", OrchestrationDeveloperName="Late")
        both.advance(minutes=minutes)
        with both.org.world.store.transaction() as tx:
            tx.create(RUN, Status="InProgress")
        both.org.faults.arm(Fault(Kind.UNAVAILABLE, match=f"{RUN}/updated"))
        report = both.sync()
        assert (report.outcome, report.api_calls) == (SyncOutcome.COMPLETE, 1)
        assert report.objects[0].watermark == known
        assert [warning for warning in report.warnings if warning.startswith("This time the org did not answer")]
        held.commit()
        both.advance(minutes=1)
        assert both.sync().warnings == ()
        assert differences(both.org, both.engine) == []


def test_an_object_that_can_be_read_again_goes_on_where_it_was(tmp_path: Path) -> None:
    """Nobody asked what is covered while it could not be read, so a transaction that was open meanwhile is waited for."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        with store.transaction() as tx:
            run = tx.create(RUN, Status="InProgress")
        both.sync()
        both.advance(minutes=5)
        both.sync()
        held = store.begin()
        held.create(LOG, OrchestrationInstanceId=run, Kind="StartStep")
        access.hide_name(store, LOG)
        both.advance(minutes=1)
        both.sync()
        access.show_name(store, LOG)
        both.advance(minutes=50)
        log_entries(both.org, 1)
        both.sync()
        held.commit()
        both.advance(minutes=1)
        both.sync()
        assert differences(both.org, both.engine) == []


@pytest.mark.parametrize("meanwhile", ["full", "death", "refusal"])
def test_what_was_deleted_and_purged_is_asked_until_it_is_told(tmp_path: Path, meanwhile: str) -> None:
    """Reading everything again, dying in a first load, or a failed question moves no window of deletes past them."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        first, *_ = log_entries(both.org, 11_000 if meanwhile == "death" else 3)
        both.advance(minutes=30)
        with pytest.raises(Died) if meanwhile == "death" else nullcontext():
            both.sync(progress=_die if meanwhile == "death" else None)
        assert first in in_mirror(both.engine, LogEntry)
        with store.transaction() as tx:
            tx.delete(LOG, first)
        store.purge(LOG, first)
        both.advance(minutes=30)
        if meanwhile == "refusal":
            both.org.faults.arm(Fault(Kind.UNAVAILABLE, match=f"{LOG}/deleted"))
            both.sync()
            both.advance(minutes=30)
        both.sync(full=meanwhile == "full")
        assert differences(both.org, both.engine) == []


def _die(_: Progress) -> None:
    raise Died


def test_more_rows_in_one_second_than_a_page_holds(database_url: str) -> None:
    """5,000 rows with one stamp arrive complete, in a first load and in a later poll."""
    with peers(database_url) as both:
        log_entries(both.org, 5000)
        both.advance(minutes=5)
        assert both.sync().outcome is SyncOutcome.COMPLETE
        log_entries(both.org, 4001)
        report = both.sync()
        assert differences(both.org, both.engine) == []
        assert report.api_calls == 2


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_a_dead_locator_at_any_page(tmp_path: Path, dies_at: int) -> None:
    """When the org forgets an open query, reading goes on behind the last committed row, for as long as it takes."""
    with peers(empty_mirror(tmp_path)) as both:
        log_entries(both.org, 9000)
        both.advance(minutes=5)
        both.org.faults.arm(Fault(Kind.EXPIRE_LOCATORS, match="/composite", after=dies_at, times=None))
        report = both.sync()
        assert report.outcome is SyncOutcome.COMPLETE
        assert differences(both.org, both.engine) == []


def test_changes_while_paging_are_not_lost(tmp_path: Path) -> None:
    """Rows that change between two pages of a first load, on pages read and on pages to come, end up as they are."""
    with peers(empty_mirror(tmp_path)) as both:
        entries = log_entries(both.org, 9000)
        both.advance(minutes=5)

        def change(progress: Progress) -> None:
            store = both.org.world.store
            store.clock.advance(timedelta(seconds=1))
            with store.transaction() as tx:
                for place in range(progress.api_calls, 9000, 500):
                    tx.update(LOG, entries[place], Comments=f"changed at call {progress.api_calls}")

        both.sync(progress=change)
        both.advance(minutes=5)
        both.sync()
        assert differences(both.org, both.engine) == []


@pytest.mark.parametrize("survives", [1, 2])
def test_a_first_load_goes_on_where_it_died(database_url: str, survives: int) -> None:
    """A first load that dies after some calls continues behind the last committed row instead of starting again."""
    with peers(database_url) as both:
        log_entries(both.org, 15_000)
        both.advance(minutes=5)

        def die(progress: Progress) -> None:
            if progress.api_calls == survives:
                raise Died

        with pytest.raises(Died):
            both.sync(progress=die)
        before = len(in_mirror(both.engine, LogEntry))
        report = both.sync()
        read = next(each.read for each in report.objects if each.object == LOG)
        assert 0 < before < 15_000
        assert read == 15_000 - before
        assert differences(both.org, both.engine) == []


def test_a_row_that_moved_is_no_place_to_go_on_from(tmp_path: Path) -> None:
    """When the last row of a page changes before that page is read and we die after it, what lies between is still read."""
    with peers(empty_mirror(tmp_path)) as both:
        entries = log_entries(both.org, 15_000)
        both.advance(minutes=5)

        def change_then_die(progress: Progress) -> None:
            if progress.api_calls == 2:
                raise Died
            both.advance(minutes=5)
            with both.org.world.store.transaction() as tx:
                for last_of_page in range(1999, 15_000, 2000):
                    tx.update(LOG, entries[last_of_page], Comments="moved")

        with pytest.raises(Died):
            both.sync(progress=change_then_die)
        both.sync()
        assert differences(both.org, both.engine) == []


def test_a_load_that_died_still_sees_what_committed_late(tmp_path: Path) -> None:
    """A transaction that is open from before a load until after its death, and what it wrote, are not passed over."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        log_entries(both.org, 9000)
        both.advance(minutes=5)
        held = store.begin()
        held.create(RUN, Status="Error", OrchestrationDeveloperName="Late")
        both.advance(seconds=90)
        log_entries(both.org, 9000)
        both.advance(minutes=5)

        def die(progress: Progress) -> None:
            if progress.api_calls == 3:
                raise Died

        with pytest.raises(Died):
            both.sync(progress=die)
        held.commit()
        for _ in range(2):
            both.sync()
        assert differences(both.org, both.engine) == []


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_a_wrong_date_header_loses_nothing(tmp_path: Path, skew: float) -> None:
    """When the clock in the Date header is two hours off, rows are at worst read twice."""
    with peers(empty_mirror(tmp_path)) as both:
        both.org.faults.arm(Fault(Kind.CLOCK_SKEW, times=None, seconds=skew))
        for number in range(4):
            with both.org.world.store.transaction() as tx:
                tx.create(RUN, Status="InProgress", OrchestrationDeveloperName=f"O{number}")
            both.sync()
            both.advance(seconds=40)
        both.sync()
        assert differences(both.org, both.engine) == []


@pytest.mark.parametrize("kind", [Kind.NOT_SUPPORTED, Kind.SERVER_ERROR])
def test_a_date_header_ahead_loses_nothing_where_the_org_does_not_tell_what_it_covers(
    tmp_path: Path, kind: Kind
) -> None:
    """Without /updated the clock is all there is; the watermark still stays behind the newest row, by the margin."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        both.org.faults.arm(Fault(Kind.CLOCK_SKEW, times=None, seconds=7200.0))
        both.org.faults.arm(Fault(kind, match="/(updated|deleted)", times=None))
        both.sync()  # of an empty org
        held = store.begin()
        late = held.create(RUN, Status="Error", OrchestrationDeveloperName="Late")
        for number in range(3):
            with store.transaction() as tx:
                tx.create(RUN, Status="InProgress", OrchestrationDeveloperName=f"O{number}")
            both.sync()
            both.advance(minutes=3)
        assert late not in in_mirror(both.engine, Run)
        held.commit()
        both.sync()
        assert differences(both.org, both.engine) == []


def test_our_own_wrong_clock_does_not_matter(tmp_path: Path) -> None:
    """A machine three hours fast mirrors the same rows and knows the org's time."""
    with peers(empty_mirror(tmp_path)) as both:
        fast = type(both.client)(both.client.settings, clock=lambda: datetime.now(UTC) + timedelta(hours=3))
        for number in range(3):
            with both.org.world.store.transaction() as tx:
                tx.create(RUN, Status="InProgress", OrchestrationDeveloperName=f"O{number}")
            sync(fast, both.engine, SyncSettings())
            both.advance(minutes=2)
        sync(fast, both.engine, SyncSettings())
        assert differences(both.org, both.engine) == []
        assert abs(
            fast.clock_offset + timedelta(hours=3) - (both.org.world.store.now() - datetime.now(UTC))
        ) < timedelta(seconds=3)


def test_since_bounds_a_first_load(tmp_path: Path) -> None:
    """With a bound only what changed since then is read, and later changes of older rows still arrive."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        with store.transaction() as tx:
            old = tx.create(RUN, Status="InProgress", OrchestrationDeveloperName="Old")
        store.clock.advance(timedelta(days=30))
        bound = store.now() - timedelta(days=20)
        with store.transaction() as tx:
            new = tx.create(RUN, Status="InProgress", OrchestrationDeveloperName="New")
        assert "reprise sync --full" in both.sync(since=bound).warnings[0]
        assert set(in_mirror(both.engine, Run)) == {new}
        both.advance(minutes=5)
        with store.transaction() as tx:
            tx.update(RUN, old, Status="Error")
        both.sync()
        assert set(in_mirror(both.engine, Run)) == {old, new}


@pytest.mark.parametrize("days", [-1, 0, 14])
def test_a_bound_that_would_hide_runs_to_be_saved_is_refused(tmp_path: Path, days: int) -> None:
    """A run that failed 14 days ago can still be saved and may not have changed since."""
    with peers(empty_mirror(tmp_path)) as both:
        with pytest.raises(UsageError, match="at least 15 days"):
            both.sync(since=both.org.world.store.now() - timedelta(days=days))
        assert in_mirror(both.engine, Run) == {}


def test_full_reads_everything_again(tmp_path: Path) -> None:
    """`full` brings a damaged row back to what the org says, and an idle poll after it is one call."""
    with peers(empty_mirror(tmp_path)) as both:
        log_entries(both.org, 10)
        both.advance(minutes=5)
        both.sync()
        with both.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE log_entry SET kind = 'Nonsense'")
        assert len(differences(both.org, both.engine)) == 10
        report = both.sync(full=True)
        assert differences(both.org, both.engine) == []
        assert {each.object: each.upserted for each in report.objects}[LOG] == 10
        assert both.sync().api_calls == 1


def test_an_older_page_never_overwrites_a_newer_row(tmp_path: Path) -> None:
    """A refresh of single runs between two polls is not undone by the poll."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        with store.transaction() as tx:
            run = tx.create(RUN, Status="InProgress", OrchestrationDeveloperName="O")
        both.sync()
        both.advance(minutes=2)
        with store.transaction() as tx:
            tx.update(RUN, run, Status="Error")
        report = both.sync(only_runs=[run])
        assert report.api_calls == 1
        assert in_mirror(both.engine, Run)[run]["status"] == "Error"
        both.sync()
        assert differences(both.org, both.engine) == []


@pytest.mark.parametrize(("seconds_later", "stays"), [(-60, False), (0, False), (60, True)])
def test_a_deletion_from_before_the_newest_change_was_undone(tmp_path: Path, seconds_later: int, stays: bool) -> None:
    """Should the org list a record that was restored since, its newer SystemModstamp says so."""
    with peers(empty_mirror(tmp_path)) as both:
        with both.org.world.store.transaction() as tx:
            run = tx.create(RUN, Status="InProgress")
        both.sync()
        changed_at = in_mirror(both.engine, Run)[run]["system_modstamp"]
        with writing(both.engine) as connection:
            deleted_at = changed_at - timedelta(seconds=seconds_later)
            assert mark_deleted(connection, Run, both.org.org_id, {run: deleted_at}) == ([] if stays else [run])
        assert in_mirror(both.engine, Run)[run]["is_deleted"] is not stays


def test_a_mirror_made_elsewhere_goes_on(tmp_path: Path) -> None:
    """A second process that opens the same mirror continues from its cursors."""
    with peers(empty_mirror(tmp_path)) as both:
        log_entries(both.org, 10)
        both.advance(minutes=5)
        both.sync()
        again = open_mirror(empty_mirror(tmp_path), create=False)
        report = sync(both.client, again, SyncSettings())
        again.dispose()
        assert sum(each.read for each in report.objects) == 0
