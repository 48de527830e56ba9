"""The plan of a resume: which runs, why each of them or why not, frozen before anybody decides.

A plan holds run Ids, never a filter: what is confirmed is what is sent. Its hash covers everything that a person was
shown, and it expires, because runs move on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson
from pydantic import TypeAdapter, ValidationError

from connector.errors import Refused, UsageError
from monitor.rows import BlastRadius
from monitor.verdict import Confidence, Eligibility, Readiness, ReasonCode

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that will be resumed, as a person sees it before deciding."""

    run: str
    name: str | None
    orchestration: str | None
    stage: str | None
    step: str | None
    error: str | None
    group: str | None
    episode: int
    eligibility: Eligibility
    reason_code: ReasonCode
    confidence: Confidence
    readiness: Readiness
    readiness_note: str
    deadline_earliest: datetime | None
    deadline_latest: datetime | None
    blast_radius: BlastRadius = field(default_factory=BlastRadius)


@dataclass(frozen=True, slots=True)
class Excluded:
    """A run that was asked for and will not be resumed, and why."""

    run: str
    reason_code: ReasonCode
    sentence: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a resume would do. Instants are the org's time; `hash` is hexadecimal SHA-256 over all the rest."""

    id: str
    org: str
    org_id: str
    created_at: datetime
    expires_at: datetime
    target_status: str  # the value that will be written to Status
    proven_here: bool  # whether writing it was ever seen to resume a run of this org
    included: tuple[PlannedRun, ...]
    excluded: tuple[Excluded, ...]
    hash: str = ""

    def to_json(self) -> dict[str, Any]:
        """As a JSON document, which `from_json` reads back."""
        document: dict[str, Any] = _PLAN.dump_python(self, mode="json")
        return {"schema_version": SCHEMA_VERSION} | document

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Plan:
        """Read a plan, or the `plan` of a resume document. Raises UsageError when it is neither."""
        plan = document.get("plan", document)
        if not isinstance(plan, Mapping) or plan.get("schema_version") != SCHEMA_VERSION:
            raise _no_plan(f"it has no schema_version {SCHEMA_VERSION}")
        try:
            return _PLAN.validate_python({key: value for key, value in plan.items() if key != "schema_version"})
        except ValidationError as problem:
            first = problem.errors(include_url=False, include_input=False)[0]
            raise _no_plan(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from problem

    def check(self, now: datetime) -> None:
        """Raise Refused if the plan was changed after it was made, or is too old to act on at `now` (org time)."""
        again = "Make a new plan with the same words and without --plan."
        if self.hash != _hash(self):
            raise Refused("The plan was changed after it was made.", meaning="Nothing was sent.", next_step=again)
        if now > self.expires_at:
            raise Refused(
                f"The plan expired at {self.expires_at:%Y-%m-%d %H:%M:%S} UTC.",
                meaning="Nothing was sent: its runs may have moved on since.",
                next_step=again,
            )


_PLAN = TypeAdapter(Plan)


def seal(plan: Plan) -> Plan:
    """The plan with its hash."""
    return replace(plan, hash=_hash(plan))


def new_id() -> str:
    """An id for a plan, a batch or a message: 32 hexadecimal digits."""
    return uuid4().hex


def _hash(plan: Plan) -> str:
    document = _PLAN.dump_python(replace(plan, hash=""), mode="json")
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _no_plan(problem: str) -> UsageError:
    return UsageError(
        f"This is not a plan: {problem}.", next_step="`reprise resume --json …` without --execute writes one."
    )
