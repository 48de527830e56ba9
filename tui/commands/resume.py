"""`reprise resume`: preview, and on request act."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui import diagnostics, output
from tui.asked import Asked
from tui.commands.selection import AtRisk, Group, Orchestration, Status, Within, run_filter
from tui.diagnostics import ExitCode
from tui.format import plain
from tui.opened import execute_plan, mirror, org_client, org_read, org_time, settings_of
from tui.plan_page import batch_lines, left_out_lines, plan_lines

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from connector.errors import RepriseError
    from monitor.plans import Plan
    from monitor.resume import Batch, Step
    from monitor.rows import RunFilter
    from tui.settings import Settings


def resume(
    context: typer.Context,
    run: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Ids of runs.")] = None,
    status: Status = None,
    at_risk: AtRisk = False,
    within: Within = None,
    orchestration: Orchestration = None,
    group: Group = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Act on the plan that a dry run with --json printed."),
    ] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Really send it. Without: only show the plan.")] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept in the ledger. Needed to execute.")
    ] = None,
) -> ExitCode:
    """Preview the resume of failed runs; with --execute, do it.

    Without --execute nothing is written, neither to Salesforce nor to the ledger. With it, each run is followed until it
    is proven to have moved. Writing must be allowed: REPRISE_ALLOW_WRITES=1.
    """
    asked = Asked.of(context)
    settings = settings_of(context)
    chosen = run_filter(
        org=org_read(context, settings),
        status=status,
        at_risk=at_risk,
        within=within,
        orchestration=orchestration,
        group=group,
        ids=run or (),
    )
    _refuse_half_a_question(chosen, plan, execute=execute, reason=reason)
    with mirror(settings, chosen.org) as engine:
        made = _read_plan(plan) if plan else _make_plan(engine, settings, chosen)
        if execute and made.included:
            return _execute(engine, settings, made, reason or "", as_json=asked.json)
        return _preview(made, org_time(engine, made.org, settings), settings, as_json=asked.json)


def _refuse_half_a_question(chosen: RunFilter, plan: Path | None, *, execute: bool, reason: str | None) -> None:
    """Nobody resumes every run by leaving a word out."""
    from connector.errors import UsageError
    from monitor.rows import RunFilter

    narrowed = chosen != RunFilter(org=chosen.org)
    if not (narrowed or plan):
        raise UsageError("Say which runs.", next_step="Give ids, --group ID, or a filter such as --at-risk.")
    if narrowed and plan:
        raise UsageError("A plan has its runs already.", next_step="Give --plan FILE without ids and filters.")
    if execute and not (reason and reason.strip()):
        raise UsageError("Executing needs a reason; the ledger keeps it.", next_step="Add --reason TEXT.")


def _make_plan(engine: Engine, settings: Settings, chosen: RunFilter) -> Plan:
    from connector.errors import DataTooOld
    from monitor import read, resume

    now = org_time(engine, chosen.org, settings)
    if read.overview(engine, now, chosen.org).as_of is None:
        raise DataTooOld("No sync has completed yet, so nothing can be planned.", next_step="Run `reprise sync`.")
    return resume.plan(engine, now, chosen, settings.resume, settings.monitor)


def _read_plan(file: Path) -> Plan:
    import orjson

    from connector.errors import UsageError
    from monitor.plans import Plan

    try:
        document = orjson.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{file} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise UsageError(f"{file} is not a plan.")
    return Plan.from_json(document)


def _preview(made: Plan, now: datetime, settings: Settings, *, as_json: bool) -> ExitCode:
    from monitor import resume

    if as_json:
        output.document(resume.dry_run(made, settings.resume).to_json())
    else:
        output.lines(plan_lines(made, now, output.width()))
    if not made.included:
        return diagnostics.fail(_why_nobody(made))
    first = "" if settings.resume.allow_writes else "set REPRISE_ALLOW_WRITES=1, then "
    diagnostics.say(f"Nothing was sent. To send it, {first}add --execute --reason TEXT to the same command.")
    return ExitCode.OK


def _why_nobody(made: Plan) -> RepriseError:
    """A plan without runs: because of what they are, or because nobody has looked for too long."""
    from connector.errors import DataTooOld, NothingMatched

    if any(run.reason_code == "STALE_DATA" for run in made.excluded):
        return DataTooOld(
            "The mirror is too old to say which of them can be resumed.",
            meaning="Nothing was sent.",
            next_step="Run `reprise sync`, then the same command again.",
        )
    return NothingMatched("None of them can be resumed now.", meaning="Nothing was sent.")


def _execute(engine: Engine, settings: Settings, made: Plan, reason: str, *, as_json: bool) -> ExitCode:
    if not as_json:
        output.lines(left_out_lines(made.excluded, output.width()))
    _refuse_unknown_sign_in(engine, settings, made)
    with org_client(settings, made.org) as client:
        try:
            batch = execute_plan(made, client, engine, settings, reason, show_progress)
        finally:
            diagnostics.progress("")
    for problem in batch.problems:
        diagnostics.warn(problem)
    if as_json:
        output.document(batch.to_json())
    else:
        output.lines(batch_lines(batch, output.width()))
    return batch_exit_code(batch)


def _refuse_unknown_sign_in(engine: Engine, settings: Settings, made: Plan) -> None:
    """A mirror may hold runs of orgs that the settings know nothing of, or know by another name by now."""
    from connector.errors import UsageError
    from connector.mirror.engine import find_org

    if made.org in settings.orgs:
        return
    org = find_org(engine, made.org_id)
    raise UsageError(
        f"The runs belong to the org {plain(org.name)} ({plain(org.instance_url)}), and no settings tell how to sign in to it.",
        meaning="Nothing was sent.",
        next_step=f"Set REPRISE_INSTANCE_URL={plain(org.instance_url)} with the credentials of that org, or add it to "
        "reprise.toml as [orgs.NAME]; then `reprise sync`, and the same command again.",
    )


def show_progress(step: Step) -> None:
    """How far a batch is, on the progress line."""
    diagnostics.progress(f"{step.doing} … {step.done} of {step.total} runs")


def batch_exit_code(batch: Batch) -> ExitCode:
    """How a batch ended: everything proven, a part, none, or only proof still missing."""
    outcomes = [str(attempt.outcome) for attempt in batch.attempts]
    verified, waiting = outcomes.count("VERIFIED"), outcomes.count("UNVERIFIED")
    if not outcomes:
        return ExitCode.NOTHING_MATCHED
    if verified == len(outcomes):
        return ExitCode.OK
    if verified + waiting == len(outcomes):
        return ExitCode.UNVERIFIED
    return ExitCode.PARTIAL if verified or waiting else ExitCode.ALL_FAILED
