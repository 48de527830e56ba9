"""Which tier of time left a failed run is in, and which one is to be told now. Pure.

A tier is computed from the stored deadline each time (level-triggered), so a missed cycle tells late instead of never;
what was told is remembered per failure episode, so a tier is told once and never after a higher one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.verdict import Deadline, Eligibility, ReasonCode


class Tier(StrEnum):
    """What a message is about, as scripts know it. The members from DAYS_7 to LOST form the ladder, in this order."""

    CANNOT_RESUME = "cannot_resume"  # told once: no countdown can help
    NO_DEADLINE = "no_deadline"  # told once: the moment of the failure is not known
    DAYS_7 = "7d"
    DAYS_3 = "3d"
    HOURS_24 = "24h"
    HOURS_6 = "6h"
    HOUR_1 = "1h"
    PASSED_UNCONFIRMED = "passed_unconfirmed"  # the deadline passed while the org could not be read
    LOST = "lost"  # the org was read after the deadline, and the run was still in Error

    @property
    def label(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ")


_TIME_LEFT = (
    (Tier.DAYS_7, timedelta(days=7)),
    (Tier.DAYS_3, timedelta(days=3)),
    (Tier.HOURS_24, timedelta(hours=24)),
    (Tier.HOURS_6, timedelta(hours=6)),
    (Tier.HOUR_1, timedelta(hours=1)),
)
_LADDER = (*(tier for tier, _ in _TIME_LEFT), Tier.PASSED_UNCONFIRMED, Tier.LOST)

# The run is no longer ours to save: nothing to tell.
_SETTLED = frozenset({ReasonCode.RUN_DELETED, ReasonCode.RESUMED_ELSEWHERE})
# These say why *we* may not resume it now. Somebody else still can, so the time left goes on counting.
_ABOUT_US = frozenset(
    {ReasonCode.ATTEMPT_OPEN, ReasonCode.NO_PERMISSION, ReasonCode.READ_ONLY, ReasonCode.POLICY_BLOCKED}
)


@dataclass(frozen=True, slots=True)
class Sight:
    """How well one org is seen: `now` and `as_of` (its newest complete sync) in org time, `stale` when that is too old."""

    now: datetime
    as_of: datetime
    max_age: timedelta

    @property
    def age(self) -> timedelta:
        """How old the newest complete sync is."""
        return max(self.now - self.as_of, timedelta())

    @property
    def stale(self) -> bool:
        """Whether the org has not been read for longer than the settings allow."""
        return self.age > self.max_age


@dataclass(frozen=True, slots=True)
class Notice:
    """One tier to be told now, and the lower ones that were never told because nobody was watching."""

    tier: Tier
    skipped: tuple[Tier, ...] = ()


def present_tier(eligibility: Eligibility, reason: ReasonCode, deadline: Deadline | None, sight: Sight) -> Tier | None:
    """The tier that a failed run is in at `sight.now`; None when there is nothing to tell about it (yet)."""
    if reason in _SETTLED:
        return None
    if reason is ReasonCode.NOT_IN_ERROR:  # with a deadline only its label says so, and its 14 days go on
        return _countdown(deadline, sight) if deadline else None
    doomed = eligibility is Eligibility.NOT_RESUMABLE and reason not in _ABOUT_US
    if doomed and reason is not ReasonCode.WINDOW_EXPIRED:
        return Tier.CANNOT_RESUME
    return _countdown(deadline, sight) if deadline else Tier.NO_DEADLINE


def _countdown(deadline: Deadline, sight: Sight) -> Tier | None:
    left = deadline.earliest - sight.now
    if left > timedelta():
        reached = [tier for tier, limit in _TIME_LEFT if left <= limit]
        return reached[-1] if reached else None
    if sight.as_of >= deadline.latest:
        return Tier.LOST
    return Tier.PASSED_UNCONFIRMED if sight.stale else Tier.HOUR_1


def notice_due(present: Tier | None, told: Collection[Tier]) -> Notice | None:
    """What to tell of a failure episode of which `told` was already told: at most the present tier, never a lower one.

    After "lost" there is nothing more to say, whatever else turns out about the run.
    """
    if present is None or present in told or Tier.LOST in told:
        return None
    if present not in _LADDER:
        return Notice(present)
    place = _LADDER.index(present)
    reached = max((_LADDER.index(tier) for tier in told if tier in _LADDER), default=-1)
    if place < reached:
        return None
    # A deadline passes unconfirmed only for the blind, so nobody missed that one.
    skipped = (tier for tier in _LADDER[reached + 1 : place] if tier is not Tier.PASSED_UNCONFIRMED)
    return Notice(present, tuple(skipped))
