"""A pass brings the mirror to the org's state, in the fewest calls, and its report hides nothing."""

from __future__ import annotations

import json
from pathlib import Path

from sqlmodel import Session, select

from connector.mirror.engine import orgs
from connector.mirror.tables import MIRRORED, Quarantined, Run, SyncPass
from connector.report import Progress, SyncOutcome
from tests.connector.peers import differences, in_mirror, peers, runs_to_judge
from tests.mirrors import empty_mirror

RUN = Run.salesforce_object


def test_a_first_load_and_idle_polls(database_url: str) -> None:
    """A first load makes the mirror equal to the org; an idle poll after it is one API call and changes nothing."""
    with peers(database_url) as both:
        for name in [each.api_name for each in both.org.world.orchestrations]:
            both.org.world.start(name)
        both.advance(hours=5)
        report = both.sync()
        assert report.outcome is SyncOutcome.COMPLETE
        assert differences(both.org, both.engine) == []
        both.advance(minutes=3)
        both.sync()
        assert len(runs_to_judge(both.engine)) == len(both.org.world.store.rows(RUN))
        before = both.org.api_calls()
        report = both.sync()
        assert both.org.api_calls() - before == report.api_calls == 1
        assert sum(each.upserted for each in report.objects) == 0
        assert runs_to_judge(both.engine) == set()
        assert differences(both.org, both.engine) == []


def test_a_deletion_is_seen_by_the_next_poll(database_url: str) -> None:
    """A run and what belongs to it go to the recycle bin and are marked; a run purged from there stays marked."""
    with peers(database_url) as both:
        run = both.org.world.start("Loan_Origination")
        both.advance(minutes=5)
        both.sync()
        assert runs_to_judge(both.engine) == {run}
        both.org.world.delete_run(run)
        both.advance(minutes=1)
        both.sync()
        assert in_mirror(both.engine, Run)[run]["is_deleted"] is True
        assert runs_to_judge(both.engine) == {run}
        assert differences(both.org, both.engine) == []
        both.org.world.store.purge(RUN, run)
        both.advance(minutes=5)
        both.sync()
        assert differences(both.org, both.engine) == []


def test_a_second_change_within_one_second_is_noted(database_url: str) -> None:
    """It has the SystemModstamp of the first, is written by the next poll, and its run waits to be judged like any other."""
    with peers(database_url, frozen=True) as both:
        store = both.org.world.store
        with store.transaction() as tx:
            run = tx.create(RUN, Status="InProgress", CurrentStage="Intake")
        both.sync()
        assert runs_to_judge(both.engine) == {run}
        with store.transaction() as tx:
            tx.update(RUN, run, CurrentStage="Review")
        both.sync()
        assert differences(both.org, both.engine) == []
        assert runs_to_judge(both.engine) == {run}


