"""The runs screen: the list by time left, a filter, marks, and the run under the cursor in short."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static

from monitor.rows import RunFilter, RunLine
from tui.format import Line, count, zone
from tui.screens.changes import Waiting, compare
from tui.screens.desk import Desk, explained
from tui.screens.query import View
from tui.screens.resume import ResumeScreen
from tui.screens.run import RunScreen
from tui.screens.source import Source
from tui.widgets.column_heads import ColumnHeads
from tui.widgets.filter_line import FilterLine
from tui.widgets.preview import preview
from tui.widgets.run_list import RunList
from tui.widgets.status_line import ASKING, StatusLine
from tui.widgets.tones import content
from tui.widgets.top_line import Situation, TopLine, informed

IDLE = timedelta(seconds=10)
"""After so long without a key, changes that wait are shown by themselves if the cursor is on the first line."""

FIRST_LINES = 60
"""Lines read together with the first vector: more than most screens have."""

CHUNK = 2000
"""Lines read at a time when thousands are marked, so that what the screen asks for gets its turn in between."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at the mirror: the order now, how it differs from what is shown, and the lines on screen anew."""

    rows: array[int]
    waiting: Waiting | None
    asked: Sequence[int]
    lines: dict[int, RunLine]


def _look_at(source: Source, now: datetime, chosen: RunFilter, shown: array[int], visible: array[int]) -> _Look:
    rows = source.vector(now, chosen)
    asked = visible or rows[:FIRST_LINES]
    return _Look(rows, compare(shown, rows), asked, source.lines(now, asked))


