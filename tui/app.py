"""The dashboard: wires screens, clock and sync together. It starts from the mirror and never waits for the org."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import Engine
from textual import events, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import WorkerFailed

from connector.errors import MirrorUnusable
from tui.screens.desk import Desk, explained
from tui.screens.help import HelpScreen, commands
from tui.screens.mirror_source import MirrorSource
from tui.screens.resume import RESUMING
from tui.screens.runs import RunsScreen
from tui.widgets.status_line import StatusLine
from tui.widgets.tones import OKABE_DARK, TONE_CSS, tone_variables
from tui.widgets.top_line import Situation

if TYPE_CHECKING:
    from connector.settings import OrgSettings
    from tui.settings import Settings


class Dashboard(App[None]):
    """Knows the time and the situation; everything else is asked by the screens."""

    TITLE = "Reprise"
    CSS = TONE_CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "keys", key_display="?"),
        Binding("colon,ctrl+p", "command_palette", "commands", show=False),
        Binding("q", "quit", "quit"),
    ]

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012

    now: reactive[datetime] = reactive(datetime.min.replace(tzinfo=UTC), init=False)
    situation: reactive[Situation] = reactive(Situation("", read_only=True), init=False)

    def __init__(self, desk: Desk, *, poll: timedelta) -> None:
        # Textual takes NO_COLOR out of the environment and chooses its filter here: without a theme in the terminal's
        # own colours it would only turn everything grey.
        colourless = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if colourless else None)
        self.register_theme(OKABE_DARK)
        self.theme = "ansi-dark" if colourless else OKABE_DARK.name
        self.desk = desk
        self.poll = poll
        self.set_reactive(Dashboard.now, desk.clock())
        self.set_reactive(Dashboard.situation, Situation(desk.org, read_only=bool(desk.read_only)))
        self._clock_timer: Timer | None = None
        self._warned_before_leaving = False

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The tones' colours, for every theme."""
        return tone_variables(self.current_theme)

    def get_default_screen(self) -> Screen[None]:
        """The list of runs."""
        return RunsScreen(self.desk)

    def on_mount(self) -> None:
        """Show the mirror's figures, then sync, then again and again."""
        self._clock_timer = self.set_interval(1, self._tick)
        # After the first refresh, so that the list puts its question first.
        self.call_after_refresh(self._start)
        self.set_interval(self.poll.total_seconds(), self.action_sync)

    # Clock

    def _tick(self) -> None:
        self.now = self.desk.clock()

    def on_app_blur(self) -> None:
        """Nobody is looking: send nothing to the terminal."""
        if self._clock_timer is not None:
            self._clock_timer.pause()

    def on_app_focus(self) -> None:
        """Somebody is looking again."""
        if self._clock_timer is not None:
            self._clock_timer.resume()
            self._tick()

    async def on_event(self, event: events.Event) -> None:
        """Any key takes back what the status line said."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            for line in (line for screen in self.screen_stack for line in screen.query(StatusLine)):
                line.a_key_was_pressed(self.desk.clock())
        await super().on_event(event)

    # Sync

    def action_sync(self) -> None:
        """Sync now, unless that is being done."""
        if not self.situation.syncing:
            self.situation = replace(self.situation, syncing=True)
            self._sync()

    @work(group="start")
    async def _start(self) -> None:
        await self._read_overview()
        self.action_sync()  # only now, so that it takes no time from the first screen

    @work(group="sync")
    async def _sync(self) -> None:
        try:
            await self.desk.talking.ask(self.desk.source.sync)
        except Exception as problem:  # noqa: BLE001 - the mirror's data stay on screen, and the top line says how old
            # A mirror that another process is writing to right now says nothing about the org.
            away = None if isinstance(problem, MirrorUnusable) else self.situation.offline_since or self.desk.clock()
            self.situation = replace(self.situation, problem=explained(problem), offline_since=away)
        else:
            self.situation = replace(self.situation, problem=None, offline_since=None)
        await self._read_overview()
        self.situation = replace(self.situation, syncing=False, passes=self.situation.passes + 1)

    async def _read_overview(self) -> None:
        try:
            overview = await self.desk.reading.ask(lambda: self.desk.source.overview(self.desk.clock()))
        except Exception as problem:  # noqa: BLE001 - as above
            self.situation = replace(self.situation, problem=explained(problem))
            return
        self.situation = replace(self.situation, overview=overview)
        self._tick()

    # Commands

    async def action_quit(self) -> None:
        """Leave. While a resume is being proven, only at the second time: what was sent stays sent, its proof is not told."""
        resuming = any(worker.group == RESUMING and not worker.is_finished for worker in self.workers)
        if resuming and not self._warned_before_leaving:
            self._warned_before_leaving = True
            for line in self.screen.query(StatusLine):
                line.notice = (
                    "A resume waits for its proof. q again leaves; `reprise watch --once` looks for the proof later."
                )
            return
        await super().action_quit()

    async def action_help(self) -> None:
        """The keys that work here."""
        await self.push_screen(HelpScreen(self.screen))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key of the screen as a command, then Textual's own that make sense here."""
        for each in commands(screen):
            if each.action not in ("command_palette", "quit"):
                run = partial(self.run_action, each.action, each.node)
                yield SystemCommand(each.said.capitalize(), f"key {each.keys}", run)
        yield SystemCommand("Theme", "Choose other colours", self.action_change_theme)
        yield SystemCommand("Quit", "Leave the dashboard; the mirror stays", self.action_quit)

    @property
    def failure(self) -> BaseException | None:
        """What ended the dashboard, if it was not the person."""
        problem = self._exception
        return problem.error if isinstance(problem, WorkerFailed) else problem

    def _fatal_error(self) -> None:
        """End without Textual's stack trace: its local variables are nobody's business; the caller words the error."""
        self._close_messages_no_wait()


def run_dashboard(
    engine: Engine,
    settings: Settings,
    *,
    org: OrgSettings,
    read_only: bool,
) -> None:
    """Show the dashboard of an org until the person leaves. Raises what went wrong inside it."""
    source = MirrorSource(engine, settings, org)
    why = "writes are not allowed; set REPRISE_ALLOW_WRITES=1 to allow them." if read_only else ""
    app = Dashboard(Desk(source, org.name, source.clock, why), poll=settings.sync.poll_floor)
    # What the libraries made while they were imported lives as long as we do. Looking through it again, as a full
    # garbage collection does, took 60 ms in the middle of a key.
    gc.freeze()
    app.run()
    if app.failure is not None:
        raise app.failure
