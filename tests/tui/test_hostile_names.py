"""Names and errors of an org that are called like attacks: through every command they are text, on lines of ours."""

from __future__ import annotations

import unicodedata

import pytest

from fixtures.org.running import RunningOrg
from tests.tui.failing import failing_org
from tests.tui.typed import Type, reprise

__all__ = ["reprise"]

RUN, LOG = "FlowOrchestrationInstance", "FlowOrchestrationLog"
NAMES = (
    "\x1b[31mred\x1b[0m\x1b[2J\x1b]0;owned\x07\x9b2J",
    "[red]x[/] [@click=app.quit]q[/]",
    "\u202egpj.exe\u2066\u200b\ufeff",
    "Ann\nFORGED line\r\x0bFORGED\x85FORGED\u2028FORGED",
    "nul\x00nul",
    "x" * 255,
)
COMMANDS = (
    "sync",
    "runs --limit 0",
    "groups",
    "show {run}",
    "show {running}",
    "resume --at-risk",
    "watch --once",
    "resume --at-risk --execute --reason {name}",
    "show {run}",
    "watch --once",
)
LONGEST_OF_OURS = 100
"""A link to the org, or a sentence on stderr that no terminal wraps, is the longest that is not made for 80 cells."""


def _rename(org: RunningOrg, runs: tuple[str, ...], first: int) -> None:
    """Give each run, its stages, steps, milestones and error one of the names, beginning with another each time."""
    with org.world.store.transaction() as transaction:
        for place, run in enumerate(runs, start=first):
            name = NAMES[place % len(NAMES)]
            (row,) = transaction.find(RUN, Id=run)
            transaction.update(RUN, run, Name=name, OrchestrationLabel=name)
            for child in ("FlowOrchestrationStageInstance", "FlowOrchestrationStepInstance"):
                for each in transaction.find(child, OrchestrationInstanceId=run):
                    transaction.update(child, each["Id"], Label=name)
            for each in transaction.find(LOG, OrchestrationInstanceId=run):
                transaction.update(LOG, each["Id"], StepName=each["StepName"] and name, Assignee=name)
            transaction.update("FlowInterview", row["InterviewId"], Error=name)
        for user in transaction.find("User"):
            transaction.update("User", user["Id"], Name=NAMES[first], Username=NAMES[first])


@pytest.mark.parametrize("first", range(len(NAMES)))
def test_hostile_names_are_text_on_lines_of_ours(
    first: int, reprise: Type, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing steers a terminal, forges a line, is wider than the page or makes a command fail."""
    with failing_org(tmp_path_factory.mktemp("mirror")) as org:
        _rename(org.org, (*org.loans, org.screening, org.lost, org.running), first)
        for name, value in (org.environment | {"REPRISE_ALLOW_WRITES": "1"}).items():
            monkeypatch.setenv(name, value)
        for command in COMMANDS:
            words = [word.format(run=org.loans[0], running=org.running, name=NAMES[first]) for word in command.split()]
            ended = reprise(*words)
            assert ended.code in {0, 3}, ended.err
            said = (ended.out + ended.err).split("\n")
            assert not [line for line in said if line.startswith("FORGED")]
            assert {unicodedata.category(character) for line in said for character in line}.isdisjoint(
                {"Cc", "Cf", "Cs", "Zl", "Zp"}
            )
            if command != "watch --once":  # messages are lines for logs and receivers, however long
                assert max(map(len, said)) <= LONGEST_OF_OURS
