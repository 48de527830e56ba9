"""The questions everybody asks, on both databases: order, filters, paging, figures, details."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, delete, update
from sqlmodel import col

from connector.errors import NotFound, UsageError
from connector.mirror import tables
from connector.mirror.engine import open_mirror, writing
from monitor import read
from monitor.assess import assess
from monitor.assessment import Assessment
from monitor.rows import RunFilter, RunPage
from monitor.selection import long_id
from monitor.settings import MonitorSettings
from monitor.story import Story
from monitor.verdict import Eligibility, Readiness, ReasonCode
from tests.monitor.mirrored import ORG_ID, add, add_org, copy, quiet
from tests.monitor.stories import FAILED, NOW

DAY = timedelta(days=1)
SOON, LATER, LOST, HOPELESS, UNCLEAR = 1, 2, 3, 4, 5
DONE, SUSPENDED, STUCK = 6, 7, 8


def _id(number: int) -> str:
    return copy(number).run.id


def _hopeless() -> Story:
    return copy(HOPELESS, flow_type="ApprovalOrchAutolnch")


def _unclear() -> Story:
    story = copy(UNCLEAR, later=DAY)
    return replace(story, steps=tuple(step._replace(step_type=None) for step in story.steps))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A mirror with one run of each place in the display order, judged."""
    engine = open_mirror(database_url)
    add_org(engine, label="Acme", time_zone="Europe/Berlin", api_used=5, api_max=100)
    add(
        engine,
        copy(LATER, later=DAY),
        copy(SOON, error="Postcode__c of 001000000000001AAA is missing", orchestration="Loan_Small"),
        copy(LOST, later=-20 * DAY),
        _hopeless(),
        _unclear(),
        quiet(DONE, "Completed", orchestration="Claim", orchestration_label="Claim Handling"),
        quiet(SUSPENDED, "Suspended", system_modstamp=NOW - DAY),
        quiet(STUCK, "Suspended", system_modstamp=NOW - 40 * DAY),
    )
    assess(engine, NOW)
    yield engine
    engine.dispose()


def _numbers(engine: Engine, chosen: RunFilter | None = None) -> list[int]:
    return [int(line.id[3:15]) for line in read.runs(engine, NOW, chosen or RunFilter()).runs]


def test_runs_come_in_the_order_in_which_they_will_be_lost(engine: Engine) -> None:
    """Savable by deadline, unknown, never resumable, lost, needing eyes, then the rest by status."""
    assert _numbers(engine) == [SOON, LATER, UNCLEAR, HOPELESS, LOST, STUCK, SUSPENDED, DONE]


FILTERED: list[tuple[RunFilter, list[int]]] = [
    (RunFilter(at_risk=True), [SOON, LATER, UNCLEAR]),
    (RunFilter(within=12 * DAY), [SOON]),
    (RunFilter(within=13 * DAY), [SOON, LATER, UNCLEAR]),
    (RunFilter(statuses=("error",)), [SOON, LATER, UNCLEAR, HOPELESS, LOST]),
    (RunFilter(statuses=("Completed", "SUSPENDED")), [STUCK, SUSPENDED, DONE]),
    (RunFilter(orchestration="loan"), [LATER, UNCLEAR, HOPELESS, LOST, STUCK, SUSPENDED]),
    (RunFilter(orchestration="loan*", at_risk=True), [SOON, LATER, UNCLEAR]),
    (RunFilter(orchestration="claim handling"), [DONE]),
    (RunFilter(orchestration="nothing"), []),
    (RunFilter(reason=ReasonCode.APPROVAL_RUN), [HOPELESS]),
    (RunFilter(reason=ReasonCode.WINDOW_EXPIRED), [LOST]),
    (RunFilter(reason=ReasonCode.NO_STEP_ROWS), [UNCLEAR]),
    (RunFilter(reason=ReasonCode.NOT_IN_ERROR), [STUCK, SUSPENDED, DONE]),
    (RunFilter(reason=ReasonCode.ATTEMPT_OPEN), []),
    (RunFilter(eligibility=Eligibility.RESUMABLE), [SOON, LATER]),
    (RunFilter(eligibility=Eligibility.UNKNOWN), [UNCLEAR]),
    (RunFilter(eligibility=Eligibility.NOT_RESUMABLE), [HOPELESS, LOST]),
    (RunFilter(needs_eyes=True), [STUCK]),
    (RunFilter(text="postcode__c"), [SOON]),
    (RunFilter(text="r-6"), [DONE]),
    (RunFilter(text="call_bureau", at_risk=True), [SOON, LATER, UNCLEAR]),
    (RunFilter(text="100%"), []),
    (RunFilter(ids=(_id(DONE), _id(SOON)[:15])), [SOON, DONE]),
    (RunFilter(org="default", at_risk=True), [SOON, LATER, UNCLEAR]),
]


