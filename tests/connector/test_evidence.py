"""What failed runs hang on is fetched for them alone, in few calls, and what changes in it is noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
import responses
import stamina
from pydantic import SecretStr
from sqlmodel import Session, SQLModel, select

from connector import topics
from connector.errors import OrgUnreachable
from connector.gaps import Gap
from connector.metadata import read_versions
from connector.mirror.engine import open_mirror
from connector.mirror.evidence import unread_versions
from connector.mirror.tables import ApprovalLink, CalledFlow, FlowVersion, Interview, Org, Person, StepEvidence
from connector.org.client import OrgClient
from connector.settings import AccessTokenLogin, OrgSettings
from fixtures.org.access import hide_name, show_name
from fixtures.org.faults import Fault, Kind
from tests.connector.peers import Peers, peers, runs_to_judge, token_client
from tests.mirrors import empty_mirror

FLOW, ORCHESTRATION = "KYC_Sanctions_Screening", "KYC_Review"
ASSIGNEE = "dana.whitfield@northwind-mutual.example"
ORG, DATA = "00D000000000001EAA", "https://acme.my.salesforce.com/services/data/v67.0"

M = TypeVar("M", bound=SQLModel)


def stored(both: Peers, model: type[M]) -> list[M]:
    """All rows of an evidence table."""
    with Session(both.engine) as session:
        return list(session.exec(select(model)))


def failed_run(both: Peers) -> str:
    """A run whose background step failed."""
    both.org.world.break_flow(FLOW, "The screening service did not answer")
    run = both.org.world.start(ORCHESTRATION)
    both.advance(hours=1)
    return run


def failed_approval(both: Peers) -> str:
    """A run of an approval process that failed."""
    both.org.world.break_orchestration("Discount_Approval", "No rule matched", before="Evaluation")
    run = both.org.world.start("Discount_Approval")
    both.advance(hours=1)
    return run


def failed_assignment(both: Peers) -> str:
    """A run whose assignee, whom only the log names, is frozen."""
    both.org.world.freeze_user(ASSIGNEE)
    run = both.org.world.start(ORCHESTRATION, assigned={"Officer_Decision": ASSIGNEE})
    both.advance(hours=1)
    return run


def test_nothing_failed_costs_nothing(tmp_path: Path) -> None:
    """Runs that are not in Error are not looked into."""
    with peers(empty_mirror(tmp_path)) as both:
        both.org.world.start(ORCHESTRATION)
        both.advance(minutes=1)
        assert both.sync().api_calls == 1
        assert stored(both, Interview) == []


def test_a_failed_run_is_looked_into_at_once(database_url: str) -> None:
    """Error text, called flows with their active version and pending outputs are there after the poll that sees the failure."""
    with peers(database_url) as both:
        run = failed_run(both)
        report = both.sync()
        (interview,) = stored(both, Interview)
        assert (interview.present, interview.error) == (True, "The screening service did not answer")
        assert FLOW in {row.action_name for row in stored(both, CalledFlow)}
        assert FLOW in {row.api_name for row in stored(both, FlowVersion)}
        assert [row.has_pending_outputs for row in stored(both, StepEvidence)] == [False]
        assert runs_to_judge(both.engine) == {run}
        assert report.warnings == ()
        assert both.sync().api_calls == 1


def test_evidence_that_could_not_be_asked_for_stays_due(tmp_path: Path) -> None:
    """Where the look at a failed run fails after its rows were committed, the next poll looks, and the run is judged again."""
    with peers(empty_mirror(tmp_path)) as both, stamina.set_testing(True, attempts=1):
        run = failed_run(both)
        both.org.faults.arm(Fault(Kind.SERVER_ERROR, match="POST .*/composite", after=1))
        assert [warning for warning in both.sync().warnings if "could not be looked at" in warning]
        assert run in runs_to_judge(both.engine)
        assert both.sync().warnings == ()
        assert len(stored(both, Interview)) == 1
        assert runs_to_judge(both.engine) == {run}
        assert runs_to_judge(both.engine) == set()


def test_a_hiccup_costs_one_look(tmp_path: Path) -> None:
    """What the org took too long to answer is missed until the next look, which asks for it without a call more."""
    with peers(empty_mirror(tmp_path)) as both:
        failed, run = failed_run(both), failed_approval(both)
        both.org.faults.arm(Fault(Kind.QUERY_TIMEOUT, match="InProgressStepOutputs"))
        both.org.faults.arm(Fault(Kind.QUERY_TIMEOUT, match="ApprovalSubmission"))
        missed = both.sync().warnings
        assert [warning.split(" ")[0] for warning in missed] == ["ApprovalSubmission", "FlowOrchestrationStepInstance"]
        assert runs_to_judge(both.engine) == {failed, run}
        report = both.sync()
        assert (report.warnings, report.api_calls) == (missed, 1)
        both.advance(minutes=6)
        report = both.sync()
        assert (report.warnings, report.api_calls) == ((), 2)
        assert [row.has_pending_outputs for row in stored(both, StepEvidence)] == [False]
        assert [row.run_id for row in stored(both, ApprovalLink)] == [run]
        assert runs_to_judge(both.engine) == {failed, run}


def test_a_look_at_one_run_closes_no_gap(tmp_path: Path) -> None:
    """What was missed of a run is still said and asked for after another run failed and was looked into at once."""
    with peers(empty_mirror(tmp_path)) as both:
        failed_run(both)
        both.org.faults.arm(Fault(Kind.QUERY_TIMEOUT, match="InProgressStepOutputs"))
        missed = both.sync().warnings
        both.org.world.start(ORCHESTRATION)
        both.advance(minutes=3)
        assert both.sync().warnings == missed != ()
        assert len(stored(both, Interview)) == 2
        both.advance(minutes=3)
        assert both.sync().warnings == ()
        assert [row.has_pending_outputs for row in stored(both, StepEvidence)] == [False, False]


def test_what_may_not_be_read_is_asked_for_until_it_may(tmp_path: Path) -> None:
    """A failure elsewhere does not end the warning about an object that is hidden; a permission granted later does."""
    with peers(empty_mirror(tmp_path)) as both:
        hide_name(both.org.world.store, "ApprovalSubmission")
        run = failed_approval(both)
        (warning,) = both.sync().warnings
        assert "ApprovalSubmission cannot be read (INVALID_TYPE): approval runs" in warning
        assert "read access to the object" in warning
        failed_run(both)
        assert both.sync().warnings == (warning,)
        both.advance(minutes=1)
        assert both.sync().warnings == (warning,)
        show_name(both.org.world.store, "ApprovalSubmission")
        both.advance(minutes=5)
        assert both.sync().warnings == ()
        assert [row.run_id for row in stored(both, ApprovalLink)] == [run]


def test_metadata_that_may_not_be_read_is_asked_for_by_the_hour(tmp_path: Path) -> None:
    """It takes a call of its own, so the looks in between cost one call more than the poll and keep the warning."""
    with peers(empty_mirror(tmp_path)) as both:
        both.org.faults.arm(Fault(Kind.NOT_SUPPORTED, match="/tooling/", times=None))
        run = failed_run(both)
        (warning,) = both.sync().warnings
        assert "View Setup and Configuration" in warning
        assert run in runs_to_judge(both.engine)
        both.org.faults.clear()
        both.advance(minutes=6)
        report = both.sync()
        assert (report.warnings, report.api_calls) == ((warning,), 2)
        both.advance(hours=1)
        assert both.sync().warnings == ()
        assert FLOW in {row.action_name for row in stored(both, CalledFlow)}
        assert FLOW in {row.api_name for row in stored(both, FlowVersion)}
        assert runs_to_judge(both.engine) == {run}


def test_metadata_that_does_not_come_holds_nothing_up(tmp_path: Path) -> None:
    """An org whose Tooling API is down is asked for the rest at once, and for the metadata at the next look."""
    with peers(empty_mirror(tmp_path)) as both, stamina.set_testing(True, attempts=1):
        both.org.faults.arm(Fault(Kind.UNAVAILABLE, match="/tooling/"))
        failed_run(both)
        (warning,) = both.sync().warnings
        assert "could not be read just now" in warning
        assert (len(stored(both, Interview)), len(stored(both, CalledFlow))) == (1, 0)
        both.advance(minutes=6)
        assert both.sync().warnings == ()
        assert FLOW in {row.action_name for row in stored(both, CalledFlow)}


def test_a_hidden_field_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    """Without FlowInterview.Error the interviews are watched on, each look in one call, until the field is shown."""
    with peers(empty_mirror(tmp_path)) as both:
        hide_name(both.org.world.store, "FlowInterview.Error")
        gone = failed_run(both)
        failed_run(both)
        (warning,) = both.sync().warnings
        assert "FlowInterview.Error cannot be read (INVALID_FIELD): why runs failed is not known" in warning
        assert "read access to the field" in warning
        assert [(row.present, row.error) for row in stored(both, Interview)] == [(True, None)] * 2
        both.org.world.delete_interview(gone)
        both.advance(minutes=6)
        report = both.sync()
        assert (report.warnings, report.api_calls) == ((warning,), 2)
        assert sorted(row.present for row in stored(both, Interview)) == [False, True]
        show_name(both.org.world.store, "FlowInterview.Error")
        both.advance(minutes=6)
        assert both.sync().warnings == ()
        assert {row.error for row in stored(both, Interview)} == {None, "The screening service did not answer"}


def test_an_error_stands_until_its_run_changes(tmp_path: Path) -> None:
    """Once the error texts are hidden, the text of a failure that was read is kept, and that of a later failure is not known."""
    with peers(empty_mirror(tmp_path)) as both:
        old, again = failed_run(both), failed_run(both)
        both.sync()
        hide_name(both.org.world.store, "FlowInterview.Error")
        both.org.world.break_flow(FLOW, "The screening service refused the key")
        both.org.world.resume(again)
        both.advance(hours=1)
        both.sync()
        errors = {row.id: row.error for row in stored(both, Interview)}
        interviews = {run["Id"]: run["InterviewId"] for run in both.org.world.store.rows("FlowOrchestrationInstance")}
        assert errors[interviews[old]] == "The screening service did not answer"
        assert errors[interviews[again]] is None


def test_outputs_of_a_step_that_changed_are_not_known_from_before(tmp_path: Path) -> None:
    """Where a step failed again and its outputs could not be asked for, the old answer is not given for it."""
    with peers(empty_mirror(tmp_path)) as both:
        run = failed_run(both)
        both.sync()
        both.org.world.resume(run)
        both.advance(hours=1)
        both.org.faults.arm(Fault(Kind.QUERY_TIMEOUT, match="InProgressStepOutputs"))
        both.sync()
        assert [row.has_pending_outputs for row in stored(both, StepEvidence)] == [None]


def test_a_failed_query_makes_no_interview_gone(tmp_path: Path) -> None:
    """Only an answer without the interview tells that it is no longer there."""
    with peers(empty_mirror(tmp_path)) as both:
        failed_run(both)
        both.sync()
        both.advance(minutes=6)
        both.org.faults.arm(Fault(Kind.QUERY_TIMEOUT, match="FlowInterview"))
        assert len(both.sync().warnings) == 1
        assert [row.present for row in stored(both, Interview)] == [True]


def test_a_fixed_flow_is_noticed(tmp_path: Path) -> None:
    """A new active version becomes a row with the time it was first seen, and the failed run counts as changed."""
    with peers(empty_mirror(tmp_path)) as both:
        run = failed_run(both)
        both.sync()
        assert run in runs_to_judge(both.engine)
        both.org.world.fix_flow(FLOW)
        both.advance(minutes=6)
        report = both.sync()
        versions = [row for row in stored(both, FlowVersion) if row.api_name == FLOW]
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
        (interview,) = stored(both, Interview)
        assert (interview.present, interview.error) == (False, "The screening service did not answer")


def test_an_assignee_that_comes_back_is_noticed(tmp_path: Path) -> None:
    """A frozen assignee, whom only the log names, is known as frozen, and when that changes the time is noted."""
    with peers(empty_mirror(tmp_path)) as both:
        run = failed_assignment(both)
        both.sync()
        assert run in runs_to_judge(both.engine)
        (person,) = stored(both, Person)
        assert (person.is_active, person.is_frozen, person.changed_at) == (True, True, None)
        both.org.world.unfreeze_user(ASSIGNEE)
        both.advance(minutes=6)
        both.sync()
        (person,) = stored(both, Person)
        assert person.is_frozen is False
        assert person.changed_at is not None
        assert runs_to_judge(both.engine) == {run}


def test_who_is_frozen_stays_so_while_nobody_can_tell(tmp_path: Path) -> None:
    """Neither a failed query nor its repetition is a change in the world: the person has not come back."""
    with peers(empty_mirror(tmp_path)) as both:
        failed_assignment(both)
        both.sync()
        for fault in (Fault(Kind.QUERY_TIMEOUT, match="UserLogin"), None):
            both.advance(minutes=6)
            if fault:
                both.org.faults.arm(fault)
            both.sync()
            assert [(person.is_frozen, person.changed_at) for person in stored(both, Person)] == [(True, None)]


def test_what_is_learned_for_the_first_time_is_not_a_change(tmp_path: Path) -> None:
    """A login that can be read at last shows how things are, not that they changed; the run is judged by it."""
    with peers(empty_mirror(tmp_path)) as both:
        hide_name(both.org.world.store, "UserLogin")
        run = failed_assignment(both)
        (warning,) = both.sync().warnings
        assert "frozen assignees are not noticed. Give the integration user Manage Users" in warning
        assert [person.is_frozen for person in stored(both, Person)] == [None]
        assert run in runs_to_judge(both.engine)
        show_name(both.org.world.store, "UserLogin")
        both.advance(minutes=6)
        assert both.sync().warnings == ()
        assert [(person.is_frozen, person.changed_at) for person in stored(both, Person)] == [(True, None)]
        assert runs_to_judge(both.engine) == {run}


def test_an_approval_run_is_linked(tmp_path: Path) -> None:
    """The submission that points at a failed run is found."""
    with peers(empty_mirror(tmp_path)) as both:
        run = failed_approval(both)
        both.sync()
        assert [row.run_id for row in stored(both, ApprovalLink)] == [run]


def test_a_topic_that_was_refused_is_not_asked_on(tmp_path: Path) -> None:
    """What came before the refusal is kept with its keys, and the batches behind it cost no call."""
    with peers(empty_mirror(tmp_path)) as both:
        names = both.org.world.store.rows("FlowDefinitionView")
        keys = sorted(str(row["ApiName"]) for row in names)[:12]
        both.org.faults.arm(Fault(Kind.QUERY_TIMEOUT, match="FlowDefinitionView", after=1))
        calls = both.client.api_calls
        single = replace(topics.FLOWS, batch=1)
        answers, gaps = topics.ask(both.client, [(single, keys)])
        assert both.client.api_calls - calls == 1
        assert [(gap.what, gap.passing) for gap in gaps] == [("FlowDefinitionView", True)]
        assert answers[single].keys == {record["ApiName"] for record in answers[single].records}
        assert answers[single].keys == set(keys[:5]) - {keys[1]}


def test_a_page_that_is_lost_leaves_its_keys_unanswered(tmp_path: Path) -> None:
    """A query whose locator died counts as not answered at all."""
    with peers(empty_mirror(tmp_path)) as both:
        keys = [str(row["ApiName"]) for row in both.org.world.store.rows("FlowDefinitionView")]
        both.org.faults.arm(Fault(Kind.SHORT_PAGE, match="FlowDefinitionView"))
        both.org.faults.arm(Fault(Kind.EXPIRE_LOCATORS, match="GET [^ ]*/query/"))
        answers, gaps = topics.ask(both.client, [(topics.FLOWS, keys)])
        assert [(gap.what, gap.passing) for gap in gaps] == [("FlowDefinitionView", True)]
        assert answers[topics.FLOWS] == topics.Answer()


def client_of_replies() -> OrgClient:
    """A client of an org that exists in single replies only."""
    responses.get("https://acme.my.salesforce.com/services/oauth2/userinfo", json={"organization_id": ORG})
    login = AccessTokenLogin(access_token=SecretStr("token"))
    return OrgClient(OrgSettings(instance_url="https://acme.my.salesforce.com", login=login, api_version="67.0"))


@responses.activate
def test_records_without_what_was_asked_for_are_no_answer() -> None:
    """An interview that comes without its status tells nothing, least of all that others are gone."""
    page = {"totalSize": 1, "done": True, "records": [{"Id": "0Fo000000000001AAA"}]}
    reply = {"referenceId": "q0", "httpStatusCode": 200, "body": page}
    responses.post(f"{DATA}/composite", json={"compositeResponse": [reply]})
    answers, gaps = topics.ask(client_of_replies(), [(topics.INTERVIEWS, ["0Fo000000000001AAA"])])
    assert gaps == [Gap("FlowInterview", "UNREADABLE_ANSWER", passing=True)]
    assert answers == {topics.INTERVIEWS: topics.Answer()}


@responses.activate
def test_metadata_of_an_unknown_shape_is_no_answer(tmp_path: Path) -> None:
    """A version is not taken as read when its stages cannot be understood."""
    version = {"Id": "301000000000001AAA", "VersionNumber": 1, "Definition": {"DeveloperName": ORCHESTRATION}}
    responses.get(f"{DATA}/tooling/query", json={"totalSize": 1, "done": True, "records": [version]})
    stages = {"orchestratedStages": [{"name": "Review", "stageSteps": ["Decide"]}]}
    responses.get(f"{DATA}/tooling/sobjects/Flow/{version['Id']}", json={"Metadata": stages})
    engine = open_mirror(empty_mirror(tmp_path))
    with pytest.raises(OrgUnreachable, match="unknown shape"):
        read_versions(client_of_replies(), engine, ORG, [(ORCHESTRATION, 1)], datetime.now(UTC))
    with engine.connect() as connection:
        assert unread_versions(connection, ORG, [(ORCHESTRATION, 1)]) == [(ORCHESTRATION, 1)]
    engine.dispose()


@pytest.mark.parametrize("topic", [value for value in vars(topics).values() if isinstance(value, topics.Topic)])
@pytest.mark.parametrize("passing", [True, False])
def test_every_gap_is_one_line_and_survives_the_mirror(topic: topics.Topic, passing: bool) -> None:
    """Whatever a question can be refused, its consequence is known."""
    for what in (topic.object_name, topic.newer_name, f"{topic.object_name}.{topic.key}"):
        gap = Gap(what, "HTTP 500", passing)
        assert gap.sentence().startswith(f"{what} ")
        assert "\n" not in gap.sentence()
        assert Gap.parse(gap.text) == gap


def test_what_may_not_be_read_is_a_warning_with_its_consequence(tmp_path: Path) -> None:
    """A user without Manage Users and setup access mirrors on, and is told what is not noticed for want of them."""
    with peers(empty_mirror(tmp_path)) as both:
        both.client = token_client(both.org, "viewer")
        failed_run(both)
        report = both.sync()
        assert [warning for warning in report.warnings if "View Setup and Configuration" in warning]
        assert stored(both, Interview)


def test_the_org_row_says_where_and_when(tmp_path: Path) -> None:
    """Name, time zone, clock offset, API usage and the time of the newest complete pass are kept with the mirror."""
    with peers(empty_mirror(tmp_path)) as both:
        both.sync()
        both.advance(hours=3)
        both.sync()
        (org,) = stored(both, Org)
        assert (org.label, org.is_sandbox, org.time_zone, org.last_outcome) == (
            "Northwind Lending", False, "America/Chicago", "COMPLETE",
        )  # fmt: skip
        ahead = (both.org.world.store.now() - datetime.now(UTC)).total_seconds()
        assert abs(org.clock_offset_seconds - ahead) < 3
        assert (org.api_used, org.api_max) == (2, 100_000)
        assert org.last_success_at is not None
        assert abs((both.org.world.store.now() - org.last_success_at).total_seconds()) < 5