class RunsScreen(Screen[None]):
    """Lists runs; `Enter` opens one, `R` previews a resume of the marked ones or of the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("asterisk,ctrl+a", "mark_all", "mark all", key_display="*"),
        Binding("u", "unmark", "unmark", show=False),
        Binding("R", "resume", "Resume…"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("exclamation_mark", "at_risk", "at risk", key_display="!"),
        Binding("equals_sign", "same_cause", "same cause", key_display="=", show=False),
        Binding("r", "sync_and_show", "sync"),
        Binding("p", "preview", "preview", show=False),
        Binding("y", "copy_id", "copy id", show=False),
        Binding("escape", "wider", "back", show=False),
    ]

    DEFAULT_CSS = """
    RunsScreen {
        & RunList { height: 1fr; }
        & #empty { height: auto; padding: 1 4; display: none; }
        & #preview { height: 6; padding: 0 1; border-top: solid $primary; text-wrap: nowrap; text-overflow: ellipsis; }
        &.-short #preview, &.-no-preview #preview { display: none; }
        &.-empty #preview { display: none; }
        &.-empty #empty { display: block; }
    }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.view = View()
        self._waiting: Waiting | None = None
        self._apply = False  # the next look may change the order on screen
        self._to_top = False
        self._previewed: tuple[Line, ...] = ()

    def compose(self) -> ComposeResult:
        """Top line, list, status, preview, keys."""
        yield TopLine()
        yield ColumnHeads()
        yield Static(id="empty", markup=False)
        yield RunList(self.desk.clock(), id="runs")  # empty or not: hidden, it would lose the focus
        yield FilterLine()
        yield StatusLine()
        yield Static(id="preview", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Show at once what the mirror has, and follow clock and syncs."""
        self.runs.focus()
        self.look(apply=True)
        self.watch(self.app, "now", self._tick, init=False)
        self.watch(self.app, "situation", self._news)
        self.watch(self.runs, "here", self._say, init=False)

    @property
    def runs(self) -> RunList:
        """The list of runs."""
        return self.query_one(RunList)

    @property
    def status(self) -> StatusLine:
        """The status line."""
        return self.query_one(StatusLine)

    # What is shown

    def look(self, *, apply: bool = False, to_top: bool = False) -> None:
        """Look at the mirror again. Without `apply` only values change; another order waits for the person."""
        self._apply |= apply
        self._to_top |= to_top
        self._look()

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        desk, runs = self.desk, self.runs
        asked = runs.on_screen(margin=runs.size.height)
        try:
            chosen = self.view.filter(desk.org)
            seen = await desk.reading.ask(partial(_look_at, desk.source, desk.clock(), chosen, runs.rows, asked))
        except Exception as problem:  # noqa: BLE001 - the screen stays as it was, and says why
            self.status.alarm = explained(problem)
            return
        runs.forget()
        runs.fill(seen.lines, seen.asked)
        self._waiting = seen.waiting
        if self._apply or self._waiting is None:
            self._show(seen.rows)
        self._say()

    def _show(self, rows: array[int]) -> None:
        runs = self.runs
        runs.replace(rows, to_top=self._to_top)
        self._apply = self._to_top = False
        self._waiting = None
        self.set_class(not runs.rows, "-empty")
        self._say()

    @on(RunList.Wanted)
    def _lines_wanted(self, wanted: RunList.Wanted) -> None:
        self._read_lines(wanted.rows)

    @work(exclusive=True, group="lines")
    async def _read_lines(self, rows: tuple[int, ...]) -> None:
        desk = self.desk
        try:
            lines = await desk.reading.ask(partial(desk.source.lines, desk.clock(), rows))
        except Exception as problem:  # noqa: BLE001 - the screen stays as it was, and says why
            self.status.alarm = explained(problem)
            return
        self.runs.fill(lines, rows)

    def _news(self, before: Situation, situation: Situation) -> None:
        if situation.passes != before.passes:
            self.status.answered()
            self.look()
        self.status.warn_of(situation.problem)
        self._say()

    def _tick(self, now: datetime) -> None:
        self.runs.tick(now)
        if self._waiting and self._nobody_would_mind(self._waiting.rows, now):
            self._show(self._waiting.rows)
        self._show_preview()

    def _nobody_would_mind(self, rows: array[int], now: datetime) -> bool:
        """Whether waiting changes may show by themselves: nobody types, and the cursor is, and stays, at the top."""
        idle = self.is_current and self.status.quiet_for(now) >= IDLE
        return idle and self.runs.position == 0 and self.runs.keeps_cursor_in_sight(rows)

    # Keys

    def action_mark_all(self) -> None:
        """Mark every run the filter shows, on screen or not; if all are marked already, none of them."""
        runs = self.runs
        if runs.marks.keys() >= set(runs.rows):
            runs.set_marks({row: run for row, run in runs.marks.items() if row not in set(runs.rows)})
        else:
            self.status.notice = f"marking {count(len(runs.rows), 'run')}…"
            self._mark(runs.rows)

    @work(exclusive=True, group="mark")
    async def _mark(self, rows: array[int]) -> None:
        desk, marks = self.desk, dict(self.runs.marks)
        try:
            for start in range(0, len(rows), CHUNK):
                job = partial(desk.source.lines, desk.clock(), rows[start : start + CHUNK])
                marks |= {row: line.id for row, line in (await desk.reading.ask(job)).items()}
        except Exception as problem:  # noqa: BLE001 - the marks stay as they were, and the screen says why
            self.status.alarm = explained(problem)
            return
        self.runs.set_marks(marks)
        self.status.notice = f"{count(len(marks), 'run')} marked"

    def action_unmark(self) -> None:
        """Take every mark away."""
        self.status.notice = f"{count(len(self.runs.marks), 'run')} unmarked"
        self.runs.set_marks({})

    async def action_resume(self) -> None:
        """Preview a resume of the marked runs, or of the run under the cursor."""
        line = self.runs.cursor_line
        chosen = tuple(self.runs.marks.values()) or ((line.id,) if line else ())
        if chosen:
            await self.app.push_screen(ResumeScreen(self.desk, chosen))
        else:
            self.status.notice = "R: there is no run to resume"

    @on(RunList.Opened)
    async def _open(self) -> None:
        await self.app.push_screen(RunScreen(self.desk, self.runs))

    def action_at_risk(self) -> None:
        """Only failed runs that may still be saved; again: all."""
        self._choose(replace(self.view, at_risk=not self.view.at_risk), to_top=True)

    def action_same_cause(self) -> None:
        """Only the runs that failed like the one under the cursor; again: all."""
        if self.view.cause:
            self._choose(replace(self.view, cause=None))
        elif (line := self.runs.cursor_line) and line.group:
            self._choose(replace(self.view, cause=line.group))
        else:
            self.status.notice = "=: this run did not fail, so there is no cause to compare"

    def action_wider(self) -> None:
        """Take the newest restriction away, one with each key."""
        if self.view != View():
            self._choose(self.view.wider())

    def action_filter(self) -> None:
        """Open the filter line."""
        self.query_one(FilterLine).open(self.view.text)

    @on(FilterLine.Tried)
    def _try_filter(self, tried: FilterLine.Tried) -> None:
        view = replace(self.view, text=tried.text)
        try:
            view.filter(self.desk.org)
        except ValueError as problem:
            self.query_one(FilterLine).add_class("-wrong")
            self.status.alarm = f"{problem}; the list is unchanged"
            return
        self.query_one(FilterLine).remove_class("-wrong")
        if view != self.view:
            self._choose(view, to_top=True)

    @on(FilterLine.Closed)
    def _filter_closed(self) -> None:
        self.runs.focus()

    def _choose(self, view: View, *, to_top: bool = False) -> None:
        self.view = view
        self.look(apply=True, to_top=to_top)

    async def action_sync_and_show(self) -> None:
        """Show what waits, ask the org now, and show what that brings."""
        if self._waiting:
            self._show(self._waiting.rows)
        self._apply = True
        self.status.notice = ASKING
        await self.app.run_action("sync")

    def action_preview(self) -> None:
        """Show or hide the preview."""
        self.toggle_class("-no-preview")

    def action_copy_id(self) -> None:
        """Hand the run's id to the terminal's clipboard."""
        if line := self.runs.cursor_line:
            self.app.copy_to_clipboard(line.id)
            self.status.notice = f"{line.id} handed to the terminal's clipboard (OSC 52)"

    # What is said

    def _say(self) -> None:
        runs = self.runs
        place = f"{runs.position + 1 if runs.rows else 0:,}/{len(runs.rows):,} {self.view.label()}"
        marked = f"{len(runs.marks):,} marked" if runs.marks else ""
        if hidden := runs.hidden_marks:
            marked += f" ({hidden:,} not in this view)"
        waiting = self._waiting.sentence() if self._waiting else ""
        self.status.text = " · ".join(filter(None, (place, "by time left", marked, waiting)))
        if not runs.rows:
            self.query_one("#empty", Static).update(self._why_empty())
        self._show_preview()

    def _why_empty(self) -> str:
        overview, problem = self._situation.overview, self._situation.problem
        if overview is not None and overview.total:
            return f"0 of {count(overview.total, 'run')} match: {self.view.label()}\n\nEsc takes the filter away."
        if problem:
            return f"Nothing is mirrored yet, and the sync fails:\n\n{problem}\n\nr tries again."
        return "Nothing is mirrored yet. The first sync is running; runs appear here as soon as it ends."

    def _show_preview(self) -> None:
        line, overview = self.runs.cursor_line, self._situation.overview
        where = zone(overview.time_zone if overview else None)
        shown = preview(line, self.runs.now, where) if line else ()
        if shown != self._previewed:
            self._previewed = shown
            self.query_one("#preview", Static).update(content(shown), layout=False)

    @property
    def _situation(self) -> Situation:
        return informed(self.app).situation
