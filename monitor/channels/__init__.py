"""What a channel is: something that takes one finished message, or says whether trying again can help."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from connector.errors import Failure


@dataclass(frozen=True, slots=True)
class Message:
    """One message as every channel gets it.

    `id` stays the same when a message is sent twice, so that a receiver can drop the second; `title` is one line,
    `text` the whole message for people, `body` the same as a JSON document.
    """

    id: str
    kind: str
    title: str
    text: str
    body: dict[str, Any]


class TryAgain(Failure):
    """The channel could not take the message now; `after` is the wait it asked for, if it asked."""

    def __init__(self, what: str, *, after: timedelta | None = None) -> None:
        super().__init__(what)
        self.after = after


class Rejected(Failure):
    """The channel will not take this message until somebody acts: a wrong address, a revoked key, a refused body."""


class Channel(Protocol):
    """Where messages go. `name` identifies it in the outbox, so it must not change between runs of the program."""

    @property
    def name(self) -> str:
        """The name used in the outbox."""

    def send(self, message: Message, now: datetime) -> None:
        """Deliver `message`; return only when it was taken. Raises TryAgain or Rejected."""
