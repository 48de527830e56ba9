"""What a person is told about records in quarantine. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from connector.drift import WITHOUT
from connector.mirror.quarantine import Kept
from connector.mirror.tables import Run

NAMED = 3  # records in sentences of their own


def warnings(kept: Sequence[Kept]) -> list[str]:
    """How many records cannot be understood and what to do; then what the first few of them mean for their runs."""
    if not kept:
        return []
    named = [_sentence(each) for each in kept[:NAMED]]
    more = len(kept) - len(named)
    return [_summary(len(kept)), *named, *([f"So it is with {more:,} more."] if more else [])]


def _summary(count: int) -> str:
    records, them = ("1 record of the org is", "it") if count == 1 else (f"{count:,} records of the org are", "them")
    return (
        f"{records} kept aside, for Reprise cannot understand {them}. In the org, correct the field that is named, or update"
        " Reprise and run `reprise sync --full`; `reprise sync --json` lists every record with its problem."
    )


def _sentence(kept: Kept) -> str:
    of_run = f" of run {kept.run}" if kept.run and kept.object != Run.salesforce_object else ""
    since = f"since {kept.seen_at:%Y-%m-%d %H:%M}Z"
    return f"{kept.object} {kept.id}{of_run} is kept aside {since} ({kept.problem}): {_meaning(kept)}."


def _meaning(kept: Kept) -> str:
    is_run = kept.object == Run.salesforce_object
    if kept.mirrored_at is not None:
        older = f"the mirror still shows its older version, of {kept.mirrored_at:%Y-%m-%d %H:%M:%S}Z"
        return older if is_run else f"{older}, and its run is judged by that"
    if is_run:
        return "the mirror lacks this run, so nobody is told when it is about to be lost"
    return f"its run is judged without it, as where {WITHOUT[kept.object]}"
