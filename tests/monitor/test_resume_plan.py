"""The plan of a resume: who is in it, who is not and why, and that it is what it was when it was shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from sqlmodel import Session

from connector.errors import NothingMatched, Refused, UsageError
from connector.mirror.tables import Org, Run
from monitor import resume
from monitor.assessment import Assessment
from monitor.plans import Plan
from monitor.resume import BatchOutcome, dry_run
from monitor.rows import RunFilter
from monitor.settings import ResumeSettings
from monitor.verdict import Eligibility, ReasonCode
from tests.mirrors import empty_mirror
from tests.monitor.workshop import ALLOWED, Workshop, workshop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """A workshop on SQLite."""
    with workshop(empty_mirror(tmp_path)) as made:
        yield made


@pytest.fixture
def monday(tmp_path: Path) -> Iterator[Workshop]:
    """A whole Monday morning, mirrored."""
    with workshop(empty_mirror(tmp_path), scenario="monday") as made:
        made.sync()
        yield made


def through_json(plan: Plan) -> dict[str, Any]:
    """The plan's document, written to a file and read back."""
    document: dict[str, Any] = orjson.loads(orjson.dumps(plan.to_json()))
    return document


def copy_org(shop: Workshop, org_id: str) -> None:
    """Mirror the same runs once more as another org's, as a sandbox would have them."""
    with Session(shop.engine) as session:
        for table in (Org, Run, Assessment):
            for row in session.scalars(select(table)).all():
                session.add(
                    table(**row.model_dump() | {"org_id": org_id, **({"name": "copy"} if table is Org else {})})
                )
        session.commit()


def test_every_chosen_run_is_in_the_plan_or_left_out_for_a_reason(monday: Workshop) -> None:
    """Of Monday's failed runs the resumable ones are included, first to be lost first; the others each have their sentence."""
    plan = resume.plan(monday.engine, monday.now(), RunFilter(statuses=("Error",)), ALLOWED)
    assert {run.eligibility for run in plan.included} == {Eligibility.RESUMABLE}
    deadlines = [run.deadline_earliest for run in plan.included]
    assert deadlines == sorted(deadlines, key=str)
    left_out = Counter(each.reason_code for each in plan.excluded)
    assert {ReasonCode.WINDOW_EXPIRED, ReasonCode.MULESOFT_ACTION} <= left_out.keys()
    assert all(each.sentence for each in plan.excluded)
    failed = monday.org.world.store.rows("FlowOrchestrationInstance", Status="Error", IsDeleted=False)
    assert len(plan.included) + len(plan.excluded) == len(failed)


def test_the_plan_shows_what_a_resume_would_do(shop: Workshop) -> None:
    """Steps that run again and other unfinished runs on the same record are part of what is shown."""
    (run,) = shop.fail_runs(1)
    other = shop.org.world.start("KYC_Review", "800000000000000AAA")
    shop.sync()
    (planned,) = shop.plan([run]).included
    assert planned.blast_radius.steps_again == ("Build Quote",)
    assert planned.blast_radius.record == "800000000000000AAA"
    assert planned.blast_radius.other_runs == (other,)


def test_named_runs_are_never_dropped_silently(shop: Workshop) -> None:
    """A run named by its id that did not fail is left out with that reason."""
    (failed,) = shop.fail_runs(1)
    running = shop.org.world.start("KYC_Review")
    shop.sync()
    plan = shop.plan([failed, running])
    assert [run.run for run in plan.included] == [failed]
    assert [(each.run, each.reason_code) for each in plan.excluded] == [(running, ReasonCode.NOT_IN_ERROR)]


def test_an_unknown_run_is_tried_only_when_it_is_named(shop: Workshop) -> None:
    """With data too old to tell, a filter resumes nothing; naming the run is a person's own decision."""
    (run,) = shop.fail_runs(1)
    shop.sync()
    shop.advance(hours=2)
    by_filter = shop.plan()
    assert by_filter.included == ()
    assert by_filter.excluded[0].reason_code is ReasonCode.STALE_DATA
    assert "Name the run by its id" in by_filter.excluded[0].sentence
    by_name = shop.plan([run])
    assert by_name.included[0].eligibility is Eligibility.UNKNOWN
    assert shop.execute(by_name).outcome is BatchOutcome.ALL_VERIFIED


def test_a_run_that_cannot_be_seen_is_not_even_tried_by_name(shop: Workshop) -> None:
    """No look could prove its resume; the plan says so, and what would show it again."""
    seen, unseen = shop.fail_runs(2)
    shop.advance(minutes=10)
    shop.sync()
    shop.unshare([unseen])
    for plan in (shop.plan(), shop.plan([seen, unseen])):
        assert [each.run for each in plan.included] == [seen]
        (left_out,) = plan.excluded
        assert (left_out.run, left_out.reason_code) == (unseen, ReasonCode.RUN_NOT_VISIBLE)
        assert "View All Data" in left_out.sentence


def test_a_filter_that_matches_nothing_says_so(shop: Workshop) -> None:
    """An empty plan would look like success."""
    shop.sync()
    with pytest.raises(NothingMatched):
        shop.plan()


def test_a_plan_has_one_org(shop: Workshop) -> None:
    """A sandbox copy has the same ids as production, so a choice that spans orgs is refused."""
    shop.fail_runs(2)
    shop.sync()
    copy_org(shop, "00DRM000000000000A")
    with pytest.raises(UsageError, match="several orgs"):
        shop.plan()


def test_a_plan_survives_its_file(shop: Workshop) -> None:
    """Saved and read again it is the same plan, whether the file holds it alone or inside a dry run's document."""
    shop.fail_runs(2)
    shop.sync()
    plan = shop.plan()
    assert Plan.from_json(through_json(plan)) == plan
    assert Plan.from_json(orjson.loads(orjson.dumps(dry_run(plan, ALLOWED).to_json()))) == plan
    assert shop.execute(Plan.from_json(through_json(plan))).outcome is BatchOutcome.ALL_VERIFIED


def test_a_changed_plan_is_refused(shop: Workshop) -> None:
    """Nobody resumes a run that was written into a plan after it was shown."""
    runs = shop.fail_runs(2)
    shop.sync()
    document = through_json(shop.plan([runs[0]]))
    document["included"][0]["run"] = runs[1]
    with pytest.raises(Refused, match="changed"):
        shop.execute(Plan.from_json(document))
    assert shop.writes() == 0


@pytest.mark.parametrize(
    "document",
    [{}, {"schema_version": 2}, {"schema_version": 1}, {"plan": 7}, {"schema_version": 1, "included": [{"run": 3}]}],
)
def test_what_is_not_a_plan_is_named_as_such(document: dict[str, Any]) -> None:
    """Another file by mistake gets a sentence, not a stack trace."""
    with pytest.raises(UsageError, match="not a plan"):
        Plan.from_json(document)


def test_a_dry_run_attempts_nothing(shop: Workshop) -> None:
    """Planning neither writes to the org nor to the ledger, and says DRY_RUN."""
    shop.fail_runs(1)
    shop.sync()
    before = shop.org.api_calls()
    document = dry_run(shop.plan(), ResumeSettings()).to_json()
    assert (document["outcome"], document["batch"], document["attempts"]) == ("DRY_RUN", None, [])
    assert document["reason_code"] == "READ_ONLY"
    assert shop.org.api_calls() == before
