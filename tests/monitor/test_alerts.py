"""Alerts over the simulated org: few messages, each tier once, and blindness that never comforts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from connector.errors import ApiLimitReached
from fixtures.org.faults import Fault, Kind
from fixtures.org.switches import ResumeWrite, Switches
from monitor.alerts import evaluate
from monitor.channels import Message
from monitor.ledger import AlertDelivery, AlertMessage, AlertNotice
from monitor.settings import MonitorSettings
from tests.mirrors import empty_mirror
from tests.monitor.workshop import Workshop, workshop

SETTINGS = MonitorSettings()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """A workshop on SQLite."""
    with workshop(empty_mirror(tmp_path)) as made:
        yield made


def look(shop: Workshop, *, blind: bool = False) -> Sequence[Message]:
    """One look: read the org, unless blind, and decide what to say."""
    if not blind:
        shop.sync()
    return evaluate(shop.engine, shop.now(), SETTINGS, ["desk"]).messages


def kinds(messages: Sequence[Message]) -> list[str]:
    """What the messages are about."""
    return [str(message.kind) for message in messages]


def at_once(count: int, act: Callable[[], object]) -> None:
    """Do the same in several threads at the same moment."""
    barrier = threading.Barrier(count)

    def wait_and_act() -> None:
        barrier.wait()
        act()

    threads = [threading.Thread(target=wait_and_act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def introduced(shop: Workshop) -> None:
    """Have the first look at the org behind us."""
    assert kinds(look(shop)) == ["summary"]


def test_the_whole_ladder_is_told_once_per_tier(database_url: str) -> None:
    """From seven days to lost, however often we look, each tier of a run's failure is one message."""
    with workshop(database_url) as shop:
        introduced(shop)
        shop.fail_runs(1)
        told = []
        for hours in (150, 20, 1, 70, 20, 50, 4, 12, 5, 1, 2, 0.5, 0.2, 1, 24):
            shop.advance(hours=hours)
            told += kinds(look(shop))
        assert told == ["7d", "3d", "24h", "6h", "1h", "lost"]
        assert [notice.tier for notice in shop.rows(AlertNotice)] == told


def test_another_label_does_not_silence_the_ladder(tmp_path: Path) -> None:
    """A run that says InProgress and has not moved is warned of to its end, apart from those that still say Error."""
    with workshop(empty_mirror(tmp_path), switches=Switches(resume_write=ResumeWrite.RELABELS)) as shop:
        introduced(shop)
        first, _ = shop.fail_runs(2)
        shop.advance(days=8)
        assert kinds(look(shop)) == ["7d"]
        shop.execute(shop.plan([first]))
        shop.advance(days=4)
        labelled, failed = sorted(look(shop), key=lambda message: "nothing moved" not in message.title)
        assert labelled.title.startswith("[3d] Contract_Renewal › Offer › Build_Quote: 1 run labelled InProgress")
        assert ", in 1 d 23 h" in labelled.title
        assert [run["id"] for run in labelled.body["runs"]] == [first]
        assert "1 NOT_RESUMABLE (NOT_IN_ERROR)" in labelled.text
        assert "1 run to resume before" in failed.title
        shop.advance(days=3)
        assert any(
            "1 run lost: labelled InProgress, but nothing had moved by the last moment" in message.title
            for message in look(shop)
        )


def test_a_run_out_of_sight_is_warned_of_and_never_called_lost(shop: Workshop) -> None:
    """Whether it was purged or only its sharing was lost: the ladder goes on, apart from those that can be seen."""
    introduced(shop)
    unseen, _ = shop.fail_runs(2)
    shop.advance(days=8)
    assert kinds(look(shop)) == ["7d"]
    shop.unshare([unseen])
    shop.advance(days=4)
    gone, seen = sorted(look(shop), key=lambda message: "not visible" not in message.title)
    assert gone.title.startswith(
        "[3d] Contract_Renewal › Offer › Build_Quote: 1 run not visible any more; the last moment"
    )
    assert [run["id"] for run in gone.body["runs"]] == [unseen]
    assert "Give the integration user View All Data" in gone.text
    assert "Next: reprise runs --group" in gone.text
    assert "1 run to resume before" in seen.title
    shop.advance(days=3)
    last = {str(message.kind): message.title for message in look(shop)}
    assert last.keys() == {"passed_unconfirmed", "lost"}
    assert "1 run may be lost: not visible any more when the last moment" in last["passed_unconfirmed"]


