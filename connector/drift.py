"""What the org lets us see of each object, compared with what we want: the SELECT list, and what is missing and why that matters.

Pure. A field can be missing because the API version is older than the field or because the user may not see it; both look
alike in a describe (REST API guide: sObject Describe).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from connector.mapping import fields_of, required_fields
from connector.mirror.tables import Mirrored
from connector.org.composite import Subreply

# What is lost with a field, for the fields whose absence changes an answer.
CONSEQUENCES: Mapping[str, str] = {
    "CurrentStage": "the stage a run failed in must be inferred from its stages",
    "InterviewId": "the failed interview, and with it the error text, cannot be found",
    "FlowType": "approval runs, which can never be resumed, are harder to tell apart",
    "TriggeringRecord": "other runs on the same record cannot be shown",
    "IsDebugRun": "debug runs are counted as real ones",
    "Timestamp": "the moment of a failure, and so the deadline, is only known within a bracket",
    "OrchestrationVersion": "the flows that a run's steps call cannot be found",
    "StepType": "steps whose errors can never be resumed cannot be told apart",
    "AssigneeId": "an inactive or frozen assignee cannot be noticed",
    "StepInstanceId": "work items cannot be shown under their runs",
    "AssigneeType": "an assignee that does not resolve cannot be noticed",
}


WITHOUT: Mapping[str, str] = {
    "FlowOrchestrationInstance": "there is nothing to watch",
    "FlowOrchestrationStageInstance": "the stage a run failed in is not known",
    "FlowOrchestrationStepInstance": "the step a run failed in, and whether it can be resumed, are not known",
    "FlowOrchestrationWorkItem": "who a run waits for is not known",
    "FlowOrchestrationLog": "the moment of a failure, and so the deadline, is only known within a bracket",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What can be read of one object now."""

    readable: bool
    replicateable: bool
    missing: frozenset[str] = frozenset()


def shape(table: type[Mirrored], reply: Subreply) -> Shape:
    """Compare the reply to a describe with what the table wants."""
    if not reply.ok:
        return Shape(readable=False, replicateable=False)
    visible = {field["name"] for field in reply.body.get("fields", ())}
    missing = frozenset(fields_of(table)) - visible
    return Shape(not missing & required_fields(table), bool(reply.body.get("replicateable", False)), missing)


def unreadable(table: type[Mirrored]) -> str:
    """The sentence for an object that cannot be mirrored at all."""
    return (
        f"{table.salesforce_object} cannot be read: {WITHOUT[table.salesforce_object]}. Give the integration user read"
        f" access to the object and to {', '.join(sorted(required_fields(table)))}, or pin a newer API version."
    )


def select_list(table: type[Mirrored], missing: Collection[str]) -> list[str]:
    """The fields to ask for."""
    return [name for name in fields_of(table) if name not in missing]


def warnings(table: type[Mirrored], missing: Collection[str]) -> list[str]:
    """One sentence for each missing field: what, so what, what to do."""
    return [
        f"{table.salesforce_object}.{name} cannot be read: {CONSEQUENCES.get(name, 'it stays empty')}."
        " Give the integration user read access to the field, or pin a newer API version."
        for name in sorted(missing)
    ]
