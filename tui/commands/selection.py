"""The filter options that `runs` and `resume` share, and the filter they make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tui import diagnostics
from tui.format import length_of_time, nearest, plain

if TYPE_CHECKING:
    from monitor.rows import RunFilter

STATUSES = ("Error", "InProgress", "Suspended", "Completed", "Canceled")


def _within(text: str) -> timedelta:
    try:
        return length_of_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _statuses(incomplete: str) -> list[str]:
    return [status for status in STATUSES if status.lower().startswith(incomplete.lower())]


Status = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        metavar="S",
        help=f"Runs in this status ({', '.join(STATUSES)}); repeat for several.",
        autocompletion=_statuses,
    ),
]
AtRisk = Annotated[bool, typer.Option("--at-risk", help="Failed runs that can, or may, still be saved.")]
Within = Annotated[
    timedelta | None,
    typer.Option("--within", metavar="TIME", parser=_within, help="Deadline at most this far ahead: 6h, 3d."),
]
Orchestration = Annotated[
    str | None, typer.Option("--orchestration", metavar="NAME", help="API name or label; * stands for anything.")
]
Group = Annotated[str | None, typer.Option("--group", metavar="ID", help="The runs of one cause group.")]


def run_filter(
    *,
    org: str | None,
    status: Sequence[str] | None,
    at_risk: bool,
    within: timedelta | None,
    orchestration: str | None,
    group: str | None,
    ids: Sequence[str] = (),
) -> RunFilter:
    """What was typed, as the monitor takes it. A status that is no known one is warned of: Salesforce may have added it."""
    from monitor.rows import RunFilter

    for each in status or ():
        if each.lower() not in map(str.lower, STATUSES):
            diagnostics.warn(f"{plain(each)!r} is not a known status{nearest(each.capitalize(), STATUSES) or '.'}")
    return RunFilter(
        org=org,
        statuses=tuple(status or ()),
        orchestration=orchestration,
        group=group,
        at_risk=at_risk,
        within=within,
        ids=tuple(ids),
    )