def test_filters_select_and_keep_the_order(engine: Engine) -> None:
    """Every part of a filter must hold; words match whatever their case."""
    for chosen, expected in FILTERED:
        assert _numbers(engine, chosen) == expected, chosen


def test_what_vanished_stays_at_risk_and_is_not_called_deleted(engine: Engine) -> None:
    """In its place, its group and the figures, with its deadline; and list and filter say the same of every reason."""
    before = read.overview(engine, NOW)
    add(
        engine,
        copy(11, later=DAY / 2, vanished_at=NOW),
        copy(12, flow_type="ApprovalOrchAutolnch", vanished_at=NOW),
        quiet(13, "InProgress", vanished_at=NOW),
        quiet(14, "Suspended", system_modstamp=NOW - 40 * DAY, vanished_at=NOW),
        quiet(15, "Completed", vanished_at=NOW),
        quiet(16, "Suspended", system_modstamp=NOW - 40 * DAY, is_deleted=True),
    )
    assess(engine, NOW)
    assert _numbers(engine, RunFilter(at_risk=True)) == [SOON, LATER, 11, UNCLEAR]
    assert _numbers(engine, RunFilter(within=12.6 * DAY)) == [SOON, 11]
    assert _numbers(engine, RunFilter(needs_eyes=True)) == [STUCK]
    assert _numbers(engine, RunFilter(reason=ReasonCode.RUN_NOT_VISIBLE)) == [11, 14, 13]
    assert read.overview(engine, NOW).at_risk == before.at_risk + 1
    line = read.run(engine, NOW, _id(11)).line
    assert (line.eligibility, line.deadline_earliest) == (Eligibility.UNKNOWN, FAILED + 14.5 * DAY)
    assert _id(11) in {each.id for each in read.runs(engine, NOW, RunFilter(group=line.group)).runs}
    lines = read.runs(engine, NOW).runs
    for code in ReasonCode:
        listed = [each.id for each in lines if each.reason_code is code]
        assert [each.id for each in read.runs(engine, NOW, RunFilter(reason=code)).runs] == listed, code


def test_rows_that_vanished_below_a_run_are_evidence(engine: Engine) -> None:
    """A step or log entry that cannot be seen any more is told, and nothing of what it showed is forgotten."""
    before = read.run(engine, NOW, _id(SOON))
    for table in (tables.Stage, tables.Step, tables.LogEntry):
        with writing(engine) as connection:
            mine = col(table.run_id) == _id(SOON)
            connection.execute(update(table).where(mine).values(vanished_at=NOW))
        after = read.run(engine, NOW, _id(SOON))
        assert (after.line.reason_code, after.stages) == (before.line.reason_code, before.stages)
        assert "cannot be seen since" in " ".join(fact.fact for fact in after.evidence if fact.contradicts)
        with writing(engine) as connection:
            connection.execute(update(table).values(vanished_at=None))


def test_pages_are_parts_of_the_whole_list(engine: Engine) -> None:
    """Whatever the limit and the offset, the pages put together are the list, and each knows the total."""
    for chosen in (RunFilter(), RunFilter(text="r-")):
        whole = read.runs(engine, NOW, chosen).runs
        for limit in (1, 3, 5):
            pages = [read.runs(engine, NOW, chosen, limit=limit, offset=start) for start in range(0, len(whole), limit)]
            assert [line for page in pages for line in page.runs] == list(whole)
            assert {page.total for page in pages} == {len(whole)} == {8}


def test_the_vector_is_the_list_as_row_numbers(engine: Engine) -> None:
    """Lines fetched by number are the lines of the list, and a run is found by its id of 15 or 18 characters."""
    numbers = read.vector(engine, NOW)
    by_number = read.lines(engine, NOW, numbers)
    assert [by_number[number] for number in numbers] == list(read.runs(engine, NOW).runs)
    assert [read.row_of(engine, _id(SOON)), read.row_of(engine, _id(SOON)[:15])] == [numbers[0]] * 2
    assert read.row_of(engine, "0jE000000000099EAA") is None
    assert read.lines(engine, NOW, [10**6]) == {}


def test_another_sort_keeps_the_stretches_of_the_list(engine: Engine) -> None:
    """Runs that can still be saved stay on top, sorted among themselves."""
    numbers = read.vector(engine, NOW, sort="newest")
    by_number = read.lines(engine, NOW, numbers)
    ordered = [by_number[number].name for number in numbers]
    assert ordered == ["R-2", "R-1", "R-5", "R-4", "R-3", "R-8", "R-7", "R-6"]


