"""What one pass did, as frozen values: for people, for scripts (`to_json`) and for the pass history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from connector.mirror.quarantine import Kept
from connector.pace import Spend

SCHEMA_VERSION = 1


class SyncOutcome(StrEnum):
    """How a pass ended. A partial pass is its own outcome, never a success."""

    COMPLETE = "COMPLETE"
    PARTIAL = "PARTIAL"  # something was read and committed, and something that was looked for could not be read
    FAILED = "FAILED"  # nothing was read


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """One object's part of a pass.

    `deleted` rows were newly marked as deleted, whichever way the org told. `lag_seconds` is the org's time minus the
    watermark: how far the mirror may be behind. `calls` is how many calls the object took part in; objects share calls.
    """

    object: str
    read: int
    upserted: int
    unchanged: int
    deleted: int
    quarantined: int
    watermark: datetime | None
    lag_seconds: float | None
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SyncReport:
    """One pass. `changed_runs` is how many runs changed, themselves or below them, and wait to be judged.

    `quarantine` is everything that is kept aside after it, whenever it was met.
    """

    org: str
    outcome: SyncOutcome
    api_calls: int
    seconds: float
    objects: tuple[ObjectReport, ...]
    warnings: tuple[str, ...]
    quarantine: tuple[Kept, ...]
    changed_runs: int
    api_used: int | None
    api_max: int | None
    spend: Spend | None  # None where the org did not tell its allowance

    def to_json(self) -> dict[str, Any]:
        """The document of `reprise sync --json`; times are ISO 8601 in UTC."""
        return {
            "schema_version": SCHEMA_VERSION,
            "org": self.org,
            "outcome": str(self.outcome),
            "api_calls": self.api_calls,
            "api_used": self.api_used,
            "api_max": self.api_max,
            "spend": None if self.spend is None else self.spend.to_json(),
            "seconds": round(self.seconds, 3),
            "objects": [_object_json(report) for report in self.objects],
            "warnings": list(self.warnings),
            "quarantine": [_kept_json(kept) for kept in self.quarantine],
            "changed_runs": self.changed_runs,
        }


def _object_json(report: ObjectReport) -> dict[str, Any]:
    document = asdict(report)
    document["watermark"] = utc_text(report.watermark)
    document["seconds"] = round(report.seconds, 3)
    return document


def _kept_json(kept: Kept) -> dict[str, Any]:
    return asdict(kept) | {"seen_at": utc_text(kept.seen_at), "mirrored_at": utc_text(kept.mirrored_at)}


def utc_text(moment: datetime | None) -> str | None:
    """An aware UTC moment as 2026-11-20T09:15:00Z."""
    return None if moment is None else moment.replace(tzinfo=None).isoformat() + "Z"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a long pass stands; `total` is what the org says it will send, so far."""

    rows: int
    total: int
    api_calls: int
    seconds: float

    @property
    def rate(self) -> float:
        """Rows per second since the pass began."""
        return self.rows / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far; None before anything was read."""
        return max(self.total - self.rows, 0) / self.rate if self.rows else None


ProgressCallback = Callable[[Progress], None]
