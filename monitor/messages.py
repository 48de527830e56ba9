"""What an alert says: what, why, until when, whether it can be saved, what to type next, and where to look. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from textwrap import shorten
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector.mirror.tables import Org
from monitor.channels import Message
from monitor.failed import FailedRun
from monitor.links import run_url
from monitor.reasons import explain
from monitor.signature import headline, mask
from monitor.text import visible
from monitor.tiers import Notice, Sight, Tier
from monitor.verdict import Eligibility, ReasonCode

SUMMARY = "summary"
"""Kind of the one message that the first look at an org sends. All other kinds are tiers."""

RUNS_NAMED = 10
"""How many runs a message lists; the rest is a number. The first to be lost come first."""

CAUSE_LENGTH = 400
"""Characters of an error text that a message quotes."""


class Standing(Enum):
    """How a failed run shows itself, which is said of it."""

    IN_ERROR = auto()
    RELABELLED = auto()  # its status says InProgress, and nothing moved
    UNSEEN = auto()


@dataclass(frozen=True, slots=True)
class Told:
    """One failed run in a message, and the notice that it is in the message for."""

    run: FailedRun
    notice: Notice


def group_message(message_id: str, org: Org, told: Sequence[Told], sight: Sight) -> Message:
    """One message about failed runs of one cause group that reached one tier in the same cycle."""
    runs = _soonest_first([one.run for one in told])
    tier = told[0].notice.tier
    sample = runs[0]
    cause = _cause(sample)
    skipped = [step for step in Tier if any(step in one.notice.skipped for one in told)]
    title = f"[{tier.label}] {_place(sample)}: {_headline(tier, runs, org, sight)}"
    lines = [
        title,
        f"Why: {headline(cause) if cause else 'the org gives no error text'}",
        f"Verdict: {_verdicts(runs)}. {sample.verdict.readiness_note}".rstrip(),
        explain(ReasonCode.RUN_NOT_VISIBLE).todo if standing(sample) is Standing.UNSEEN else "",
        _skipped_line(skipped),
        *_ending(org, runs, sight, next_command(org, runs)),
    ]
    body = _body(message_id, tier, org, runs, sight) | {
        "group": sample.verdict.group,
        "orchestration": sample.orchestration,
        "stage": sample.verdict.stage,
        "step": sample.verdict.step,
        "cause": cause,
        "readiness": sample.verdict.readiness,
        "readiness_note": sample.verdict.readiness_note,
        "skipped": skipped,
        "next": next_command(org, runs),
    }
    return _message(message_id, tier, title, lines, body)


def summary_message(message_id: str, org: Org, told: Sequence[Told], sight: Sight) -> Message:
    """The one message after the first look at an org: how many runs are in which tier, however many there are."""
    runs = _soonest_first([one.run for one in told])
    tiers = Counter(one.notice.tier for one in told)
    by_tier = {tier: tiers[tier] for tier in Tier if tiers[tier]}
    title = f"[{SUMMARY}] Reprise now watches {_org_name(org)}: {_runs(len(runs))} to know about"
    counts = ", ".join(f"{count} × {tier.label}" for tier, count in by_tier.items())
    lines = [
        title,
        f"By tier of time left: {counts}." if counts else "No failed run is within 7 days of its deadline.",
        *_ending(org, runs, sight, _command("groups", org)),
    ]
    body = _body(message_id, SUMMARY, org, runs, sight) | {"tiers": by_tier, "next": _command("groups", org)}
    return _message(message_id, SUMMARY, title, lines, body)


def next_command(org: Org, runs: Sequence[FailedRun]) -> str:
    """What to type next about these runs: resume them where that can work, else look at them."""
    group = runs[0].verdict.group
    verb = "resume" if any(standing(run) is Standing.IN_ERROR and not _is_past_saving(run) for run in runs) else "runs"
    if group:
        return _command(f"{verb} --group {group}", org)
    return _command(f"show {runs[0].id}", org)


def time_left(left: timedelta) -> str:
    """A duration in its two largest units, such as "2 d 4 h"; at least "0 min"."""
    minutes = max(int(left.total_seconds()), 0) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def org_time(at: datetime, zone: str | None) -> str:
    """An instant on the org's clock, such as "Mon 23 Nov 2026 09:12 CET"; UTC where the org's zone is not known."""
    try:
        local = at.astimezone(ZoneInfo(zone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        local = at
    return f"{local:%a %d %b %Y %H:%M %Z}"


def _soonest_first(runs: list[FailedRun]) -> list[FailedRun]:
    """Runs that can still be saved before those that cannot, each the first to be lost first."""
    return sorted(runs, key=lambda run: (_is_past_saving(run), run.first_loss is None, run.first_loss, run.id))


def standing(run: FailedRun) -> Standing:
    """How a failed run shows itself."""
    if run.vanished_at is not None:
        return Standing.UNSEEN
    return Standing.RELABELLED if run.verdict.reason is ReasonCode.NOT_IN_ERROR else Standing.IN_ERROR


def _is_past_saving(run: FailedRun) -> bool:
    return run.verdict.eligibility is Eligibility.NOT_RESUMABLE


def _headline(tier: Tier, runs: Sequence[FailedRun], org: Org, sight: Sight) -> str:
    count, first, shown = _runs(len(runs)), runs[0].first_loss, standing(runs[0])
    if tier is Tier.CANNOT_RESUME:
        return f"{count} failed and cannot be resumed"
    if first is None:
        return f"{count} failed, and when is not known"
    when = org_time(first, org.time_zone)
    if tier is Tier.LOST:
        relabelled = shown is Standing.RELABELLED
        how = "labelled InProgress, but nothing had moved by" if relabelled else "still in Error after"
        return f"{count} lost: {how} the last moment to resume ({when})"
    if tier is Tier.PASSED_UNCONFIRMED:
        how = "not visible any more" if shown is Standing.UNSEEN else "the org could not be read"
        return f"{count} may be lost: {how} when the last moment to resume came ({when})"
    left = first - sight.now
    if left <= timedelta():
        return f"{count} may already be past the last moment to resume (since {when})"
    if shown is Standing.IN_ERROR:
        return f"{count} to resume before {when}, in {time_left(left)}"
    unmoved = "labelled InProgress, but nothing moved since the failure"
    how = unmoved if shown is Standing.RELABELLED else "not visible any more"
    return f"{count} {how}; the last moment to resume is {when}, in {time_left(left)}"


def _place(run: FailedRun) -> str:
    parts = (run.orchestration, run.verdict.stage, run.verdict.step)
    return " › ".join(part for part in parts if part) or "unknown orchestration"


def _cause(run: FailedRun) -> str | None:
    """The error text without what identifies people: a message leaves this machine, whatever the screens may show."""
    return shorten(mask(run.verdict.error), CAUSE_LENGTH, placeholder=" …") if run.verdict.error else None


def _verdicts(runs: Sequence[FailedRun]) -> str:
    counts = Counter((run.verdict.eligibility, run.verdict.reason) for run in runs)
    return ", ".join(f"{count} {eligibility} ({reason})" for (eligibility, reason), count in counts.most_common())


def _skipped_line(skipped: Sequence[Tier]) -> str:
    return (
        f"Not told in time, because nothing was watching: {', '.join(tier.label for tier in skipped)}."
        if skipped
        else ""
    )


def _ending(org: Org, runs: Sequence[FailedRun], sight: Sight, command: str) -> list[str]:
    lines = [_run_line(org, run, sight.now) for run in runs[:RUNS_NAMED]]
    if len(runs) > RUNS_NAMED:
        lines.append(f"  and {len(runs) - RUNS_NAMED} more")
    lines.append(f"Next: {command}")
    if sight.stale:
        lines.append(f"The org was last read {time_left(sight.age)} ago; deadlines go on, and this may be out of date.")
    return lines


def _run_line(org: Org, run: FailedRun, now: datetime) -> str:
    return f"  {run.id} {run.name or ''} {_until(org, run, now)}  {run_url(org.instance_url, run.id)}"


def _until(org: Org, run: FailedRun, now: datetime) -> str:
    if run.verdict.deadline is None:
        return "cannot be resumed" if _is_past_saving(run) else "deadline unknown"
    over = run.verdict.deadline.latest < now
    return f"{'lost since' if over else 'until'} {org_time(run.verdict.deadline.earliest, org.time_zone)}"


def _body(message_id: str, kind: str, org: Org, runs: Sequence[FailedRun], sight: Sight) -> dict[str, Any]:
    first = runs[0].first_loss if runs else None
    return {
        "schema_version": 1,
        "id": message_id,
        "kind": kind,
        "org": org.name,
        "org_label": org.label,
        "created_at": _iso(sight.now),
        "data_as_of": _iso(sight.as_of),
        "data_age_seconds": int(sight.age.total_seconds()),
        "data_stale": sight.stale,
        "time_zone": org.time_zone,
        "count": len(runs),
        "first_deadline": _iso(first),
        "seconds_left": int((first - sight.now).total_seconds()) if first else None,
        "runs": [_run_document(org, run) for run in runs[:RUNS_NAMED]],
        "truncated": max(len(runs) - RUNS_NAMED, 0),
    }


def _run_document(org: Org, run: FailedRun) -> dict[str, Any]:
    deadline = run.verdict.deadline
    return {
        "id": run.id,
        "name": run.name,
        "episode": run.verdict.episode,
        "deadline_earliest": _iso(deadline.earliest if deadline else None),
        "deadline_latest": _iso(deadline.latest if deadline else None),
        "eligibility": run.verdict.eligibility,
        "reason_code": run.verdict.reason,
        "confidence": run.verdict.confidence,
        "url": run_url(org.instance_url, run.id),
    }


def _message(message_id: str, kind: str, title: str, lines: Sequence[str], body: dict[str, Any]) -> Message:
    """The title and each line of the text are one line each, whatever a name or an error holds; the body's parts are as read."""
    title, text = visible(title), "\n".join(visible(line) for line in lines if line)
    return Message(message_id, kind, title, text, body | {"title": title, "text": text})


def _command(words: str, org: Org) -> str:
    return f"reprise {words} --org {org.name}"


def _org_name(org: Org) -> str:
    return f"{org.label} ({org.name})" if org.label else org.name


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _iso(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
