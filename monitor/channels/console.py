"""Messages as text, to whatever the caller writes with: the terminal or journal of `reprise watch`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitor.channels import Message, TryAgain

NAME = "console"


class ConsoleChannel:
    """Writes each message as a paragraph."""

    name = NAME

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def send(self, message: Message, now: datetime) -> None:  # noqa: ARG002 - a console stamps nothing
        """Write the text, its id last so that a repeated message can be recognised."""
        try:
            self._write(f"{message.text}\n(message {message.id})\n\n")
        except OSError as problem:
            raise TryAgain(f"The console could not be written to: {problem}.") from problem
