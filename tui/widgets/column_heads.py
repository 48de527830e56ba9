"""The titles over the run list."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from tui.widgets.cells import GUTTER, SCROLL_BAR, columns


class ColumnHeads(Widget):
    """One line that stands still while the list scrolls below it."""

    DEFAULT_CSS = """
    ColumnHeads { height: 1; background: $panel; text-style: bold; }
    """

    def render(self) -> Content:
        """The titles of the columns that fit."""
        return Content(" " * GUTTER + " ".join(column.head() for column in columns(self.size.width - SCROLL_BAR)))
