"""docs/commands.md, made of what `--help` prints: `python -m tests.tui.commands_page` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tui.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"

INTRODUCTION = """# Commands

What `--help` says, in one place. The global options are understood before and after a command's name.
Made by `python -m tests.tui.commands_page`; a test fails when it is stale.
"""


def helps(command: Any, context: Any) -> Iterator[tuple[str, str]]:
    """Every command below `command` with its help, itself first."""
    yield context.command_path, command.get_help(context)
    for name, below in getattr(command, "commands", {}).items():
        yield from helps(below, below.make_context(name, [], parent=context, resilient_parsing=True))


def page() -> str:
    """The whole page."""
    root = typer.main.get_command(app)
    context = root.make_context("reprise", [], resilient_parsing=True, terminal_width=80)
    sections = [f"## `{path}`\n\n```text\n{text}\n```\n" for path, text in helps(root, context)]
    return "\n".join([INTRODUCTION, *sections])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
