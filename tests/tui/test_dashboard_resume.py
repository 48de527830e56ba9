"""Resuming from the dashboard: what is asked, what is refused, and what is called resumed."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest

from connector.errors import OrgUnreachable, Refused
from monitor.ledger import AttemptOutcome
from monitor.plans import Plan
from monitor.resume import Attempt, Batch, Progress
from tests.tui.dashboards import Driven, MemorySource, drive, failed, monday
from tui.screens.resume import command


def sandbox(runs: int = 1) -> MemorySource:
    """So many resumable runs of a sandbox."""
    return MemorySource([failed(number, timedelta(days=number)) for number in range(1, runs + 1)], is_sandbox=True)


def production(runs: int = 1) -> MemorySource:
    """So many resumable runs of a production org."""
    return MemorySource([failed(number, timedelta(days=number)) for number in range(1, runs + 1)])


@pytest.mark.parametrize(("source", "typed"), [
    (sandbox(10), ""), (production(1), ""), (sandbox(11), "11"), (production(2), "2"),
])  # fmt: skip
def test_the_reason_and_then_y_or_the_number_and_y_resume(source: MemorySource, typed: str) -> None:
    """One run, or up to ten of a sandbox, need y; more, or several on production, need their number before it."""

    async def story(driven: Driven) -> None:
        await driven.press("asterisk", "R", *"fixed", "enter")
        if typed:
            await driven.press("y")
            assert not source.executed
        await driven.press(*typed, "y")
        plan, reason = source.executed[0]
        assert (len(plan.included), reason) == (len(source.runs), "fixed")

    drive(source, story)


ACCIDENTS: tuple[tuple[str, ...], ...] = (
    ("R", "enter", "enter", "enter"),  # no reason
    ("R", *"why", "enter", "enter", "enter", "space"),  # Enter and space confirm nothing
    ("R", "y", "y", "y"),  # y is a letter of the reason there
    ("R", "tab", "y"),  # confirmed without a reason
    ("R", *"why", "enter", "escape", "y"),  # left
    ("asterisk", "R", *"why", "enter", "1", "backspace", "y"),  # not the number
    ("asterisk", "R", *"why", "enter", "1", "3", "y"),  # a wrong number
)


def test_nothing_is_sent_by_accident() -> None:
    """Neither Enter nor a missing reason nor a wrong number sends anything."""
    source = sandbox(12)

    async def story(driven: Driven) -> None:
        for keys in ACCIDENTS:
            await driven.press(*keys)
            assert source.executed == [], keys
            await driven.press("escape", "u")
            assert len(driven.app.screen_stack) == 1, keys

    drive(source, story)


def test_no_key_of_the_list_sends_anything() -> None:
    """Every printable key except R, pressed on the list and on a run, leaves the org alone."""
    source = sandbox(3)

    async def story(driven: Driven) -> None:
        for opening in ((), ("enter",)):
            for key in (*opening, *"abcdefghijklmnoprstuvwxyzXyY1234567890=*", "enter", "space"):
                await driven.pilot.press(key)
            await driven.settle()
        assert source.executed == []

    drive(source, story)


def test_read_only_previews_and_says_why_it_does_not_send() -> None:
    """The plan is shown as a dry run; there is no way to confirm it."""
    source = sandbox(1)

    async def story(driven: Driven) -> None:
        await driven.press("R")
        assert "Dry run: Resume 1 of 1 run" in driven.text()
        assert "Nothing can be sent: writes are not allowed." in driven.text()
        await driven.press(*"why", "enter", "y", "y")
        assert source.executed == []

    drive(source, story, read_only="writes are not allowed.")


def test_offline_previews_and_says_why_it_does_not_send() -> None:
    """Without the org there is a plan, and the reason why it stays one."""
    source = sandbox(1)
    source.refuse = OrgUnreachable("acme does not answer.")

    async def story(driven: Driven) -> None:
        await driven.press("R")
        assert "Nothing can be sent while the org does not answer. acme does not answer." in driven.text()
        await driven.press("tab", "y")
        assert source.executed == []

    drive(source, story)


def test_what_has_no_proof_is_not_called_resumed() -> None:
    """An accepted call without proof is shown as unverified, with what looks for the proof later."""
    source = sandbox(2)
    source.becomes = lambda run: Attempt(
        run.run, AttemptOutcome.UNVERIFIED if run.run.endswith("1AAA") else AttemptOutcome.VERIFIED, "accepted"
    )

    async def story(driven: Driven) -> None:
        await driven.press("asterisk", "R", *"why", "enter", "y")
        assert "0jE000000000001AAA unverified" in driven.text()
        assert "1 of 2 runs verified" in driven.text()
        assert "1 sent and not proven yet" in driven.text()

    drive(source, story)


def test_what_runs_have_in_common_is_told_once() -> None:
    """A sentence for all that were refused alike, then their ids; who differs has a line of its own."""
    source = sandbox(4)
    source.becomes = lambda run: Attempt(
        run.run, AttemptOutcome.REFUSED, "one of a kind" if run.run.endswith("1AAA") else "no permission"
    )

    async def story(driven: Driven) -> None:
        await driven.press("asterisk", "R", *"why", "enter", "y")
        text = driven.text()
        assert "0jE000000000001AAA refused      one of a kind" in text
        assert "3 runs refused" in text
        assert text.count("no permission") == 1
        assert all(f"0jE00000000000{number}AAA" in text for number in (2, 3, 4))

    drive(source, story)


def test_a_refusal_is_shown_in_place_of_a_result() -> None:
    """What the monitor refuses, the screen says, with what to do."""

    class Refusing(MemorySource):
        def execute(self, *_: object) -> None:  # type: ignore[override]
            raise Refused("The plan expired.", meaning="Nothing was sent.", next_step="Press R again.")

    source = Refusing([failed(1, timedelta(days=1))], is_sandbox=True)

    async def story(driven: Driven) -> None:
        await driven.press("R", *"why", "enter", "y")
        assert "The plan expired. Nothing was sent. Press R again." in driven.text()

    drive(source, story)


def test_runs_that_cannot_be_resumed_are_listed_with_the_reason() -> None:
    """A marked run that Salesforce would refuse is left out, and said to be."""
    source = MemorySource(list(monday()), is_sandbox=True)

    async def story(driven: Driven) -> None:
        await driven.press("exclamation_mark", "asterisk", "R")
        assert "Resume 3 of 4 runs on sandbox acme" in driven.text()
        assert "STALE_DATA" in driven.text()

    drive(source, story, size=(120, 60))


def test_leaving_while_it_is_sent_loses_nothing() -> None:
    """The result is told in the status line when the screen is gone."""
    answer = Event()

    class Slow(MemorySource):
        def execute(self, plan: Plan, reason: str, progress: Progress) -> Batch:
            answer.wait()
            return super().execute(plan, reason, progress)

    source = Slow([failed(1, timedelta(days=1))], is_sandbox=True)

    async def story(driven: Driven) -> None:
        await driven.press("R", *"why", "enter")
        await driven.pilot.press("y", "escape", "q")
        assert driven.app.is_running
        assert "A resume waits for its proof. q again leaves" in driven.text()
        answer.set()
        await driven.settle()
        assert len(source.executed) == 1
        assert "1 of 1 run verified" in driven.text()

    drive(source, story)


def test_the_same_at_the_command_line_is_quoted() -> None:
    """What is shown to be copied does what was previewed, whatever the reason holds."""
    assert command(["0jE1", "0jE2"], "it's $HOME") == "reprise resume 0jE1 0jE2 --execute --reason 'it'\"'\"'s $HOME'"


def test_another_width_wraps_plan_and_result_anew() -> None:
    """What was made for 120 cells can be read to its end at 60, before and after the runs were sent."""
    plan = "No resume was proven in this org yet: Salesforce documents it only in its own screens. Try one run first."
    about = "What is listed here is what will be sent, whatever the list does meanwhile."
    source = sandbox()
    source.becomes = lambda run: Attempt(run.run, AttemptOutcome.REFUSED, plan)

    async def story(driven: Driven) -> None:
        await driven.press("R", *"fixed")
        for keys, whole in (((), (plan, about)), (("enter", "y"), (plan, "0 of 1 run verified"))):
            await driven.press(*keys)
            for width in (60, 120):
                await driven.pilot.resize_terminal(width, 60)
                await driven.settle()
                assert all(sentence in _framed(driven.text()) for sentence in whole)

    drive(source, story)


def _framed(screen: str) -> str:
    """What stands in the frame, as one line."""
    framed = (line.strip() for line in screen.splitlines())
    return " ".join(" ".join(line.strip("│▁▂▃▄▅▆▇█ ") for line in framed if line.startswith("│")).split())
