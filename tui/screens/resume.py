"""Resuming runs: a frozen plan, a reason, a confirmation, and what became of each run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.format import Line, Span, Tone, count, plain, wrap
from tui.plan_page import batch_lines, plan_lines
from tui.screens.desk import Desk, explained
from tui.widgets.confirmation import Confirmation
from tui.widgets.status_line import StatusLine
from tui.widgets.tones import content
from tui.widgets.top_line import Situation, informed, kind_word

if TYPE_CHECKING:
    from monitor.plans import Plan
    from monitor.resume import Batch, Step


RESUMING = "resume"
"""The group of the workers that execute a plan."""


class Stage(StrEnum):
    """How far the resume has come; the style sheet shows the parts that belong to it."""

    PLANNING = "planning"
    DRY = "dry"  # a preview that cannot be executed, and says why
    ASKING = "asking"
    SENDING = "sending"
    DONE = "done"


def command(run_ids: Iterable[str], reason: str) -> str:
    """The same resume at the command line."""
    return shlex.join(["reprise", "resume", *run_ids, "--execute", "--reason", reason or "…"])


class ResumeScreen(ModalScreen[None]):
    """Resumes the runs with these Ids, whatever happens to the list or its filter meanwhile."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "leave", key_display="esc"),
    ]

    DEFAULT_CSS = """
    ResumeScreen {
        align: center middle;
        & > Vertical {
            width: 100%; max-width: 112; height: auto; max-height: 100%;
            border: round $primary; background: $surface;
        }
        & #heading { width: 1fr; height: 1; padding: 0 1; text-style: bold; color: #FFFFFF; background: #005B8F; }
        & #heading.-production { background: #A34700; }
        &:ansi #heading { color: ansi_default; background: ansi_default; text-style: bold reverse; }
        & VerticalScroll { padding: 0 1; scrollbar-size-vertical: 1; }
        & #plan { height: auto; }
        & #said { height: auto; max-height: 5; padding: 0 1; }
        & #reason { margin: 1 0 0 0; padding: 0 1; display: none; }
        & Confirmation { display: none; }
        &.-asking #reason, &.-asking Confirmation { display: block; }
    }
    """

    def __init__(self, desk: Desk, run_ids: tuple[str, ...]) -> None:
        super().__init__()
        self.desk = desk
        self.run_ids = run_ids
        self.plan: Plan | None = None
        self.made: Batch | None = None
        self.stage = Stage.PLANNING
        self._said = ("", Tone.PLAIN)

    def compose(self) -> ComposeResult:
        """Heading, plan, what there is to say, reason, confirmation."""
        with Vertical():
            yield Static(id="heading", markup=False)
            with VerticalScroll(can_focus=True):
                yield Static(id="plan", markup=False)
            yield Static(id="said", markup=False)
            yield Input(id="reason", placeholder="reason (kept in the ledger; Enter goes on)", compact=True)
            yield Confirmation()

    def on_mount(self) -> None:
        """Make the plan."""
        self._enter(Stage.PLANNING, f"Planning the resume of {count(len(self.run_ids), 'run')}…")
        self._make_plan()

    def on_resize(self) -> None:
        """Wrap anew: the lines were made for another width."""
        self._show()
        self._say(*self._said)

    @property
    def _situation(self) -> Situation:
        return informed(self.app).situation

    @work(group="plan")
    async def _make_plan(self) -> None:
        desk = self.desk
        try:
            self.plan = await desk.reading.ask(partial(desk.source.plan, desk.clock(), self.run_ids))
        except Exception as problem:  # noqa: BLE001 - shown in place of the plan
            self._enter(Stage.DRY, "No plan")
            self._say(explained(problem), Tone.BAD)
            return
        self._show()
        self._ask_or_explain(self.plan)

    def _ask_or_explain(self, plan: Plan) -> None:
        asked, included = len(self.run_ids), len(plan.included)
        heading = f"Resume {included:,} of {count(asked, 'run')} on {kind_word(self._situation)} {plain(plan.org)}"
        obstacle = self._obstacle(plan)
        if obstacle:
            self._enter(Stage.DRY, f"Dry run: {heading}")
            self._say(f"{obstacle} Esc leaves.", Tone.WARNING)
            return
        self._enter(Stage.ASKING, heading)
        self._say("What is listed here is what will be sent, whatever the list does meanwhile.", Tone.MUTED)
        self.query_one(Confirmation).ask(included, production=self._situation.is_production)
        self.query_one("#reason").focus()

    def _obstacle(self, plan: Plan) -> str:
        """Why this plan cannot be executed; empty when it can."""
        if not plan.included:
            return "None of these runs can be resumed now; the reasons are above."
        if self.desk.read_only:
            return f"Nothing can be sent: {self.desk.read_only}"
        if self._situation.offline_since is not None:
            return f"Nothing can be sent while the org does not answer. {self._situation.problem or ''}"
        return ""

    # Reason and confirmation

    @on(Input.Submitted, "#reason")
    def _reason_given(self) -> None:
        if self._reason():
            self.query_one(Confirmation).focus()
        else:
            self._say("A resume needs a reason: it is kept in the ledger with your name.", Tone.WARNING)

    @on(Input.Changed, "#reason")
    def _show(self) -> None:
        """What became of the runs, or else the plan."""
        if self.made is not None:
            self._fill([*batch_lines(self.made, self._width())])
        elif self.plan is not None:
            self._show_plan(self.plan)

    def _show_plan(self, plan: Plan) -> None:
        lines = [*plan_lines(plan, plan.created_at, self._width())]
        if plan.included:
            same = command((run.run for run in plan.included), self._reason())
            lines += [(), (Span("The same at the command line", Tone.STRONG),)]
            lines += [(Span(part, Tone.MUTED),) for part in wrap(plain(same), self._width())]
        self._fill(lines)

    @on(Confirmation.Confirmed)
    def _confirmed(self) -> None:
        if not self._reason():
            self._reason_given()
            self.query_one("#reason").focus()
        elif self.plan is not None and self.stage is Stage.ASKING:
            self._enter(Stage.SENDING, f"Resuming {count(len(self.plan.included), 'run')} on {plain(self.plan.org)}")
            self._say("Waiting for the org…", Tone.PLAIN)
            # The app's worker, not this screen's: leaving the screen must not lose what became of the runs.
            self.app.run_worker(self._sending(self.plan, self._reason()), group=RESUMING)

    def _reason(self) -> str:
        return self.query_one("#reason", Input).value.strip()

    # Execution

    async def _sending(self, plan: Plan, reason: str) -> None:
        desk, app = self.desk, self.app

        def progress(step: Step) -> None:
            app.call_from_thread(self._progressed, step)

        try:
            self.made = await desk.talking.ask(partial(desk.source.execute, plan, reason, progress))
        except Exception as problem:  # noqa: BLE001 - shown as what became of the resume
            self._ended(explained(problem), Tone.BAD)
        else:
            if self.is_attached:
                self._show()
            self._ended(*_summary(self.made))
        await app.run_action("sync")

    def _progressed(self, step: Step) -> None:
        if self.is_attached:
            self._say(f"{step.doing}: {step.done:,} of {count(step.total, 'run')}", Tone.PLAIN)

    def _ended(self, said: str, tone: Tone) -> None:
        if self.is_attached:
            self._enter(Stage.DONE, "What became of the resume")
            self._say(f"{said} Esc goes back.", tone)
            self.query_one(VerticalScroll).focus()
            return
        for line in self.app.screen.query(StatusLine):
            line.notice = said

    # Showing

    def _enter(self, stage: Stage, heading: str) -> None:
        self.stage = stage
        for each in Stage:
            self.set_class(each is stage, f"-{each}")
        title = self.query_one("#heading", Static)
        title.set_class(self._situation.is_production, "-production")
        title.update(content([(Span(heading, Tone.STRONG),)]), layout=False)

    def _fill(self, lines: Sequence[Line]) -> None:
        """Show lines in the scrolling part, which leaves room for reason and confirmation whatever its length."""
        self.query_one("#plan", Static).update(content(lines))
        self.query_one(VerticalScroll).styles.height = min(len(lines), max(self.app.size.height * 11 // 20, 4))

    def _say(self, text: str, tone: Tone) -> None:
        self._said = (text, tone)
        lines: list[Line] = [(Span(part, tone),) for part in wrap(plain(text), self._width())]
        self.query_one("#said", Static).update(content(lines))

    def _width(self) -> int:
        return max(min(self.app.size.width, 112) - 6, 20)


def _summary(batch: Batch) -> tuple[str, Tone]:
    """One sentence on how the batch ended. Only what the mirror has proof of is called resumed."""
    verified = sum(attempt.outcome == "VERIFIED" for attempt in batch.attempts)
    waiting = sum(attempt.outcome == "UNVERIFIED" for attempt in batch.attempts)
    said = f"{verified:,} of {count(len(batch.attempts), 'run')} verified: the mirror has proof that they moved."
    if waiting:
        said += f" {waiting:,} sent and not proven yet; `reprise watch --once` looks again."
    for problem in batch.problems:
        said += f" {problem}"
    return said, Tone.GOOD if verified == len(batch.attempts) else Tone.WARNING
