"""The ladder of time left: pure rules, and a simulation over random histories with downtime and blindness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.tiers import Notice, Sight, Tier, notice_due, present_tier
from monitor.verdict import Deadline, DeadlineProof, Eligibility, ReasonCode

FAILED = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
END = FAILED + timedelta(days=14)
SHARP = Deadline(END, END, DeadlineProof.FAIL_RUN_MILESTONE)
BLURRED = Deadline(END, END + timedelta(hours=5), DeadlineProof.POLL_BRACKET)
MAX_AGE = timedelta(minutes=30)
LADDER: list[Tier] = [tier for tier in Tier if tier not in {Tier.CANNOT_RESUME, Tier.NO_DEADLINE}]


def sight(left: timedelta, age: timedelta = timedelta()) -> Sight:
    """The org as seen `left` before the earliest deadline, with data that is `age` old."""
    return Sight(END - left, END - left - age, MAX_AGE)


def tier(left: timedelta, age: timedelta = timedelta(), deadline: Deadline | None = SHARP) -> Tier | None:
    """The tier of a resumable run."""
    return present_tier(Eligibility.RESUMABLE, ReasonCode.STEP_FLOW_ERROR, deadline, sight(left, age))


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (timedelta(days=7, seconds=1), None),
        (timedelta(days=7), Tier.DAYS_7),
        (timedelta(days=3, seconds=1), Tier.DAYS_7),
        (timedelta(days=3), Tier.DAYS_3),
        (timedelta(hours=24), Tier.HOURS_24),
        (timedelta(hours=6), Tier.HOURS_6),
        (timedelta(hours=1), Tier.HOUR_1),
        (timedelta(seconds=1), Tier.HOUR_1),
        (timedelta(), Tier.LOST),
    ],
)
def test_each_tier_begins_at_its_time_left(left: timedelta, expected: Tier | None) -> None:
    """A tier is reached when no more than its time is left before the earliest deadline."""
    assert tier(left) is expected


@pytest.mark.parametrize(
    ("left", "age", "expected"),
    [
        (timedelta(hours=-1), timedelta(minutes=59), Tier.LOST),  # read after the end: still in Error then
        (timedelta(minutes=-1), timedelta(minutes=2), Tier.HOUR_1),  # read just before the end: the next look will tell
        (timedelta(hours=-1), timedelta(hours=2), Tier.PASSED_UNCONFIRMED),
        (timedelta(hours=5), timedelta(hours=9), Tier.HOURS_6),  # deadlines go on while nobody can read the org
    ],
)
def test_lost_needs_a_look_after_the_deadline(left: timedelta, age: timedelta, expected: Tier) -> None:
    """Only a run that was read in Error after its deadline is lost; passed unseen is "passed, unconfirmed"."""
    assert tier(left, age) is expected


def test_a_blurred_deadline_warns_by_its_earliest_and_loses_by_its_latest() -> None:
    """Between the two ends of the interval a run counts as in its last hour: it may still be saved."""
    assert tier(timedelta(hours=-1), deadline=BLURRED) is Tier.HOUR_1
    assert tier(timedelta(hours=-5), deadline=BLURRED) is Tier.LOST


@pytest.mark.parametrize(
    ("eligibility", "reason", "expected"),
    [
        (Eligibility.NOT_RESUMABLE, ReasonCode.MULESOFT_ACTION, Tier.CANNOT_RESUME),
        (Eligibility.NOT_RESUMABLE, ReasonCode.INTERVIEW_GONE, Tier.CANNOT_RESUME),
        (Eligibility.NOT_RESUMABLE, ReasonCode.ATTEMPT_OPEN, Tier.HOURS_6),
        (Eligibility.NOT_RESUMABLE, ReasonCode.READ_ONLY, Tier.HOURS_6),
        (Eligibility.UNKNOWN, ReasonCode.STALE_DATA, Tier.HOURS_6),
        (Eligibility.NOT_RESUMABLE, ReasonCode.NOT_IN_ERROR, Tier.HOURS_6),
        (Eligibility.NOT_RESUMABLE, ReasonCode.RESUMED_ELSEWHERE, None),
        (Eligibility.NOT_RESUMABLE, ReasonCode.RUN_DELETED, None),
    ],
)
def test_what_cannot_be_resumed_has_no_countdown(
    eligibility: Eligibility, reason: ReasonCode, expected: Tier | None
) -> None:
    """A hopeless run is told once; what only we may not resume, or has only another label, counts on; the rest is silent."""
    assert present_tier(eligibility, reason, SHARP, sight(timedelta(hours=5))) is expected


def test_a_run_without_a_deadline_is_told_once() -> None:
    """Nothing is dropped silently: an unknown moment of failure is a message of its own."""
    assert tier(timedelta(days=1), deadline=None) is Tier.NO_DEADLINE


def test_after_downtime_the_present_tier_is_told_and_the_missed_ones_are_named() -> None:
    """Whoever comes back at six hours hears of six hours, and that the earlier tiers were never told."""
    notice = notice_due(Tier.HOURS_6, {Tier.DAYS_7})
    assert notice == Notice(Tier.HOURS_6, (Tier.DAYS_3, Tier.HOURS_24))


def test_losing_a_run_does_not_count_the_unconfirmed_passing_as_missed() -> None:
    """A deadline passes unconfirmed only for the blind; those who saw it missed nothing."""
    assert notice_due(Tier.LOST, {Tier.HOUR_1}) == Notice(Tier.LOST)


def test_after_a_loss_nothing_more_is_said() -> None:
    """When a lost run's interview is cleaned up later, nobody needs to hear that it cannot be resumed."""
    assert notice_due(Tier.CANNOT_RESUME, {Tier.HOUR_1, Tier.LOST}) is None


@given(
    steps=st.lists(
        st.tuples(st.integers(min_value=0, max_value=60 * 24 * 4), st.booleans(), st.booleans()),
        min_size=1,
        max_size=25,
    ),
    blur=st.integers(min_value=0, max_value=600),
)
def test_the_ladder_is_monotone_whatever_happens(steps: list[tuple[int, bool, bool]], blur: int) -> None:
    """Over any history of waiting, downtime and blindness: each tier at most once, never a lower one after a higher one,
    lost only after a look that followed the deadline, and the last word at the end of a watched run is its present tier."""
    deadline = Deadline(END, END + timedelta(minutes=blur), DeadlineProof.POLL_BRACKET)
    now = as_of = FAILED
    told: list[Tier] = []
    for minutes, watching, seeing in steps:
        now += timedelta(minutes=minutes)
        if not watching:
            continue
        as_of = now if seeing else as_of
        look = Sight(now, as_of, MAX_AGE)
        present = present_tier(Eligibility.RESUMABLE, ReasonCode.STEP_FLOW_ERROR, deadline, look)
        notice = notice_due(present, told)
        if notice is not None:
            told.append(notice.tier)
            if notice.tier is Tier.LOST:
                assert as_of >= deadline.latest
            if notice.tier is Tier.PASSED_UNCONFIRMED:
                assert now >= deadline.earliest
                assert look.stale
        if present is not None:
            assert told  # whoever watches has been told something of a run that is in a tier
            assert LADDER.index(told[-1]) >= LADDER.index(present)
    places = [LADDER.index(each) for each in told]
    assert places == sorted(set(places))
