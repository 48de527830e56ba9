"""What is judged when, what is kept of it, and what runs of one cause learn from each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from connector.mirror import changes, tables
from connector.mirror.engine import open_mirror, writing
from connector.settings import SyncSettings
from connector.sync import sync
from fixtures.org import access
from monitor import read
from monitor.assess import assess
from monitor.assessment import FAR, Assessment, Place, micros, moment_of
from monitor.rows import RunFilter
from monitor.verdict import Confidence, Eligibility, Readiness, ReasonCode
from tests.mirrors import empty_mirror
from tests.monitor.mirrored import add, add_org, copy, quiet
from tests.monitor.stories import FAILED, NOW
from tests.monitor.workshop import FLOW, Workshop, workshop

DAY = timedelta(days=1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty mirror of one org."""
    engine = open_mirror(empty_mirror(tmp_path))
    add_org(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workshop]:
    """An org and its mirror."""
    with workshop(empty_mirror(tmp_path)) as opened:
        yield opened


def _change(engine: Engine, number: int, **values: Any) -> None:
    run = col(tables.Run.id) == copy(number).run.id
    with writing(engine) as connection:
        connection.execute(update(tables.Run).where(run).values(**values))


def _places(engine: Engine) -> dict[int, Place]:
    with Session(engine) as session:
        return {int(row.run_id[3:15]): Place(row.place) for row in session.exec(select(Assessment))}


def test_only_runs_that_need_it_are_judged(engine: Engine) -> None:
    """Runs that never failed cost nothing; a status nobody knows is judged."""
    add(engine, copy(1), quiet(2, "Completed"), quiet(3, "InProgress"), quiet(4, "Hibernating"))
    assert assess(engine, NOW) == 2
    assert _places(engine) == {1: Place.SAVABLE, 4: Place.UNCLEAR}


def test_a_run_that_went_on_keeps_the_group_of_its_failure(engine: Engine) -> None:
    """Its error text is wiped by the resume, and its group still learns from it."""
    add(engine, copy(1), copy(2))
    assess(engine, NOW)
    group = read.runs(engine, NOW).runs[0].group
    _change(engine, 1, status="Completed")
    with writing(engine) as connection:
        connection.execute(update(tables.Interview).values(error=None))
    assess(engine, NOW)
    assert _places(engine)[1] is Place.RECOVERED
    with Session(engine) as session:
        assert session.get_one(Assessment, (copy(1).run.org_id, copy(1).run.id)).cause_group == group


def test_after_a_sync_only_what_changed_is_judged_again(engine: Engine) -> None:
    """Runs that a sync noted, once, and runs that fell into Error or out of it since they were judged."""
    add(engine, copy(1), copy(2, later=-20 * DAY), copy(3, flow_type="ApprovalOrchAutolnch"))
    assert assess(engine, NOW, everything=False) == 3
    assert assess(engine, NOW, everything=False) == 0
    with writing(engine) as connection:
        changes.note_judgement(connection, copy(3).run.org_id, {copy(3).run.id})
    assert assess(engine, NOW, everything=False) == 1
    _change(engine, 1, status="InProgress")
    assert assess(engine, NOW, everything=False) == 1
    assert assess(engine, NOW) == 3


def test_what_changed_before_a_crash_is_judged_after_it(work: Workshop) -> None:
    """A process that dies between reading and judging leaves word of what it read: here that the cause was mended."""
    (run,) = work.fail_runs(1, fix=False)
    work.sync()
    before = read.runs(work.engine, work.now()).runs[0]
    work.org.world.fix_flow(FLOW)
    work.advance(minutes=6)
    sync(work.client, work.engine, SyncSettings())  # and here it dies
    sync(work.client, work.engine, SyncSettings())
    assert assess(work.engine, work.now(), everything=False) == 1
    after = read.runs(work.engine, work.now()).runs[0]
    assert (before.id, after.id) == (run, run)
    assert (before.readiness, after.readiness) == (Readiness.FIX_UNSEEN, Readiness.READY)


