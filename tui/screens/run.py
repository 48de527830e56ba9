"""The run screen: one run's verdict, tree and timeline, and the facts they stand on."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from connector.errors import NotFound
from monitor.rows import RunDetail
from tui.format import zone
from tui.screens.desk import Desk, explained
from tui.screens.resume import ResumeScreen
from tui.screens.source import Source
from tui.widgets.run_list import RunList
from tui.widgets.status_line import ASKING, StatusLine
from tui.widgets.story import facts, timeline, tree, verdict
from tui.widgets.tones import content
from tui.widgets.top_line import Situation, TopLine

PANES = {"tree": "stages › steps › work items", "timeline": "milestones", "facts": "error, evidence, effects"}


def _detail(source: Source, now: datetime, row: int) -> RunDetail:
    line = source.lines(now, [row]).get(row)
    if line is None:
        raise NotFound("This run is no longer in the mirror.", next_step="Esc goes back to the list.")
    return source.detail(now, line.id)


class Pane(VerticalScroll, can_focus=True):
    """A bordered, scrolling text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "down", show=False),
        Binding("k", "scroll_up", "up", show=False),
        Binding("g", "scroll_home", "top", show=False),
        Binding("G", "scroll_end", "bottom", show=False),
    ]

    def __init__(self, name: str) -> None:
        super().__init__(id=name)
        self.border_title = PANES[name]

    def compose(self) -> ComposeResult:
        """The text."""
        yield Static(markup=False)


class RunScreen(Screen[None]):
    """Shows the run under the list's cursor; `[` and `]` move that cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "resume", "Resume…"),
        Binding("left_square_bracket", "other(-1)", "previous", key_display="["),
        Binding("right_square_bracket", "other(1)", "next", key_display="]"),
        Binding("tab", "pane(1)", "next pane"),
        Binding("shift+tab", "pane(-1)", "previous pane", show=False),
        Binding("r", "sync", "sync"),
        Binding("y", "copy_id", "copy id"),
        Binding("escape,q", "app.pop_screen", "back", key_display="esc"),
    ]

    DEFAULT_CSS = """
    RunScreen {
        & #verdict { height: auto; max-height: 4; padding: 0 1; }
        & #panes { height: 1fr; layout: grid; grid-size: 2 2; grid-rows: 3fr 2fr; }
        & #facts { column-span: 2; }
        & Pane { border: round $primary; border-title-color: $foreground; padding: 0 1; }
        & Pane:focus { border: round $accent; border-title-style: bold; }
        & Pane > Static { width: 1fr; height: auto; }
        & #tree > Static, & #timeline > Static { text-wrap: nowrap; text-overflow: ellipsis; }
        &.-narrow #panes { layout: vertical; }
        &.-narrow Pane { display: none; height: 1fr; }
        &.-narrow Pane.-current { display: block; }
    }
    """

    def __init__(self, desk: Desk, runs: RunList) -> None:
        super().__init__()
        self.desk = desk
        self.runs = runs
        self.detail: RunDetail | None = None
        self._shown: str | None = None

    def compose(self) -> ComposeResult:
        """Top line, verdict, three panes, status, keys."""
        yield TopLine()
        yield Static(id="verdict", markup=False)
        with Container(id="panes"):
            for name in PANES:
                yield Pane(name)
        yield StatusLine()
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Read the run, and again after every sync."""
        self._select("tree")
        self.watch(self.app, "situation", self._news, init=False)
        self.watch(self.app, "now", self._show, init=False)
        self.look()

    @property
    def status(self) -> StatusLine:
        """The status line."""
        return self.query_one(StatusLine)

    def look(self) -> None:
        """Read the run again."""
        if (row := self.runs.cursor_row) is not None:
            self._look(row)

    @work(exclusive=True, group="look")
    async def _look(self, row: int) -> None:
        desk = self.desk
        try:
            self.detail = await desk.reading.ask(partial(_detail, desk.source, desk.clock(), row))
        except Exception as problem:  # noqa: BLE001 - the screen stays as it was, and says why
            self.status.alarm = explained(problem)
            return
        self._show()

    def _news(self, before: Situation, situation: Situation) -> None:
        if situation.passes != before.passes:
            self.status.answered()
            self.look()
        self.status.warn_of(situation.problem)

    def _show(self) -> None:
        if self.detail is None:
            return
        clock = (self.desk.clock(), zone(self.detail.time_zone))
        self.query_one("#verdict", Static).update(content(verdict(self.detail, clock)))
        for name, lines in (
            ("tree", tree(self.detail, clock)),
            ("timeline", timeline(self.detail, clock)),
            ("facts", facts(self.detail)),
        ):
            self.query_one(f"#{name} > Static", Static).update(content(lines))
        if self._shown != self.detail.line.id:
            self._shown = self.detail.line.id
            self._show_the_present()
        self.status.text = f"{self.runs.position + 1:,}/{len(self.runs.rows):,} · run {self.detail.line.id}"

    def _show_the_present(self) -> None:
        """Now and the deadline are at the far end of the axis."""
        self.call_after_refresh(self.query_one("#timeline", Pane).scroll_end, animate=False)

    # Keys

    def action_other(self, by: int) -> None:
        """Go to the run above or below in the list."""
        self.runs.action_move(by)
        self.look()

    def action_pane(self, by: int) -> None:
        """Go to another pane."""
        names = list(PANES)
        here = next(
            (number for number, name in enumerate(names) if self.query_one(f"#{name}").has_class("-current")), 0
        )
        self._select(names[(here + by) % len(names)])

    def _select(self, name: str) -> None:
        chosen = self.query_one(f"#{name}", Pane)
        if chosen.id == "timeline" and not chosen.display:
            self._show_the_present()  # what does not show cannot be scrolled before
        for pane in self.query(Pane):
            pane.set_class(pane is chosen, "-current")
        chosen.focus()

    async def action_resume(self) -> None:
        """Preview a resume of this run."""
        if self.detail is not None:
            await self.app.push_screen(ResumeScreen(self.desk, (self.detail.line.id,)))

    async def action_sync(self) -> None:
        """Ask the org now."""
        self.status.notice = ASKING
        await self.app.run_action("sync")

    def action_copy_id(self) -> None:
        """Hand the run's id to the terminal's clipboard."""
        if self.detail is not None:
            self.app.copy_to_clipboard(self.detail.line.id)
            self.status.notice = f"{self.detail.line.id} handed to the terminal's clipboard (OSC 52)"
