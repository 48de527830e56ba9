"""docs/commands.md, made of what `--help` prints: `python -m tests.tui.commands_page` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import SecretStr

from connector.settings import Frozen
from tui.cli import app
from tui.org_keys import OrgKeys
from tui.settings import SECTIONS, TopKeys
from tui.sources import shown

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"

INTRODUCTION = """# Commands

What `--help` says, in one place. The global options are understood before and after a command's name.
Made by `python -m tests.tui.commands_page`; a test fails when it is stale.
"""

SETTINGS = """## Settings

A flag goes before the environment, the environment before `reprise.toml` (in the current folder, then in your configuration
folder), the file before the default. `reprise config show` prints what is in force and who said so.

Tables of the file are the part before the dot; in the environment `sync.poll_floor` is `REPRISE_SYNC_POLL_FLOOR`. The keys of the
org meant where `--org` is not given need no qualification there: `REPRISE_INSTANCE_URL`. Secrets (marked *) come from the
environment, or from a file of their own whose path is `REPRISE_CLIENT_SECRET_FILE` or `client_secret_file`. Lengths of time
are written `90s`, `15m`, `12h`, `3d`.

| key | default | meaning |
|---|---|---|
"""


def helps(command: Any, context: Any) -> Iterator[tuple[str, str]]:
    """Every command below `command` with its help, itself first."""
    yield context.command_path, command.get_help(context)
    for name, below in getattr(command, "commands", {}).items():
        yield from helps(below, below.make_context(name, [], parent=context, resilient_parsing=True))


def settings() -> Iterator[str]:
    """A line of the table for each setting."""
    tables: dict[str, type[Frozen]] = {"": TopKeys, "orgs.NAME.": OrgKeys}
    tables |= {f"{name}.": model for name, model in SECTIONS.items()}
    for prefix, model in tables.items():
        for name, field in model.model_fields.items():
            secret = "*" if SecretStr in (field.annotation, *get_args(field.annotation)) else ""
            default = "" if field.is_required() else shown(field.default)
            yield f"| `{prefix}{name}`{secret} | {default} | {field.description or ''} |\n"


def page() -> str:
    """The whole page."""
    root = typer.main.get_command(app)
    context = root.make_context("reprise", [], resilient_parsing=True, terminal_width=80)
    sections = [f"## `{path}`\n\n```text\n{text}\n```\n" for path, text in helps(root, context)]
    return "\n".join([INTRODUCTION, *sections, SETTINGS + "".join(settings())])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