def test_runs_of_one_cause_share_a_message(shop: Workshop) -> None:
    """Thirty runs that broke in the same place are one message, which names the first ten and counts the rest."""
    introduced(shop)
    shop.fail_runs(30)
    shop.advance(days=8)
    (message,) = look(shop)
    assert message.body["count"] == 30
    assert (len(message.body["runs"]), message.body["truncated"]) == (10, 20)
    assert "and 20 more" in message.text
    assert len(shop.rows(AlertNotice)) == 30


def test_a_message_says_what_why_until_when_and_what_next(shop: Workshop) -> None:
    """What, why (without e-mail addresses), deadline in org time and time left, verdict, next command, link, age of the data."""
    introduced(shop)
    (run,) = shop.fail_runs(1)
    shop.advance(days=8)
    (message,) = look(shop)
    assert message.title.startswith("[7d] Contract_Renewal › Offer › Build_Quote: 1 run to resume before ")
    assert ", in 5 d 23 h" in message.title
    assert "1 RESUMABLE (STEP_FLOW_ERROR)" in message.text
    assert f"/lightning/r/FlowOrchestrationInstance/{run}/view" in message.text
    assert f"Next: reprise resume --group {message.body['group']} --org default" in message.text
    assert message.body["data_stale"] is False
    assert message.body["seconds_left"] // 86400 == 5
    assert message.body["runs"][0]["id"] == run
    assert "jo@example.com" not in message.text


def test_a_name_forges_no_line_of_a_message(shop: Workshop) -> None:
    """Line ends and escape codes of a run's name are shown, not obeyed; the document has the name as it is."""
    introduced(shop)
    (run,) = shop.fail_runs(1)
    name = "Ann\nNext: reprise cancel\u2028x \x1b[31mred\u202e"
    with shop.org.world.store.transaction() as transaction:
        transaction.update("FlowOrchestrationInstance", run, Name=name)
    shop.advance(days=8)
    (message,) = look(shop)
    assert [line[:14] for line in message.text.splitlines() if "Next: reprise" in line[:20]] == ["Next: reprise "]
    assert f"  {run} Ann Next: reprise cancel x �[31mred� until " in message.text
    assert message.body["runs"][0]["name"] == name


def test_the_first_look_at_an_org_is_one_summary(shop: Workshop) -> None:
    """Whoever installs Reprise on a burning org gets one message, and afterwards only what is new."""
    shop.fail_runs(5)
    shop.advance(days=12)
    shop.org.world.break_flow("KYC_Collect_Ownership", "no registry")
    shop.org.world.start("KYC_Review")
    shop.advance(minutes=5)
    (message,) = look(shop)
    assert message.kind == "summary"
    assert message.body["tiers"] == {"3d": 5}
    assert look(shop) == ()
    shop.advance(days=1)
    assert kinds(look(shop)) == ["24h"]


def test_a_summary_names_first_what_can_still_be_saved(shop: Workshop) -> None:
    """Lost runs are counted, but the eye falls on those that are still to be saved."""
    (lost,) = shop.fail_runs(1)
    shop.advance(days=13)
    (saved,) = shop.fail_runs(1)
    shop.advance(days=8)
    (message,) = look(shop)
    assert message.body["tiers"] == {"7d": 1, "lost": 1}
    assert [run["id"] for run in message.body["runs"]] == [saved, lost]
    assert message.body["seconds_left"] > 0
    first, second = (line for line in message.text.splitlines() if saved in line or lost in line)
    assert " until " in first
    assert " lost since " in second


def test_a_run_that_cannot_be_resumed_is_told_once_without_a_countdown(shop: Workshop) -> None:
    """A MuleSoft error is not recoverable, so nobody is reminded of a deadline that does not exist."""
    introduced(shop)
    shop.org.world.break_action("Warehouse_Check_Inventory", "502 from the warehouse")
    shop.org.world.start("Order_Fallout")
    shop.advance(minutes=5)
    (message,) = look(shop)
    assert message.kind == "cannot_resume"
    assert "cannot be resumed" in message.title
    assert "MULESOFT_ACTION" in message.text
    told = []
    for _ in range(16):
        shop.advance(days=1)
        told += kinds(look(shop))
    assert told == []


def test_after_downtime_only_the_present_tier_is_told(shop: Workshop) -> None:
    """Back after twelve days, people hear of the tier that counts now, and of those that nobody told them."""
    introduced(shop)
    shop.fail_runs(1)
    shop.advance(days=13, hours=1)
    (message,) = look(shop)
    assert message.kind == "24h"
    assert message.body["skipped"] == ["7d", "3d"]
    assert "Not told in time, because nothing was watching: 7d, 3d." in message.text