def test_a_deletion_that_only_the_delete_log_knows(tmp_path: Path) -> None:
    """A row deleted and purged between two polls is marked from /deleted, and counted; it waits to be judged."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        with store.transaction() as tx:
            run = tx.create(RUN, Status="InProgress")
        both.advance(minutes=3)
        both.sync()
        assert runs_to_judge(both.engine) == {run}
        both.advance(minutes=1)
        with store.transaction() as tx:
            tx.delete(RUN, run)
        store.purge(RUN, run)
        both.advance(minutes=3)
        report = both.sync()
        assert report.objects[0].deleted == 1
        assert in_mirror(both.engine, Run)[run]["is_deleted"] is True
        assert runs_to_judge(both.engine) == {run}


def test_a_record_that_does_not_fit_is_quarantined_and_cured(database_url: str) -> None:
    """It is kept with its raw JSON, counted and never fatal; once it fits it is a row and no longer quarantined."""
    with peers(database_url) as both:
        store = both.org.world.store
        now, (key,) = store.epoch(), store.reserve(RUN, 1)
        columns = ("Id", "Status", "CreatedDate", "LastModifiedDate", "SystemModstamp", "IsDeleted")
        store.load(RUN, columns, [(key, None, now, now, now, 0)])
        with store.transaction() as tx:
            tx.create(RUN, Status="InProgress")
        report = both.sync()
        assert (report.objects[0].read, report.objects[0].upserted, report.objects[0].quarantined) == (2, 1, 1)
        with Session(both.engine) as session:
            (kept,) = session.exec(select(Quarantined)).all()
        assert "Status" in kept.problem
        assert kept.raw["Id"] == kept.record_id
        with store.transaction() as tx:
            tx.update(RUN, kept.record_id, Status="Completed")
        both.advance(minutes=3)
        both.sync()
        with Session(both.engine) as session:
            assert session.exec(select(Quarantined)).all() == []
        assert differences(both.org, both.engine) == []


def test_the_report_is_one_json_document(tmp_path: Path) -> None:
    """Per object: what was read and what came of it, watermark, lag, calls and seconds; and the same in the history."""
    with peers(empty_mirror(tmp_path)) as both:
        both.org.world.start("Loan_Origination")
        document = json.loads(json.dumps(both.sync().to_json()))
        assert document["schema_version"] == 1
        assert (document["outcome"], document["api_calls"], document["warnings"]) == ("COMPLETE", 1, [])
        assert [each["object"] for each in document["objects"]] == [table.salesforce_object for table in MIRRORED]
        assert set(document["objects"][0]) == {
            "object", "read", "upserted", "unchanged", "deleted", "quarantined", "watermark", "lag_seconds", "calls", "seconds",
        }  # fmt: skip
        assert document["objects"][0]["watermark"].endswith("Z")
        assert (document["spend"]["calls_last_24h"], document["spend"]["calls_next_24h"]) == (1, 1440)
        with Session(both.engine) as session:
            (entry,) = session.exec(select(SyncPass)).all()
        assert document.pop("quarantine") == []
        assert (entry.kind, entry.outcome, entry.report) == ("sync", "COMPLETE", document)


def test_progress_counts_rows_calls_and_time_left(tmp_path: Path) -> None:
    """While a long pass runs, what is read and what the org announced are told after each call."""
    seen: list[Progress] = []
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        now = store.epoch()
        columns = ("Id", "Status", "CreatedDate", "LastModifiedDate", "SystemModstamp", "IsDeleted")
        store.load(RUN, columns, ((key, "Completed", now, now, now, 0) for key in store.reserve(RUN, 3000)))
        both.sync(progress=seen.append)
    assert [(each.rows, each.total, each.api_calls) for each in seen] == [(2000, 3000, 1), (3000, 3000, 2)]
    assert seen[0].rate > 0
    assert seen[0].seconds_left is not None
    assert seen[-1].seconds_left == 0


def test_a_name_belongs_to_the_org_that_was_synced_last(database_url: str) -> None:
    """A sandbox that was refreshed, or a second org from the environment, has the name of one that is mirrored already."""
    with peers(database_url, seed=1) as first, peers(database_url, seed=2) as second:
        first.sync()
        report = second.sync()
        renamed = f"default-{first.org.org_id}"
        named = {org.org_id: org.name for org in orgs(first.engine)}
        assert named == {first.org.org_id: renamed, second.org.org_id: "default"}
        assert report.warnings == (
            f"Another org was called 'default' in this mirror; its runs are kept, and it is now called {renamed!r}.",
        )
        assert second.sync().warnings == ()


def test_two_orgs_share_a_mirror(database_url: str) -> None:
    """A sandbox has its production's record Ids, and both are mirrored side by side."""
    with peers(database_url, seed=1) as production:
        production.org.world.start("Loan_Origination")
        production.sync()
        with peers(database_url, seed=2) as sandbox:
            sandbox.org.world.start("Claims_Handling")
            sandbox.sync()
            with sandbox.engine.connect() as connection:
                rows = connection.exec_driver_sql("SELECT id, org_id, orchestration FROM run").all()
    assert len({row[0] for row in rows}) == 1
    assert {row[2] for row in rows} == {"Loan_Origination", "Claims_Handling"}
