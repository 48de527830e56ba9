"""How a tone looks on the dashboard: one table behind the style sheet, the list's lines and the panes' texts.

Colours are those of Okabe and Ito, told apart by people with any colour vision; they never carry a meaning alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.theme import Theme

from tui.format import Line, Tone

_LOOKS = {
    Tone.PLAIN: ("$foreground", "none"),
    Tone.STRONG: ("$foreground", "bold"),
    Tone.MUTED: ("$tone-muted", "none"),
    Tone.GOOD: ("$tone-good", "none"),
    Tone.WAITING: ("$tone-waiting", "none"),
    Tone.RUNNING: ("$tone-running", "none"),
    Tone.PAUSED: ("$tone-paused", "none"),
    Tone.UNKNOWN: ("$tone-warning", "none"),
    Tone.WARNING: ("$tone-warning", "bold"),
    Tone.BAD: ("$tone-bad", "bold"),
    Tone.ALARM: ("$tone-bad", "bold reverse"),
}

TONE_CSS = "\n".join(
    f".tone--{tone} {{ color: {colour}; text-style: {style}; }}" for tone, (colour, style) in _LOOKS.items()
)

_STYLES = {tone: f"{colour} {style}".replace(" none", "") for tone, (colour, style) in _LOOKS.items()}

OKABE_DARK = Theme(
    name="okabe",
    primary="#0072B2",
    secondary="#56B4E9",
    warning="#E69F00",
    error="#D55E00",
    success="#009E73",
    accent="#CC79A7",
    foreground="#E4E6EA",
    background="#14171C",
    surface="#1B1F26",
    panel="#232933",
)

_ON_DARK = {
    "tone-muted": "#9AA1AC",
    "tone-good": "#3CC49A",
    "tone-waiting": "#F0E442",
    "tone-running": "#56B4E9",
    "tone-paused": "#CC79A7",
    "tone-warning": "#E69F00",
    "tone-bad": "#F0763A",
}
_ON_LIGHT = {
    "tone-muted": "#5B626D",
    "tone-good": "#007A59",
    "tone-waiting": "#7A6F00",
    "tone-running": "#0072B2",
    "tone-paused": "#A0447C",
    "tone-warning": "#A66F00",
    "tone-bad": "#B84F00",
}
_OF_THE_TERMINAL = {
    "tone-muted": "ansi_default",
    "tone-good": "ansi_green",
    "tone-waiting": "ansi_yellow",
    "tone-running": "ansi_cyan",
    "tone-paused": "ansi_magenta",
    "tone-warning": "ansi_yellow",
    "tone-bad": "ansi_red",
}


def tone_variables(theme: Theme) -> dict[str, str]:
    """The tones' colours for a theme: readable on dark, on light, or whatever the terminal's own palette says."""
    return _OF_THE_TERMINAL if theme.ansi else _ON_DARK if theme.dark else _ON_LIGHT


def content(lines: Iterable[Line]) -> Content:
    """Lines as what a widget shows. The text stays text: nothing in it is read as markup or as an action."""
    return Content("\n").join(Content.assemble(*((span.text, _STYLES[span.tone]) for span in line)) for line in lines)