def test_the_clock_moves_a_run_on_without_a_new_assessment(engine: Engine) -> None:
    """What is stored knows no time: a run expires when it is read."""
    deadline = FAILED + 14 * DAY
    fresh = MonitorSettings(data_max_age=60 * DAY)
    for moment, reason, eligibility in (
        (deadline, ReasonCode.STEP_FLOW_ERROR, Eligibility.RESUMABLE),
        (deadline + timedelta(seconds=1), ReasonCode.WINDOW_EXPIRED, Eligibility.NOT_RESUMABLE),
    ):
        page = read.runs(engine, moment, RunFilter(ids=(_id(SOON),)), settings=fresh)
        assert (page.runs[0].reason_code, page.runs[0].eligibility) == (reason, eligibility)
        assert read.runs(engine, moment, RunFilter(reason=reason, ids=(_id(SOON),)), settings=fresh).total == 1


def test_old_data_is_said_to_be_old(engine: Engine) -> None:
    """Half an hour after the newest sync nobody knows, in the list and in the filter alike."""
    later = NOW + timedelta(hours=1)
    (line,) = read.runs(engine, later, RunFilter(ids=(_id(SOON),))).runs
    assert (line.eligibility, line.reason_code) == (Eligibility.UNKNOWN, ReasonCode.STALE_DATA)
    assert read.runs(engine, later, RunFilter(reason=ReasonCode.STALE_DATA)).total == 2


def test_a_run_that_failed_since_the_assessment_is_judged_when_read(engine: Engine) -> None:
    """Between a sync and its assessment nothing is missing and nothing is guessed."""
    new = copy(9, later=timedelta(hours=1))
    add(engine, new)
    line = next(line for line in read.runs(engine, NOW, RunFilter(at_risk=True)).runs if line.id == new.run.id)
    assert (line.reason_code, line.step) == (ReasonCode.STEP_FLOW_ERROR, "Call_Bureau")


def test_a_run_that_left_error_since_the_assessment_is_not_called_failed(engine: Engine) -> None:
    """The run's own row is newer than what was found about it."""
    with writing(engine) as connection:
        connection.execute(update(tables.Run).where(col(tables.Run.id) == _id(SOON)).values(status="InProgress"))
    (line,) = read.runs(engine, NOW, RunFilter(ids=(_id(SOON),))).runs
    assert (line.reason_code, line.deadline_earliest) == (ReasonCode.NOT_IN_ERROR, None)


def test_the_overview_counts(engine: Engine) -> None:
    """The figures on top of every screen."""
    found = read.overview(engine, NOW)
    assert (found.total, found.failed, found.at_risk, found.within_24h) == (8, 5, 3, 0)
    assert found.by_status == {"Completed": 1, "Error": 5, "Suspended": 2}
    assert found.first_deadline == FAILED + 14 * DAY
    assert (found.org, found.org_label, found.time_zone, found.as_of) == ("default", "Acme", "Europe/Berlin", NOW)
    assert read.overview(engine, FAILED + 13.5 * DAY).within_24h == 1


def test_groups_tell_how_many_can_be_saved_and_until_when(engine: Engine) -> None:
    """Failures of one kind are one line; the soonest deadline comes first."""
    first, second, *others = read.groups(engine, NOW)
    assert (first.count, first.resumable, first.first_deadline) == (1, 1, FAILED + 14 * DAY)
    assert first.cause == "Postcode__c of ‹id› is missing"
    assert (second.count, second.sample_run) == (4, _id(LATER))
    assert second.resumable == 1
    assert first.reason_codes == (ReasonCode.STEP_FLOW_ERROR,)
    assert set(second.reason_codes) == {
        ReasonCode.STEP_FLOW_ERROR,
        ReasonCode.NO_STEP_ROWS,
        ReasonCode.APPROVAL_RUN,
        ReasonCode.WINDOW_EXPIRED,
    }
    assert others == []
    assert _numbers(engine, RunFilter(group=second.id[:6])) == [LATER, UNCLEAR, HOPELESS, LOST]


def test_groups_obey_a_filter(engine: Engine) -> None:
    """Only the selected runs are counted."""
    (only,) = read.groups(engine, NOW, RunFilter(orchestration="Loan_Small"))
    assert only.sample_run == _id(SOON)
    assert read.groups(engine, NOW, RunFilter(needs_eyes=True)) == ()


def test_a_lost_group_promises_nothing(engine: Engine) -> None:
    """When the last deadline has passed nothing is ready any more."""
    found = read.groups(engine, NOW + 60 * DAY, settings=MonitorSettings(data_max_age=90 * DAY))
    assert {(group.resumable, group.first_deadline, group.readiness) for group in found} == {
        (0, None, Readiness.UNASSESSED)
    }
    assert found[0].reason_codes[0] is ReasonCode.WINDOW_EXPIRED