def test_deadlines_go_on_while_the_org_cannot_be_read(shop: Workshop) -> None:
    """Blind, the tiers are told on with the age of the data; a deadline passes unconfirmed, and is lost only when seen."""
    introduced(shop)
    shop.fail_runs(1)
    assert look(shop) == ()
    told = []
    for _ in range(15):
        shop.advance(days=1)
        messages = look(shop, blind=True)
        told += kinds(messages)
        assert all(message.body["data_stale"] and "was last read" in message.text for message in messages)
    assert told == ["7d", "3d", "24h", "passed_unconfirmed"]
    assert kinds(look(shop)) == ["lost"]


def test_a_run_that_was_saved_while_nobody_could_see_it_is_never_called_lost(shop: Workshop) -> None:
    """When sight comes back and the run is no longer in Error, there is nothing more to say."""
    introduced(shop)
    (run,) = shop.fail_runs(1)
    look(shop)
    shop.org.world.resume(run)
    shop.advance(days=14)
    assert kinds(look(shop, blind=True)) == ["passed_unconfirmed"]
    assert look(shop) == ()


def test_a_second_failure_has_a_ladder_of_its_own(shop: Workshop) -> None:
    """A run that is resumed and fails again has 14 days again, and every tier again."""
    introduced(shop)
    (run,) = shop.fail_runs(1, fix=False)
    shop.advance(days=12)
    assert kinds(look(shop)) == ["3d"]
    shop.org.world.resume(run)
    shop.advance(minutes=5)
    assert look(shop) == ()
    shop.advance(days=8)
    (message,) = look(shop)
    assert (message.kind, message.body["runs"][0]["episode"]) == ("7d", 2)


def test_a_run_that_is_being_resumed_keeps_its_countdown(shop: Workshop) -> None:
    """An open attempt is a hope, not a rescue: until it is proven the time left goes on counting."""
    introduced(shop)
    (run,) = shop.fail_runs(1)
    shop.sync()
    shop.org.faults.arm(Fault(Kind.RESET, match="PATCH"))
    shop.execute(shop.plan([run]))
    shop.advance(days=8)
    assert kinds(look(shop)) == ["7d"]


def test_notices_and_outbox_stand_or_fall_together(shop: Workshop) -> None:
    """Every notice has its message in the outbox of every channel."""
    shop.fail_runs(3)
    shop.advance(days=8)
    shop.sync()
    (message,) = evaluate(shop.engine, shop.now(), SETTINGS, ["desk", "phone"]).messages
    assert {notice.message_id for notice in shop.rows(AlertNotice)} == {message.id}
    assert [(row.message_id, row.channel) for row in shop.rows(AlertDelivery)] == [
        (message.id, "desk"),
        (message.id, "phone"),
    ]


def test_two_watchers_at_once_say_it_once(database_url: str) -> None:
    """Four processes that evaluate at the same moment put one summary, and later one warning, into the outbox."""
    with workshop(database_url) as shop:
        shop.sync()
        for after in (timedelta(), timedelta(days=8)):
            shop.fail_runs(1)
            shop.sync()
            at_once(4, partial(evaluate, shop.engine, shop.now() + after, SETTINGS, ["desk"]))
        assert sorted(row.kind for row in shop.rows(AlertMessage)) == ["7d", "summary"]
        assert len(shop.rows(AlertDelivery)) == 2


def test_without_a_channel_nothing_counts_as_told(shop: Workshop) -> None:
    """Who sets up a channel late hears of what is due then."""
    shop.fail_runs(1)
    shop.advance(days=8)
    shop.sync()
    assert evaluate(shop.engine, shop.now(), SETTINGS, []).messages == ()
    assert len(evaluate(shop.engine, shop.now(), SETTINGS, ["desk"]).messages) == 1


def test_an_org_that_was_never_read_to_the_end_is_left_alone(shop: Workshop) -> None:
    """Half of a first load would make a false summary."""
    shop.fail_runs(1)
    shop.org.faults.arm(Fault(Kind.LIMIT_EXCEEDED, match="/composite", times=None))
    with pytest.raises(ApiLimitReached):
        shop.sync()
    assert evaluate(shop.engine, shop.now() + timedelta(days=20), SETTINGS, ["desk"]).messages == ()
