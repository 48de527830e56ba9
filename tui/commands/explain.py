"""`reprise explain`: what a reason code means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tui import output
from tui.asked import Asked
from tui.diagnostics import ExitCode
from tui.format import Line, Span, Tone, lower, nearest, plain, wrap

if TYPE_CHECKING:
    from monitor.reasons import Reason


def _codes(incomplete: str) -> list[str]:
    from monitor.verdict import ReasonCode

    return [code for code in ReasonCode if code.startswith(incomplete.upper())]


def explain(
    context: typer.Context,
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="Without it: every code.", autocompletion=_codes)
    ] = None,
) -> ExitCode:
    """Explain a reason code, or list them all."""
    from connector.errors import UsageError
    from monitor import reasons
    from monitor.verdict import ReasonCode

    wanted = code.upper() if code else None
    if wanted is not None and wanted not in set(ReasonCode):
        raise UsageError(
            f"{plain(wanted)!r} is not a reason code{nearest(wanted, ReasonCode) or '.'}",
            next_step="`reprise explain` lists them all.",
        )
    found = [reasons.explain(each) for each in ReasonCode if wanted in (None, each)]
    if Asked.of(context).json:
        from monitor import documents

        output.document(documents.explain(found))
    elif wanted:
        output.lines(_page(found[0], output.width()))
    else:
        output.lines(_index(found))
    return ExitCode.OK


def _page(reason: Reason, width: int) -> Iterator[Line]:
    yield (Span(reason.code, Tone.STRONG), Span(f"  {lower(reason.eligibility)}"))
    yield from ((Span(part),) for part in wrap(reason.sentence, width))
    for title, body in (
        ("What it means", reason.meaning),
        ("What to do", reason.todo),
        ("Known from", reason.evidence_used),
        ("Source", reason.source),
    ):
        yield ()
        yield (Span(title, Tone.STRONG),)
        yield from ((Span(f"  {part}"),) for part in wrap(body, width - 2))


def _index(found: list[Reason]) -> Iterator[Line]:
    for reason in found:
        yield (Span(f"{reason.code:<20} ", Tone.STRONG), Span(reason.sentence))