def test_a_group_prefix_must_mean_one_group(engine: Engine) -> None:
    """One that several groups share is refused with their names, and an empty one even where there is one group only."""
    groups = read.groups(engine, NOW)
    with writing(engine) as connection:
        for letter, group in zip("12", groups, strict=True):
            mine = col(Assessment.cause_group) == group.id
            connection.execute(update(Assessment).where(mine).values(cause_group=f"abc{letter}"))
    with pytest.raises(UsageError, match="abc1, abc2"):
        read.runs(engine, NOW, RunFilter(group="abc"))
    assert _numbers(engine, RunFilter(group="abc1")) == [SOON]
    for empty in ("", " "):
        with pytest.raises(UsageError, match="is empty"):
            read.runs(engine, NOW, RunFilter(group=empty))
        with pytest.raises(UsageError, match="is empty"):
            read.groups(engine, NOW, RunFilter(orchestration="Loan_Small", group=empty))


def test_a_run_is_shown_in_full(engine: Engine) -> None:
    """Its tree, its milestones as sentences in order, its evidence, and what a resume would do."""
    found = read.run(engine, NOW, _id(SOON)[:15])
    (stage,) = found.stages
    (step,) = stage.steps
    assert (stage.label, step.label, step.status) == ("Credit check", "Call the bureau", "Error")
    assert (step.started_at, step.ended_at) == (FAILED - timedelta(hours=3), FAILED)
    assert [mile.text for mile in found.milestones] == [
        "run started",
        "step Call_Bureau started",
        "step Call_Bureau failed",
        "run failed",
    ]
    assert found.blast_radius.steps_again == ("Call the bureau",)
    assert found.line.id == _id(SOON)
    assert found.evidence
    assert found.url == f"https://acme.example/lightning/r/FlowOrchestrationInstance/{_id(SOON)}/view"
    assert read.run(engine, NOW, _id(LATER)).same_cause == 3


def test_an_unknown_run_names_runs_that_look_alike(engine: Engine) -> None:
    """A typing mistake is answered with what may have been meant."""
    with pytest.raises(NotFound) as missing:
        read.run(engine, NOW, "0jE000000000091EAA")
    assert "0jE" in missing.value.meaning
    with pytest.raises(NotFound, match="nonsense") as nothing:
        read.run(engine, NOW, "nonsense")
    assert nothing.value.meaning == "No run's id looks like it."


def test_an_unknown_org_names_those_there_are(engine: Engine) -> None:
    """Nobody should have to guess how an org was called."""
    with pytest.raises(NotFound, match="default"):
        read.runs(engine, NOW, RunFilter(org="other"))


def test_two_orgs_with_the_same_run_ids_stay_apart(engine: Engine) -> None:
    """A sandbox copy has production's record ids."""
    add_org(engine, "00D000000000002EAA", "sandbox", NOW - DAY)
    add(engine, copy(SOON, org_id="00D000000000002EAA"))
    assess(engine, NOW)
    both = read.runs(engine, NOW, RunFilter(ids=(_id(SOON),))).runs
    assert [(line.org, line.reason_code) for line in both] == [
        ("default", ReasonCode.STEP_FLOW_ERROR),
        ("sandbox", ReasonCode.STALE_DATA),
    ]
    assert read.runs(engine, NOW, RunFilter(org="sandbox")).total == 1
    assert read.overview(engine, NOW).as_of == NOW - DAY
    assert read.run(engine, NOW, _id(SOON), org="sandbox").line.org == "sandbox"


def test_an_empty_mirror_answers_with_nothing(database_url: str) -> None:
    """Before the first sync there are no orgs, and every question still has an answer."""
    engine = open_mirror(database_url)
    assert read.runs(engine, NOW) == RunPage(None, 0, ())
    assert list(read.vector(engine, NOW)) == []
    assert read.groups(engine, NOW) == ()
    assert read.overview(engine, NOW).total == 0
    engine.dispose()


def test_assessments_can_be_dropped(engine: Engine) -> None:
    """Without the derived table the same runs are found, and a new assessment brings back the same lines."""
    before = read.runs(engine, NOW)
    with writing(engine) as connection:
        connection.execute(delete(Assessment))
    assert read.runs(engine, NOW).total == before.total
    assess(engine, NOW)
    assert read.runs(engine, NOW) == before


@pytest.mark.parametrize(
    ("short", "long"), [("0jERM0000004CQT", "0jERM0000004CQT2A2"), ("001000000000001", "001000000000001AAA")]
)
def test_fifteen_characters_become_eighteen(short: str, long: str) -> None:
    """The last three tell the case of the other fifteen; longer ids stay as they are."""
    assert long_id(short) == long
    assert long_id(long) == long
    assert long_id(ORG_ID[:15]) == ORG_ID
