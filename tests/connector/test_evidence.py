"""What failed runs hang on is fetched for them alone, in few calls, and what changes in it is noticed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import Session, SQLModel, select

from connector.mirror.tables import ApprovalLink, CalledFlow, FlowVersion, Interview, Org, Person, StepEvidence
from fixtures.org.faults import Fault, Kind
from tests.connector.peers import Peers, peers, runs_to_judge, token_client
from tests.mirrors import empty_mirror

FLOW, ORCHESTRATION = "KYC_Sanctions_Screening", "KYC_Review"


def rows(both: Peers, model: type[SQLModel]) -> list[SQLModel]:
    """All rows of an evidence table."""
    with Session(both.engine) as session:
        return list(session.exec(select(model)))


def failed_run(both: Peers) -> str:
    """A run whose background step failed."""
    both.org.world.break_flow(FLOW, "The screening service did not answer")
    run = both.org.world.start(ORCHESTRATION)
    both.advance(hours=1)
    return run


def test_nothing_failed_costs_nothing(tmp_path: Path) -> None:
    """Runs that are not in Error are not looked into."""
    with peers(empty_mirror(tmp_path)) as both:
        both.org.world.start(ORCHESTRATION)
        both.advance(minutes=1)
        assert both.sync().api_calls == 1
        assert rows(both, Interview) == []


def test_a_failed_run_is_looked_into_at_once(database_url: str) -> None:
    """Error text, called flows with their active version and pending outputs are there after the poll that sees the failure."""
    with peers(database_url) as both:
        run = failed_run(both)
        report = both.sync()
        (interview,) = rows(both, Interview)
        assert isinstance(interview, Interview)
        assert (interview.present, interview.error) == (True, "The screening service did not answer")
        assert FLOW in {row.action_name for row in rows(both, CalledFlow) if isinstance(row, CalledFlow)}
        assert FLOW in {row.api_name for row in rows(both, FlowVersion) if isinstance(row, FlowVersion)}
        assert [row.has_pending_outputs for row in rows(both, StepEvidence) if isinstance(row, StepEvidence)] == [False]
        assert runs_to_judge(both.engine) == {run}
        assert report.warnings == ()
        assert both.sync().api_calls == 1


def test_evidence_that_could_not_be_asked_for_stays_due(tmp_path: Path) -> None:
    """Where the look at a failed run fails after its rows were committed, the next poll looks, and the run is judged again."""
    with peers(empty_mirror(tmp_path)) as both:
        run = failed_run(both)
        both.org.faults.arm(Fault(Kind.SERVER_ERROR, match="/tooling/", times=20))
        assert [warning for warning in both.sync().warnings if "could not be looked at" in warning]
        assert run in runs_to_judge(both.engine)
        both.org.faults.clear()
        assert both.sync().warnings == ()
        assert len(rows(both, Interview)) == 1
        assert runs_to_judge(both.engine) == {run}
        assert runs_to_judge(both.engine) == set()


def test_a_fixed_flow_is_noticed(tmp_path: Path) -> None:
    """A new active version becomes a row with the time it was first seen, and the failed run counts as changed."""
    with peers(empty_mirror(tmp_path)) as both:
        run = failed_run(both)
        both.sync()
        assert run in runs_to_judge(both.engine)
        both.org.world.fix_flow(FLOW)
        both.advance(minutes=6)
        report = both.sync()
        versions = [row for row in rows(both, FlowVersion) if isinstance(row, FlowVersion) and row.api_name == FLOW]
        old, new = sorted(versions, key=lambda row: row.first_seen_at)
        assert (old.is_current, new.is_current, new.version_number) == (False, True, 2)
        assert runs_to_judge(both.engine) == {run}
        assert report.api_calls == 2


def test_a_deleted_interview_is_noticed(tmp_path: Path) -> None:
    """An interview that is gone is marked and keeps its error text."""
    with peers(empty_mirror(tmp_path)) as both:
        run = failed_run(both)
        both.sync()
        both.org.world.delete_interview(run)
        both.advance(minutes=6)
        both.sync()
        (interview,) = rows(both, Interview)
        assert isinstance(interview, Interview)
        assert (interview.present, interview.error) == (False, "The screening service did not answer")


def test_an_assignee_that_comes_back_is_noticed(tmp_path: Path) -> None:
    """A frozen assignee, whom only the log names, is known as frozen, and when that changes the time is noted."""
    with peers(empty_mirror(tmp_path)) as both:
        world = both.org.world
        assignee = "dana.whitfield@northwind-mutual.example"
        world.freeze_user(assignee)
        run = world.start(ORCHESTRATION, assigned={"Officer_Decision": assignee})
        both.advance(hours=1)
        both.sync()
        assert run in runs_to_judge(both.engine)
        (person,) = [row for row in rows(both, Person) if isinstance(row, Person) and row.username == assignee]
        assert (person.is_active, person.is_frozen, person.changed_at) == (True, True, None)
        world.unfreeze_user(assignee)
        both.advance(minutes=6)
        both.sync()
        (person,) = [row for row in rows(both, Person) if isinstance(row, Person) and row.username == assignee]
        assert person.is_frozen is False
        assert person.changed_at is not None
        assert runs_to_judge(both.engine) == {run}


def test_an_approval_run_is_linked(tmp_path: Path) -> None:
    """The submission that points at a failed run is found."""
    with peers(empty_mirror(tmp_path)) as both:
        world = both.org.world
        world.break_orchestration("Discount_Approval", "No rule matched", before="Evaluation")
        run = world.start("Discount_Approval")
        both.advance(hours=1)
        both.sync()
        assert [row.run_id for row in rows(both, ApprovalLink) if isinstance(row, ApprovalLink)] == [run]


def test_what_may_not_be_read_is_a_warning_with_its_consequence(tmp_path: Path) -> None:
    """A user without Manage Users and setup access mirrors on, and is told what is not noticed for want of them."""
    with peers(empty_mirror(tmp_path)) as both:
        both.client = token_client(both.org, "viewer")
        failed_run(both)
        report = both.sync()
        assert [warning for warning in report.warnings if "View Setup and Configuration" in warning]
        assert rows(both, Interview)


def test_the_org_row_says_where_and_when(tmp_path: Path) -> None:
    """Name, time zone, clock offset, API usage and the time of the newest complete pass are kept with the mirror."""
    with peers(empty_mirror(tmp_path)) as both:
        both.sync()
        both.advance(hours=3)
        both.sync()
        (org,) = rows(both, Org)
        assert isinstance(org, Org)
        assert (org.label, org.is_sandbox, org.time_zone, org.last_outcome) == (
            "Northwind Lending", False, "America/Chicago", "COMPLETE",
        )  # fmt: skip
        ahead = (both.org.world.store.now() - datetime.now(UTC)).total_seconds()
        assert abs(org.clock_offset_seconds - ahead) < 3
        assert (org.api_used, org.api_max) == (2, 100_000)
        assert org.last_success_at is not None
        assert abs((both.org.world.store.now() - org.last_success_at).total_seconds()) < 5
