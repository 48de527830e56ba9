"""The last question before something is sent: `y`, and for many runs or on production their number before it."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.format import Line, Span, Tone, count
from tui.widgets.tones import content

WITHOUT_NUMBER = 10
"""Runs that `y` alone may resume in a sandbox; on production it is one."""


def needs_number(runs: int, *, production: bool) -> bool:
    """Whether the number of runs has to be typed."""
    return runs > (1 if production else WITHOUT_NUMBER)


class Confirmation(Widget, can_focus=True):
    """Takes digits and `y`. Enter, and every other key, confirms nothing."""

    class Confirmed(Message):
        """The person means it."""

    DEFAULT_CSS = """
    Confirmation { height: 1; padding: 0 1; }
    Confirmation:focus { background: $primary 30%; text-style: bold; }
    """

    typed: reactive[str] = reactive("")

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0
        self.production = True

    def ask(self, runs: int, *, production: bool) -> None:
        """Ask for so many runs."""
        self.runs, self.production, self.typed = runs, production, ""
        self.refresh()

    @property
    def is_satisfied(self) -> bool:
        """Whether `y` would be taken."""
        return bool(self.runs) and (
            not needs_number(self.runs, production=self.production) or self.typed == str(self.runs)
        )

    def on_key(self, event: events.Key) -> None:
        """Digits, backspace and `y`."""
        if event.character and event.character in "0123456789" and needs_number(self.runs, production=self.production):
            self.typed = (self.typed + event.character)[-9:]
        elif event.key == "backspace":
            self.typed = self.typed[:-1]
        elif event.key == "y" and self.is_satisfied:
            self.post_message(self.Confirmed())
        else:
            return
        event.stop()

    def render(self) -> Content:
        """What to press."""
        return content([self._question()])

    def _question(self) -> Line:
        runs = count(self.runs, "run")
        nothing = Span("   Esc: nothing happens", Tone.MUTED)
        if not needs_number(self.runs, production=self.production):
            return (Span("Press "), Span("y", Tone.STRONG), Span(f" here to resume {runs}."), nothing)
        asked = (Span(f"Type {self.runs} to resume {runs}: "), Span(f"{self.typed}_", Tone.STRONG))
        if self.is_satisfied:
            return (*asked, Span(" then press "), Span("y", Tone.STRONG), nothing)
        return (*asked, nothing)
