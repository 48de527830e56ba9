"""Which runs the list shows: the filter that people type and the switches they press. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from monitor.rows import RunFilter
from monitor.verdict import Eligibility
from tui.format import length_of_time, plain

STATUSES = {
    "failed": "Error",
    "running": "InProgress",
    "paused": "Suspended",
    "done": "Completed",
    "canceled": "Canceled",
}
CAN_BE_RESUMED = {
    "yes": Eligibility.RESUMABLE,
    "no": Eligibility.NOT_RESUMABLE,
    "unknown": Eligibility.UNKNOWN,
    "?": Eligibility.UNKNOWN,
}
KEYS = "status:, ok:, orch:, group: and left<"


@dataclass(frozen=True, slots=True)
class View:
    """What is typed in the filter line, and what `!` and `=` switched on (`cause` is a cause group's id)."""

    text: str = ""
    at_risk: bool = False
    cause: str | None = None

    def filter(self, org: str) -> RunFilter:
        """The filter for monitor.read. Raises ValueError, with a sentence, while the text is not a filter."""
        return parse_query(self.text, RunFilter(org=org, at_risk=self.at_risk, group=self.cause))

    def wider(self) -> View:
        """The view with one restriction less: what Esc takes away."""
        if self.text:
            return replace(self, text="")
        return replace(self, cause=None) if self.cause else View()

    def label(self) -> str:
        """The view in words."""
        parts = ("at risk" if self.at_risk else "", "same cause" if self.cause else "", plain(self.text))
        return " + ".join(filter(None, parts)) or "runs"


def parse_query(text: str, base: RunFilter) -> RunFilter:
    """`base` narrowed by what was typed, such as `status:failed orch:Loan* left<1d income`.

    Words without a key must be contained, together and in that order. Raises ValueError with a sentence for people.
    """
    try:
        words = shlex.split(text)
    except ValueError:
        raise ValueError("the quotation mark is not closed") from None
    chosen, free = base, []
    for word in words:
        key, mark, value = word.partition("<" if word.startswith("left<") else ":")
        if not mark:
            free.append(word)
        elif not value:
            raise ValueError(f"{word} needs a value behind it")
        else:
            chosen = _narrowed(chosen, key, value)
    return replace(chosen, text=" ".join(free)) if free else chosen


def _narrowed(chosen: RunFilter, key: str, value: str) -> RunFilter:
    match key:
        case "status":
            return replace(chosen, statuses=tuple(STATUSES.get(each.lower(), each) for each in value.split("|")))
        case "ok":
            if value.lower() not in CAN_BE_RESUMED:
                raise ValueError(f"ok: is yes, no or unknown, not {value!r}")
            return replace(chosen, eligibility=CAN_BE_RESUMED[value.lower()])
        case "orch":
            return replace(chosen, orchestration=value)
        case "group":
            return replace(chosen, group=value)
        case "left":
            return replace(chosen, within=length_of_time(value))
    raise ValueError(f"there is no key {key!r}; the keys are {KEYS}")
