"""The global options, understood before and after the command's name: `reprise --json runs` and `reprise runs --json`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption


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

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an option that was given twice and takes one value: the first would be dropped silently."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for parameter, times in Counter(order).items():
            takes_one = isinstance(parameter, TyperOption) and not (parameter.multiple or parameter.is_flag)
            if times > 1 and takes_one and not ctx.resilient_parsing:
                raise typer.BadParameter(
                    "It was given more than once, and takes one value.", ctx=ctx, param_hint=parameter.opts[0]
                )
        return super().parse_args(ctx, args)
