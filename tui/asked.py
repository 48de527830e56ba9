"""The global options, understood before and after the command's name: `reprise --json runs` and `reprise runs --json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand


@dataclass
class Asked:
    """What was asked of every command alike."""

    org: str | None = None
    config: Path | None = None
    json: bool = False
    verbose: bool = False

    @classmethod
    def of(cls, context: typer.Context) -> Asked:
        """The one value of this invocation."""
        return context.find_root().ensure_object(cls)


def remember(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> None:
    """Keep a global option; one that was not given here may have been given at the other place."""
    if value and parameter.name:
        setattr(Asked.of(context), parameter.name, value)


class Command(TyperCommand):
    """A command that takes the root's global options too, and shows them in its help."""

    def get_params(self, ctx: Any) -> list[Any]:
        own = super().get_params(ctx)
        shared = [each for each in ctx.find_root().command.params if each.name in Asked.__dataclass_fields__]
        return [*own[:-1], *shared, own[-1]]
