"""Records that cannot be mapped: kept, listed and warned about until they are mended or gone; no value stops a pass."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connector.mirror import quarantine
from connector.mirror.engine import writing
from connector.mirror.quarantine import NO_ID, Kept
from connector.mirror.tables import LogEntry, Quarantined, Run, Stage, StatusChange, Step, WorkItem
from connector.quarantine import warnings
from connector.reconcile import reconcile
from connector.report import SyncOutcome, SyncReport
from fixtures.org import access
from fixtures.org.faults import Fault, Kind
from tests import schemas
from tests.connector.peers import Peers, differences, in_mirror, peers, runs_to_judge
from tests.mirrors import empty_mirror

RUN = Run.salesforce_object
LOG = LogEntry.salesforce_object
FIRST = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)


def start(both: Peers, count: int = 1, **fields: Any) -> list[str]:
    """That many new runs in the org, five minutes ago; their Ids."""
    with both.org.world.store.transaction() as tx:
        runs = [tx.create(RUN, **{"Status": "Error"} | fields) for _ in range(count)]
    both.advance(minutes=5)
    return runs


def change(both: Peers, run: str, **fields: Any) -> None:
    """Change a run in the org, five minutes ago."""
    with both.org.world.store.transaction() as tx:
        tx.update(RUN, run, **fields)
    both.advance(minutes=5)


def aside(report: SyncReport) -> list[str]:
    """The Ids of what a report lists as kept aside."""
    return [kept.id for kept in report.quarantine]


# How records come and go


def test_a_mended_record_is_released_beside_one_that_breaks(database_url: str) -> None:
    """In one page one record is read well again and another no longer: the first is a row, the second is kept aside."""
    with peers(database_url) as both:
        mended, breaks = start(both, 2)
        change(both, mended, Status=None)
        assert aside(both.sync()) == [mended]
        with both.org.world.store.transaction() as tx:
            tx.update(RUN, mended, Status="Completed")
            tx.update(RUN, breaks, Status=None)
        both.advance(minutes=5)
        assert aside(both.sync()) == [breaks]
        assert in_mirror(both.engine, Run)[mended]["status"] == "Completed"


@pytest.mark.parametrize("told", [True, False], ids=["/deleted", "queryAll only"])
def test_a_deleted_record_is_released(told: bool, tmp_path: Path) -> None:
    """Nobody can mend it any more; its older version is marked as deleted, counted once, and the run is judged again."""
    with peers(empty_mirror(tmp_path)) as both:
        (run,) = start(both)
        if not told:
            both.org.faults.arm(Fault(Kind.NOT_SUPPORTED, match="/deleted", times=None))
        both.sync()
        change(both, run, Status=None)
        assert aside(both.sync()) == [run]
        runs_to_judge(both.engine)
        with both.org.world.store.transaction() as tx:
            tx.delete(RUN, run)
        both.advance(minutes=5)
        report = both.sync()
        assert (aside(report), report.objects[0].deleted, report.objects[0].quarantined) == ([], 1, 0)
        assert in_mirror(both.engine, Run)[run]["is_deleted"] is True
        assert runs_to_judge(both.engine) == {run}
        assert both.sync().objects[0].deleted == 0


def test_an_audit_releases_what_is_gone_and_what_reads_well(tmp_path: Path) -> None:
    """A record that was purged where no poll is told of it, and one that is mended behind the watermark; no other."""
    with peers(empty_mirror(tmp_path)) as both:
        both.org.faults.arm(Fault(Kind.NOT_SUPPORTED, match="/deleted", times=None))
        purged, fine, broken = start(both, 3)
        both.sync()
        change(both, purged, Status=None)
        change(both, broken, Status=None)
        both.sync()
        org_id, nameless = both.client.identity.org_id, f"{NO_ID}0123"
        older = "Status: not understood by an older Reprise"
        with writing(both.engine) as connection:
            quarantine.keep(connection, org_id, RUN, [(fine, older, {}), (nameless, "Id", {})], FIRST)
        assert aside(both.sync()) == [fine, nameless, purged, broken]
        both.org.world.store.purge(RUN, purged)
        reconcile(both.client, both.engine, both.settings)
        assert aside(both.sync()) == [nameless, broken]


def test_an_audit_keeps_what_is_still_broken(tmp_path: Path) -> None:
    """Also when nothing changed since the audit before, so that nothing but the quarantine makes it look."""
    with peers(empty_mirror(tmp_path)) as both:
        (run,) = start(both)
        both.sync()
        change(both, run, Status=None)
        for _ in range(2):
            both.sync()
            reconcile(both.client, both.engine, both.settings)
            both.advance(hours=1)
        assert aside(both.sync()) == [run]


def test_a_row_marked_as_deleted_is_no_older_version_to_show(tmp_path: Path) -> None:
    """An undeleted record that cannot be understood is missing from what the mirror shows."""
    with peers(empty_mirror(tmp_path)) as both:
        (run,) = start(both)
        with both.org.world.store.transaction() as tx:
            tx.delete(RUN, run)
        both.advance(minutes=5)
        both.sync()
        with writing(both.engine) as connection:
            quarantine.keep(connection, both.client.identity.org_id, RUN, [(run, "Status", {})], FIRST)
            (kept,) = quarantine.listed(connection, both.client.identity.org_id)
        assert kept.mirrored_at is None


def test_an_audit_that_sees_too_little_releases_nothing(tmp_path: Path) -> None:
    """A record that the user lost sight of, with all others, is not gone."""
    with peers(empty_mirror(tmp_path)) as both:
        runs = start(both, 30)
        both.sync()
        change(both, runs[0], Status=None)
        both.sync()
        access.unshare(both.org.world.store, both.org.user_id, runs)
        report = reconcile(both.client, both.engine, both.settings)
        assert report.objects[0].alarm
        assert aside(both.sync()) == [runs[0]]


def test_a_full_reading_forgets_records_without_an_id(tmp_path: Path) -> None:
    """They cannot be recognized when they come again, so each full reading begins without them."""
    with peers(empty_mirror(tmp_path)) as both:
        (run,) = start(both, Status=None)
        both.sync()
        with writing(both.engine) as connection:
            nameless = (f"{NO_ID}0123", "Id: Input should be a valid string", {"Id": None})
            quarantine.keep(connection, both.client.identity.org_id, RUN, [nameless], FIRST)
        assert aside(both.sync()) == [f"{NO_ID}0123", run]
        assert aside(both.sync(full=True)) == [run]


# What is said


def test_what_is_kept_aside_stands_in_every_report(database_url: str) -> None:
    """Each pass lists it with its run, since when, and what the mirror shows instead; the document fits its schema."""
    with peers(database_url) as both:
        (run,) = start(both)
        store = both.org.world.store
        with store.transaction() as tx:
            step = tx.create(Step.salesforce_object, OrchestrationInstanceId=run, Status="Error")
            item = tx.create(WorkItem.salesforce_object, StepInstanceId=step, Status=None)
            entry = tx.create(LOG, OrchestrationInstanceId=run, Kind=None)
        both.advance(minutes=5)
        both.sync()
        change(both, run, Status=None)
        first = both.sync()
        both.advance(minutes=5)
        second = both.sync()
        change(both, run, Name="still broken")
        third = both.sync()
        stamp = in_mirror(both.engine, Run)[run]["system_modstamp"]
        shown = [(kept.id, kept.run, kept.mirrored_at) for kept in third.quarantine]
        assert shown == [(run, run, stamp), (item, run, None), (entry, run, None)]
        assert first.quarantine == second.quarantine == third.quarantine
        assert second.objects[0].quarantined == 0
        assert first.outcome is SyncOutcome.COMPLETE
        summary, of_run, of_item, of_entry = second.warnings
        assert "3 records" in summary
        assert "`reprise sync --full`" in summary
        assert f"its older version, of {stamp:%Y-%m-%d %H:%M:%S}Z" in of_run
        assert f"{item} of run {run}" in of_item
        assert f"{entry} of run {run}" in of_entry
        assert "the deadline, is only known within a bracket" in of_entry
        schemas.fits("sync", second.to_json())


def test_a_few_are_named_and_the_rest_is_counted() -> None:
    """However many records are kept aside, a pass has five sentences about them."""
    kept = [Kept(RUN, f"0jE{n}", "Status: none", FIRST, f"0jE{n}", None) for n in range(1203)]
    sentences = warnings(kept)
    assert len(sentences) == 5
    assert "1,203 records" in sentences[0]
    assert "the mirror lacks this run" in sentences[1]
    assert "1,200 more" in sentences[-1]
    assert warnings([]) == []


# Values that no store takes


@pytest.mark.parametrize(
    ("table", "fields"),
    [
        (LogEntry, {"Kind": "StartStep", "OrchestrationVersion": 2**31}),
        (LogEntry, {"Kind": "StartStep", "OrchestrationVersion": 2**63 - 1}),
        (Stage, {"Status": "Error", "Position": -(2**31) - 1}),
        (Run, {"Status": "".join(chr(0x4E00 + 7 * n) for n in range(2500))}),
        (LogEntry, {"Kind": None, "Comments": "a\0b"}),
    ],
    ids=["2^31", "2^63-1", "-2^31-1", "longer than an index entry", "raw JSON with NUL"],
)
def test_a_value_that_one_store_refuses_is_kept_aside_on_both(
    table: type[LogEntry | Stage | Run], fields: dict[str, Any], database_url: str
) -> None:
    """The pass is complete, the rest of the page is mirrored, and the record is kept with its raw JSON."""
    with peers(database_url) as both:
        (run,) = start(both)
        if table is not Run:
            fields = fields | {"OrchestrationInstanceId": run}
        with both.org.world.store.transaction() as tx:
            poison = tx.create(table.salesforce_object, **fields)
        both.advance(minutes=5)
        report = both.sync()
        assert (report.outcome, aside(report)) == (SyncOutcome.COMPLETE, [poison])
        with both.engine.connect() as connection:
            (raw,) = connection.scalars(select(Quarantined.raw))  # type: ignore[call-overload]
        assert raw["Id"] == poison
        assert differences(both.org, both.engine) == [f"{table.__name__} {poison}: only in the org"]


def test_a_name_with_nul_is_mirrored_readably(database_url: str) -> None:
    """A run that can be saved must be seen, whatever its label holds: NUL becomes U+FFFD, the same on both stores."""
    with peers(database_url) as both:
        (run,) = start(both, OrchestrationLabel="a\0b")
        report = both.sync()
        assert (report.outcome, report.warnings) == (SyncOutcome.COMPLETE, ())
        assert in_mirror(both.engine, Run)[run]["orchestration_label"] == "a\ufffdb"


def test_raw_json_with_nan_can_be_kept(database_url: str) -> None:
    """PostgreSQL refuses NaN in JSON, so it is kept as text."""
    with peers(database_url) as both:
        both.sync()
        with writing(both.engine) as connection:
            raw = {"Id": "0jF", "Position": float("nan")}
            quarantine.keep(connection, both.client.identity.org_id, RUN, [("0jF", "Position", raw)], FIRST)
            assert connection.scalar(select(Quarantined.raw)) == {"Id": "0jF", "Position": "NaN"}  # type: ignore[call-overload]


# What a page came to


@pytest.mark.parametrize("told", [True, False], ids=["/deleted too", "queryAll only"])
def test_rows_that_arrive_as_deleted_are_counted_once(told: bool, tmp_path: Path) -> None:
    """Whether /deleted tells it first or queryAll alone shows it, and however often it is read again."""
    with peers(empty_mirror(tmp_path)) as both:
        if not told:
            both.org.faults.arm(Fault(Kind.NOT_SUPPORTED, match="/deleted", times=None))
        gone, _ = start(both, 2)
        assert both.sync().objects[0].deleted == 0
        with both.org.world.store.transaction() as tx:
            tx.delete(RUN, gone)
        both.advance(minutes=5)
        first, second = both.sync().objects[0], both.sync().objects[0]
        assert (first.deleted, first.upserted) == (1, 1)
        assert (second.deleted, second.upserted) == (0, 0)


def test_two_changes_within_one_second_are_two_changes(tmp_path: Path) -> None:
    """A poll between them sees the SystemModstamp that the second one has too; the run is judged again all the same."""
    with peers(empty_mirror(tmp_path)) as both:
        with both.org.world.store.transaction() as tx:
            run = tx.create(RUN, Status="InProgress")
        both.sync()
        runs_to_judge(both.engine)
        with both.org.world.store.transaction() as tx:
            tx.update(RUN, run, Status="Error")
        both.sync()
        stamps = {row["SystemModstamp"] for row in both.org.world.store.rows(RUN)}
        assert stamps == {in_mirror(both.engine, Run)[run]["created_at"]}
        assert runs_to_judge(both.engine) == {run}
        with both.engine.connect() as connection:
            assert connection.scalars(select(StatusChange.new_status)).all() == ["Error"]  # type: ignore[call-overload]
        assert both.sync().objects[0].read == 1
        assert runs_to_judge(both.engine) == set()
