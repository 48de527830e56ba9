"""The questions about failed runs: which fields of which object, found by which key, and what is lost without the answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.mirror.upsert import chunks
from connector.org import composite, soql
from connector.org.client import OrgClient

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Topic:
    """One kind of question: which fields of which object, found by which key, and what is lost without the answer."""

    object_name: str
    key: str
    fields: tuple[str, ...]
    without: str
    newer: tuple[str, ...] = ()  # fields that an older API version or a missing permission takes away
    batch: int = 1000  # keys in one query; a statement has at most 100,000 characters


INTERVIEWS = Topic(
    "FlowInterview", "Id", ("InterviewStatus", "CurrentElement"), "error texts are not known", newer=("Error",)
)
OUTPUTS = Topic(
    "FlowOrchestrationStepInstance",
    "Id",
    ("Status",),
    "whether a step would run again or only its outputs be processed is not known",
    newer=("InProgressStepOutputs",),
    batch=200,  # up to 100,000 characters each
)
APPROVALS = Topic(
    "ApprovalSubmission", "FlowOrchestrationInstanceId", ("Id", "Status"), "approval runs are harder to tell apart"
)
USERS = Topic("User", "Id", ("Name", "Username", "IsActive"), "inactive assignees are not noticed")
USERS_BY_NAME = Topic("User", "Username", ("Id", "Name", "IsActive"), "inactive assignees are not noticed")
LOGINS = Topic("UserLogin", "UserId", ("IsFrozen",), "frozen assignees are not noticed (it needs Manage Users)")
TEAMS = Topic("Group", "Id", ("Name", "DeveloperName", "Type"), "queues and groups have no names")
FLOWS = Topic(
    "FlowDefinitionView",
    "ApiName",
    ("ActiveVersionId", "LastModifiedDate"),
    "whether a called flow was fixed is not known",
    newer=("VersionNumber",),
    batch=500,
)


def ask(
    client: OrgClient, asked: Sequence[tuple[Topic, Collection[str]]]
) -> tuple[dict[Topic, list[Record]], list[str]]:
    """The records found for each topic and its keys, five queries a call.

    A topic that the org refuses is missing from the answers, and one of the returned sentences says what that costs.
    """
    questions = [(topic, keys) for topic, all_keys in asked for keys in chunks(sorted(all_keys), topic.batch)]
    answers: dict[Topic, list[Record]] = {}
    refused: dict[Topic, str] = {}
    for call in chunks(questions, composite.MAX_QUERIES):
        replies = client.composite(
            [composite.query(f"q{n}", _query(topic, topic.newer, keys)) for n, (topic, keys) in enumerate(call)]
        )
        for (topic, keys), reply in zip(call, replies, strict=True):
            if reply.code == "INVALID_FIELD" and topic.newer:
                (reply,) = client.composite([composite.query("q", _query(topic, (), keys))])
            if reply.ok:
                answers.setdefault(topic, []).extend(client.rest_of(reply.body))
            else:
                refused[topic] = f"{topic.object_name} cannot be read ({reply.problem}): {topic.without}."
    answered = {topic: records for topic, records in answers.items() if topic not in refused}
    return answered, list(refused.values())


def _query(topic: Topic, newer: Sequence[str], keys: Sequence[str]) -> str:
    return soql.select((topic.key, *topic.fields, *newer), topic.object_name, [soql.one_of(topic.key, keys)])