def test_where_no_interview_is_shown_none_counts_as_gone(work: Workshop) -> None:
    """They are shared record by record; once one of them is shown, the others that were never seen are probably gone."""
    hidden, gone = work.fail_runs(2, fix=False)
    store, user = work.org.world.store, work.org.user_id
    interview = {row["Id"]: row["InterviewId"] for row in store.rows(tables.Run.salesforce_object)}
    access.unshare(store, user, [interview[hidden]])
    work.org.world.delete_interview(gone)
    work.sync()
    blind = {line.id: line for line in read.runs(work.engine, work.now()).runs}
    for run in (hidden, gone):
        assert (blind[run].eligibility, blind[run].confidence) == (Eligibility.RESUMABLE, Confidence.ASSUMED)
        assert blind[run].deadline_earliest is not None
    access.share(store, user, [interview[hidden]])
    work.advance(minutes=6)
    sync(work.client, work.engine, SyncSettings())
    assess(work.engine, work.now(), everything=False)
    seeing = {line.id: line for line in read.runs(work.engine, work.now()).runs}
    assert seeing[hidden].confidence is not Confidence.ASSUMED
    assert (seeing[gone].reason_code, seeing[gone].confidence) == (ReasonCode.INTERVIEW_GONE, Confidence.INFERRED)


def test_only_the_org_asked_for_is_judged(engine: Engine) -> None:
    """A sync of one org leaves the other as it is."""
    add_org(engine, "00D000000000002EAA", "sandbox")
    add(engine, copy(1), copy(1, org_id="00D000000000002EAA"))
    assert assess(engine, NOW, org_id="00D000000000002EAA") == 1
    assert assess(engine, NOW) == 2


def test_an_edit_of_a_failed_run_leaves_its_deadline(engine: Engine) -> None:
    """LastModifiedDate and SystemModstamp move, the deadline does not."""
    add(engine, replace(copy(1), log=()))
    assess(engine, NOW)
    before = read.runs(engine, NOW).runs[0]
    _change(engine, 1, system_modstamp=NOW + DAY, last_modified_at=NOW + DAY, name="renamed")
    assess(engine, NOW)
    after = read.runs(engine, NOW).runs[0]
    assert after.deadline_earliest is not None
    assert (after.deadline_earliest, after.deadline_latest) == (before.deadline_earliest, before.deadline_latest)


def test_moments_survive_the_sort_columns() -> None:
    """To the microsecond, and no moment is later than FAR."""
    moment = FAILED + timedelta(microseconds=123457)
    assert moment_of(micros(moment)) == moment
    assert micros(moment) < micros(moment + timedelta(microseconds=1)) < micros(None) == FAR


def test_a_run_that_lived_makes_its_group_ready_and_one_that_failed_again_warns(work: Workshop) -> None:
    """The canary of a group: what became of the first run that was resumed is told of all the others."""
    first, second, third = work.fail_runs(3)
    work.sync()
    assert _readiness(work, second) is Readiness.READY  # the flow was fixed
    work.org.world.break_flow("Renewal_Build_Quote", "The quote service does not answer {record}; ask jo@example.com")
    work.advance(minutes=20)
    work.org.world.resume(first)
    work.advance(minutes=5)
    work.sync()
    assert _readiness(work, second) is Readiness.LIKELY_TO_FAIL_AGAIN
    work.advance(minutes=20)
    work.org.world.fix_flow("Renewal_Build_Quote")
    work.org.world.resume(second)
    work.advance(minutes=5)
    work.sync()
    line = read.run(work.engine, work.now(), third)
    assert line.line.readiness is Readiness.READY
    assert second in line.readiness_note


def _readiness(work: Workshop, run: str) -> Readiness:
    (line,) = read.runs(work.engine, work.now(), RunFilter(ids=(run,))).runs
    return line.readiness


def test_the_monday_scenario_is_judged_as_its_engine_answers(tmp_path: Path) -> None:
    """Every one of the 40 failed runs of the demo's org, over HTTP: what is certain is right, and nothing is unknown."""
    with workshop(empty_mirror(tmp_path), scenario="monday") as work:
        work.sync()
        lines = read.runs(work.engine, work.now(), RunFilter(statuses=("Error",))).runs
        assert len(lines) == 40
        for line in lines:
            accepted = work.org.world.resume_refusal(line.id) is None
            assert (line.eligibility == "RESUMABLE") == accepted, line
            assert line.eligibility != "UNKNOWN", line
        deadlines = [line.deadline_earliest for line in lines if line.eligibility == "RESUMABLE"]
        assert deadlines == sorted(each for each in deadlines if each)
        assert {line.reason_code for line in lines} >= {ReasonCode.APPROVAL_RUN, ReasonCode.OUTSIDE_STEP}
        assert read.runs(work.engine, work.now(), RunFilter(needs_eyes=True)).total >= 3
