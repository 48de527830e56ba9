"""The line a filter is typed in: tried while you type, kept by Enter, forgotten by Esc."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input

TYPING_PAUSE = 0.08
"""Seconds without a keystroke after which the filter is tried."""


class FilterLine(Input):
    """Hidden until opened; says `Tried` with each text to try and `Closed` at the end."""

    class Tried(Message):
        """Show what this text selects."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """The person is done with the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "keep this filter"),
        Binding("escape", "forget", "as it was", key_display="esc"),
    ]

    DEFAULT_CSS = """
    FilterLine {
        display: none;
        background: $panel;
        &.-open { display: block; }
        &.-wrong { color: $error; text-style: bold; }
    }
    """

    def __init__(self) -> None:
        super().__init__(placeholder="words  status:failed  ok:yes  orch:Loan*  group:…  left<1d", compact=True)
        self._before = ""
        self._pause: Timer | None = None

    def open(self, text: str) -> None:
        """Show the line with the present filter in it."""
        self._before = text
        with self.prevent(Input.Changed):
            self.value = text
        self.add_class("-open")
        self.focus()

    @on(Input.Changed)
    def _typing(self, changed: Input.Changed) -> None:
        changed.stop()
        self._stop_pause()
        self._pause = self.set_timer(TYPING_PAUSE, self._try)

    @on(Input.Submitted)
    def _keep(self, submitted: Input.Submitted) -> None:
        submitted.stop()
        self._close()

    def action_forget(self) -> None:
        """Go back to the filter there was."""
        with self.prevent(Input.Changed):
            self.value = self._before
        self._close()

    def _try(self) -> None:
        self.post_message(self.Tried(self.value))

    def _close(self) -> None:
        self._stop_pause()
        self._try()
        self.remove_class("-open", "-wrong")
        self.post_message(self.Closed())

    def _stop_pause(self) -> None:
        if self._pause is not None:
            self._pause.stop()
            self._pause = None
