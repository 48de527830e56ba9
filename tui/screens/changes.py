"""How a list changed between two looks at it. Pure."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from tui.format import count


@dataclass(frozen=True, slots=True)
class Waiting:
    """A newer order of the list that is not shown yet, so that nothing moves under the cursor."""

    rows: array[int]
    new: int
    gone: int

    def sentence(self) -> str:
        """What pressing `r` would show."""
        if not self.new and not self.gone:
            return "order changed: r"
        parts = [f"{self.new:,} new" if self.new else "", f"{count(self.gone, 'run')} left" if self.gone else ""]
        return f"{', '.join(filter(None, parts))} waiting: r"


def compare(shown: array[int], found: array[int]) -> Waiting | None:
    """What is waiting when `shown` is on screen and `found` is true now; None if they are the same."""
    if shown == found:
        return None
    before, after = set(shown), set(found)
    return Waiting(found, new=len(after - before), gone=len(before - after))
