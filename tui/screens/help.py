"""The keys that work where you are."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.format import Line, Span, Tone, pad
from tui.widgets.tones import content

SYMBOLS: tuple[Line, ...] = (
    (Span("Symbols", Tone.STRONG),),
    (Span("  ✗ failed   ◔ waiting for a person   ▸ running   = paused   ✓ done   ⊘ canceled"),),
    (Span("  LEFT  time left to resume: !! below 4 hours, ! below a day"),),
    (Span("  OK?   can it be resumed: yes, no, ? not known (the run's own screen says why)"),),
)


class Command(NamedTuple):
    """What a key does: the keys as people know them, the words, and the action with the node that has it."""

    keys: str
    said: str
    action: str
    node: DOMNode


class HelpScreen(ModalScreen[None]):
    """Lists the keys of the screen below, in the order in which it declares them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "close", key_display="esc"),
    ]

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        & > VerticalScroll {
            width: 90%; max-width: 84; height: auto; max-height: 90%;
            border: round $primary; padding: 0 1; background: $surface;
        }
        & Static { height: auto; }
    }
    """

    def __init__(self, below: Screen[object]) -> None:
        super().__init__()
        self._below = below

    def compose(self) -> ComposeResult:
        """Keys, then symbols."""
        box = VerticalScroll(Static(content((*self._keys(), (), *SYMBOLS)), markup=False))
        box.border_title = "keys · esc closes"
        yield box

    def _keys(self) -> list[Line]:
        return [(Span(pad(each.keys, 22), Tone.STRONG), Span(each.said)) for each in commands(self._below)]


def commands(screen: Screen[object]) -> list[Command]:
    """Each binding of ours that works on `screen`, the focused widget's first."""
    app = screen.app
    nodes: list[DOMNode] = [*(screen.focused.ancestors_with_self if screen.focused else (screen, app))]
    keys: dict[tuple[str, str, DOMNode], list[str]] = {}
    for node in nodes:
        for kind in type(node).__mro__:
            # Bindings inherited from Textual scroll sideways or move the focus: noise here.
            bindings = kind.__dict__.get("BINDINGS", ()) if kind.__module__.startswith("tui.") else ()
            for binding in Binding.make_bindings(bindings):
                keys.setdefault((binding.description, binding.action, node), []).append(app.get_key_display(binding))
    return [Command("  ".join(dict.fromkeys(shown)), *what) for what, shown in keys.items()]
