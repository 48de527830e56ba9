"""Runs that are not in Error and need eyes: measured against the mirror's own history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update
from sqlmodel import col

from connector.mirror import tables
from connector.mirror.engine import open_mirror, writing
from monitor import read
from monitor.assess import assess
from monitor.attention import ENOUGH, OpenStep, StepKind, Usual, stuck, usual_times
from monitor.rows import RunFilter
from monitor.settings import MonitorSettings
from monitor.story import Story
from tests.mirrors import empty_mirror
from tests.monitor.mirrored import add, add_org, copy, quiet
from tests.monitor.stories import FAILED, NOW, log

HOUR = timedelta(hours=1)
KIND = StepKind("Loan", "Credit", "Call_Bureau")
SETTINGS = MonitorSettings()


def _open(age: timedelta) -> list[OpenStep]:
    return [OpenStep("0jE000000000001EAA", KIND, NOW - age)]


def _is_stuck(age: timedelta, usual: dict[StepKind, Usual]) -> bool:
    return bool(list(stuck(_open(age), usual, NOW, SETTINGS)))


def test_a_step_is_stuck_far_beyond_what_is_usual_for_its_kind() -> None:
    """Twice the time that 95 of 100 stayed within."""
    usual = {KIND: Usual(100, 2 * HOUR, 5 * HOUR)}
    assert not _is_stuck(10 * HOUR, usual)
    assert _is_stuck(10 * HOUR + timedelta(seconds=1), usual)


def test_a_step_that_takes_seconds_is_given_an_hour() -> None:
    """A queue that is busy for some minutes needs nobody."""
    usual = {KIND: Usual(100, timedelta(seconds=6), timedelta(seconds=9))}
    assert not _is_stuck(HOUR, usual)
    assert _is_stuck(HOUR + timedelta(seconds=1), usual)


def test_without_enough_history_only_a_month_is_too_long() -> None:
    """Nobody knows what is usual after a handful of runs."""
    for usual in ({}, {KIND: Usual(ENOUGH - 1, HOUR, HOUR)}):
        assert not _is_stuck(timedelta(days=30), usual)
        assert _is_stuck(timedelta(days=30, seconds=1), usual)


def test_the_sentence_says_since_when_and_what_is_usual() -> None:
    """No clock makes it wrong: it names moments, not ages."""
    (eyes,) = stuck(_open(90 * HOUR), {KIND: Usual(100, 2 * HOUR, 5 * HOUR)}, NOW, SETTINGS)
    assert "Call_Bureau has been in progress since 2026-11-08 15:00Z" in eyes.why
    assert "it usually takes 2 h, and 95 of 100 end within 5 h" in eyes.why


@settings(deadline=None)
@given(st.lists(st.timedeltas(timedelta(), timedelta(days=90)), min_size=1))
def test_what_is_usual_lies_within_what_happened(durations: list[timedelta]) -> None:
    """Median and 95th percentile are times that some step took, in order."""
    usual = usual_times((KIND, duration) for duration in durations)[KIND]
    assert usual.count == len(durations)
    assert min(durations) <= usual.median <= usual.p95 <= max(durations)
    assert {usual.median, usual.p95} <= set(durations)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A mirror whose completed runs took an hour for their step."""
    engine = open_mirror(empty_mirror(tmp_path))
    add_org(engine)
    add(engine, *(_with_step(number, "Completed") for number in range(100, 100 + ENOUGH)))
    with writing(engine) as connection:
        done = FAILED - 3 * HOUR + HOUR
        connection.execute(update(tables.Step).values(last_modified_at=done))
    yield engine
    engine.dispose()


def _with_step(number: int, status: str) -> Story:
    story = copy(number)
    steps = tuple(step._replace(status=status) for step in story.steps)
    return replace(story, run=story.run._replace(status=status), steps=steps, log=(), status_changes=())


def _eyes(engine: Engine) -> dict[int, str]:
    found = read.runs(engine, NOW, RunFilter(needs_eyes=True)).runs
    return {int(line.id[3:15]): line.attention or "" for line in found}


def test_a_stuck_run_is_found_and_leaves_the_list_when_it_moves(engine: Engine) -> None:
    """Its step is compared with the completed ones; once completed itself it needs nobody."""
    add(engine, _with_step(1, "InProgress"))
    mine = col(tables.Step.run_id) == copy(1).run.id
    with writing(engine) as connection:
        connection.execute(update(tables.Step).where(mine).values(last_modified_at=NOW - 3 * HOUR))
    assess(engine, NOW)
    assert list(_eyes(engine)) == [1]
    with writing(engine) as connection:
        connection.execute(update(tables.Step).where(mine).values(status="Completed"))
    assess(engine, NOW)
    assert _eyes(engine) == {}


def test_of_what_is_deleted_or_unseen_nobody_knows_that_it_is_stuck(engine: Engine) -> None:
    """A step in progress was last seen so; whether it still is cannot be read."""
    add(engine, _with_step(1, "InProgress"), _with_step(2, "InProgress"), _with_step(3, "InProgress"))
    with writing(engine) as connection:
        connection.execute(update(tables.Step).values(last_modified_at=NOW - 60 * 24 * HOUR))
        for number, gone in ((2, {"is_deleted": True}), (3, {"vanished_at": NOW})):
            mine = col(tables.Run.id) == copy(number).run.id
            connection.execute(update(tables.Run).where(mine).values(**gone))
    assess(engine, NOW)
    assert list(_eyes(engine)) == [1]


def test_debug_runs_need_nobody(engine: Engine) -> None:
    """Whoever debugs an orchestration leaves it standing on purpose."""
    add(engine, _with_step(1, "InProgress"), quiet(2, "Suspended", system_modstamp=NOW - timedelta(days=99)))
    with writing(engine) as connection:
        connection.execute(update(tables.Run).values(is_debug_run=True))
        connection.execute(update(tables.Step).values(last_modified_at=NOW - timedelta(days=99)))
    assess(engine, NOW)
    assert _eyes(engine) == {}


def test_a_suspended_run_is_forgotten_after_a_fortnight(engine: Engine) -> None:
    """Nobody suspends a run to leave it there."""
    days = timedelta(days=1)
    add(engine, quiet(1, "Suspended", system_modstamp=NOW - 13 * days))
    add(engine, quiet(2, "Suspended", system_modstamp=NOW - 15 * days))
    assess(engine, NOW)
    assert list(_eyes(engine)) == [2]
    assert "suspended" in _eyes(engine)[2]


def test_a_run_that_keeps_failing_is_watched_even_while_it_runs(engine: Engine) -> None:
    """Three failures, three resumes: the fourth failure is near."""
    story = copy(1)
    entries = []
    for time in range(3):
        at = FAILED + 5 * time * HOUR
        where = {"stage_name": "Credit", "step_name": "Call_Bureau"}
        entries += [log("FailStep", at, 10 * time, **where), log("FailInstance", at, 10 * time + 1)]
        entries += [log("ResumeInstance", at + HOUR, 10 * time + 2)]
    mine = tuple(entry._replace(run_id=story.run.id) for entry in entries)
    story = replace(story, run=story.run._replace(status="InProgress"), log=(story.log[0], *mine))
    story = replace(
        story, status_changes=(story.status_changes[0]._replace(old_status="Error", new_status="InProgress"),)
    )
    add(engine, story)
    assess(engine, NOW)
    assert "failed 3 times" in _eyes(engine)[1]
