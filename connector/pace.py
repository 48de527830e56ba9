"""How often to poll: as often as allowed, ever more slowly as the day's share of the API allowance is used up. Pure.

The org counts calls over a rolling 24 hours and tells in every reply how many everybody used (Sforce-Limit-Info). Our share
is a budget of our own; what others use beyond it slows us down only when the org as a whole runs out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import fmean, median_low

from connector.settings import SyncSettings

DAY = timedelta(days=1)
EASY = 0.5  # of our share; below it we poll as often as the settings allow
IDLE = 1  # call that a poll costs at least
RECENT = 10  # passes that tell what a poll costs
RESERVE = 0.9  # of the org's allowance; above it we poll as seldom as the settings allow


@dataclass(frozen=True, slots=True)
class Budget:
    """Where the day stands: our own calls in the last 24 hours, everybody's, and what the org allows."""

    ours: int
    used: int
    allowed: int

    def share_used(self, settings: SyncSettings) -> float:
        """Our calls as a part of our share; 1.0 means that it is used up."""
        return self.ours / max(settings.api_share * self.allowed, 1)


def usual_calls(recent: Sequence[int]) -> float:
    """Calls that a poll costs lately, from those of the newest passes (one at least).

    A pass that cost far more than the others read a backlog, which the next one need not: it counts as an ordinary one.
    """
    ordinary = median_low([IDLE, *recent])
    return max(fmean(calls if calls <= 2 * ordinary else ordinary for calls in recent), IDLE)


def next_interval(
    settings: SyncSettings, budget: Budget | None, *, calls_per_poll: float = IDLE, verifying: bool = False
) -> timedelta:
    """The time to wait until the next poll. `budget` is None before the org has told anything.

    Grows from the floor to the ceiling while the second half of our share is used. A resume that waits for its proof keeps the
    floor, unless the org as a whole is nearly out of calls.
    """
    if budget is None:
        return settings.poll_floor
    if budget.used >= RESERVE * budget.allowed:
        return settings.poll_ceiling
    if verifying:
        return settings.poll_floor
    tightness = (budget.share_used(settings) - EASY) / (1 - EASY)
    stretched = settings.poll_floor + (settings.poll_ceiling - settings.poll_floor) * min(max(tightness, 0.0), 1.0)
    # Polling at the floor all day must fit into the share at all.
    affordable = DAY * calls_per_poll / max(settings.api_share * budget.allowed, 1)
    return min(max(stretched, affordable), settings.poll_ceiling)


@dataclass(frozen=True, slots=True)
class Spend:
    """What polling costs: our calls in the last 24 hours, and in the next 24 at the present pace."""

    budget: Budget
    calls_per_poll: float
    interval: timedelta
    forecast: int

    def to_json(self) -> dict[str, float]:
        """As `sync --json` shows it; shares are parts of what the org allows."""
        return {
            "calls_last_24h": self.budget.ours,
            "calls_next_24h": self.forecast,
            "share_next_24h": round(self.forecast / max(self.budget.allowed, 1), 4),
            "interval_seconds": self.interval.total_seconds(),
        }


def spend(settings: SyncSettings, budget: Budget, calls_per_poll: float = IDLE) -> Spend:
    """The spend so far, the pace that follows from it, and the forecast of going on like that."""
    interval = next_interval(settings, budget, calls_per_poll=calls_per_poll)
    return Spend(budget, calls_per_poll, interval, round(DAY / interval * calls_per_poll))
