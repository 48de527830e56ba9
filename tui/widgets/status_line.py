"""The line under the list: where you are, what is marked, what waits. An error takes its place until a key is pressed."""

from __future__ import annotations

from datetime import datetime, timedelta

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.format import Span, Tone, fit, wrap
from tui.widgets.tones import content

ASKING = "asking the org…"


class StatusLine(Widget):
    """Shows `text`, or `alarm` while there is one."""

    DEFAULT_CSS = """
    StatusLine { height: auto; max-height: 5; padding: 0 1; background: $surface; }
    """

    text: reactive[str] = reactive("")
    notice: reactive[str] = reactive("")
    alarm: reactive[str] = reactive("", layout=True)

    def __init__(self) -> None:
        super().__init__()
        self._key_at: datetime | None = None
        self._warned_of: str | None = None

    def a_key_was_pressed(self, now: datetime) -> None:
        """The person has seen what was said."""
        self._key_at = now
        self.notice = ""
        self.alarm = ""

    def answered(self) -> None:
        """The org has answered."""
        if self.notice == ASKING:
            self.notice = ""

    def warn_of(self, problem: str | None) -> None:
        """Say what is wrong, once for each thing that goes wrong."""
        if problem and problem != self._warned_of:
            self.alarm = problem
        self._warned_of = problem

    def quiet_for(self, now: datetime) -> timedelta:
        """How long no key was pressed; for ever if none ever was."""
        return now - self._key_at if self._key_at is not None else timedelta.max

    def render(self) -> Content:
        """The line as literal text; an alarm takes as many lines as it needs."""
        width = self.content_size.width
        if self.alarm:
            return content([(Span(part, Tone.BAD),) for part in wrap(f"! {self.alarm}", max(width, 20))])
        return content([(Span(fit(self.notice or self.text, width), Tone.STRONG if self.notice else Tone.PLAIN),)])
