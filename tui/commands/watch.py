"""`reprise watch`: the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tui import diagnostics, output
from tui.asked import Asked
from tui.diagnostics import ExitCode
from tui.format import count, iso, lower
from tui.opened import mirror, org_client, settings_of

if TYPE_CHECKING:
    from monitor.channels import Channel
    from monitor.proof import VerifyReport
    from monitor.schedule import CycleReport
    from tui.settings import Settings


def watch(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="One round, then end: for cron.")] = False,
) -> ExitCode:
    """Sync, judge, alert and verify, again and again.

    Alerts go to stdout and to the webhook of the settings; what each round did is said on stderr. With --json each round
    is one document on one line. Ctrl-C or SIGTERM ends it after the round that is under way.
    """
    from monitor import schedule

    asked = Asked.of(context)
    settings = settings_of(context)
    with org_client(settings, asked.org) as client, mirror(settings, create=True) as engine:
        watcher = schedule.Watcher(
            client=client,
            engine=engine,
            channels=channels(settings, diagnostics.talk if asked.json else output.talk),
            sync_settings=settings.sync,
            monitor=settings.monitor,
            resume=settings.resume,
            alerts=settings.alerts,
        )
        newest = schedule.watch(watcher, once=once, say=_print_document if asked.json else _say)
    return _ended(newest) if once and newest else ExitCode.OK


def channels(settings: Settings, write: Callable[[str], object]) -> list[Channel]:
    """The channels that the settings switch on; `write` takes what the console channel says."""
    from monitor.channels.console import ConsoleChannel
    from monitor.channels.webhook import WebhookChannel

    chosen: list[Channel] = []
    if settings.alerts.console:
        chosen.append(ConsoleChannel(write))
    if settings.alerts.webhook_url:
        alerts = settings.alerts
        chosen.append(WebhookChannel(settings.alerts.webhook_url, alerts.webhook_secret, alerts.webhook_timeout))
    return chosen


def _say(report: CycleReport) -> None:
    """One line a round, and one for each thing that people should know."""
    parts = []
    if report.sync:
        changed = count(report.sync.changed_runs, "run")
        parts.append(
            f"sync {report.sync.outcome.lower()}, {changed} changed, {count(report.sync.api_calls, 'API call')}"
        )
    if report.audit:
        parts.append(f"audit {report.audit.outcome.lower()}, {count(report.audit.changed_runs, 'run')} concerned")
    if report.evaluation:
        parts.append(f"{report.evaluation.failed} failed, {count(len(report.evaluation.messages), 'new alert')}")
    if report.delivery and report.delivery.waiting:
        parts.append(f"{count(report.delivery.waiting, 'alert')} not delivered yet")
    if report.verification and (report.verification.settled or report.verification.still_open):
        parts.append(_resumes(report.verification))
    diagnostics.say(f"{iso(report.started_at.replace(microsecond=0))}  {'; '.join(parts) or 'nothing done'}")
    for each in report.verification.settled if report.verification else ():
        if each.outcome != "VERIFIED":
            diagnostics.say(f"{each.run} {lower(each.outcome)}: {each.detail}")
    for warning in report.warnings:
        diagnostics.warn(warning)
    for problem in report.problems:
        diagnostics.say(f"{problem.during}:")
        diagnostics.fail(problem.error)


def _resumes(verification: VerifyReport) -> str:
    """How many resumes ended how: "resumes: 2 verified, 1 stalled, 0 waiting for proof"."""
    ended = Counter(each.outcome for each in verification.settled)
    words = [f"{number} {outcome.lower().replace('_', ' ')}" for outcome, number in sorted(ended.items())]
    return f"resumes: {', '.join([*words, f'{verification.still_open} waiting for proof'])}"


def _print_document(report: CycleReport) -> None:
    for problem in report.problems:
        diagnostics.fail(problem.error)
    output.document(document(report), on_one_line=True)


def document(report: CycleReport) -> dict[str, Any]:
    """One round for programs; a part that failed is null and has its problem listed."""
    evaluation, verification = report.evaluation, report.verification
    return {
        "started_at": iso(report.started_at),
        "sync": report.sync.to_json() if report.sync else None,
        "audit": report.audit.to_json() if report.audit else None,
        "failed_runs": evaluation.failed if evaluation else None,
        "alerts": [message.body for message in evaluation.messages] if evaluation else None,
        "delivery": report.delivery.to_json() if report.delivery else None,
        "settled": [{"run": each.run, "outcome": each.outcome, "detail": each.detail} for each in verification.settled]
        if verification
        else None,
        "still_open": verification.still_open if verification else None,
        "problems": [
            {"during": problem.during, **diagnostics.error_document(problem.error)} for problem in report.problems
        ],
    }


def _ended(report: CycleReport) -> ExitCode:
    """A round ends as its first problem would end a command; a part not read, an alarm or an alert not delivered is PARTIAL."""
    if report.problems:
        return diagnostics.exit_code(report.problems[0].error)
    partly_read = any(part is not None and part.outcome != "COMPLETE" for part in (report.sync, report.audit))
    undelivered = report.delivery is not None and not report.delivery.everything_arrived
    return ExitCode.PARTIAL if partly_read or undelivered else ExitCode.OK
