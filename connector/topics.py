"""The questions about failed runs: which fields of which object, found by which key, and as few calls as they can be put in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

from connector.errors import OrgRefused
from connector.gaps import Gap, gap
from connector.mirror.upsert import chunks
from connector.org import composite, soql
from connector.org.client import OrgClient
from connector.org.composite import Subreply

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Topic:
    """One kind of question. `newer` is a field that an older API version or a missing permission takes away."""

    object_name: str
    key: str
    fields: tuple[str, ...]
    newer: str = ""
    batch: int = 1000  # keys in one query; a statement has at most 100,000 characters

    @property
    def plain(self) -> Topic:
        """The same question without the field that may be missing."""
        return replace(self, newer="")

    @property
    def newer_name(self) -> str:
        """How a gap names the field that may be missing."""
        return f"{self.object_name}.{self.newer}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Every field that is asked for, and that a record therefore has."""
        return (self.key, *self.fields, *filter(None, [self.newer]))

    def soql(self, keys: Iterable[str]) -> str:
        """The SELECT that finds the records of these keys."""
        return soql.select(self.columns, self.object_name, [soql.one_of(self.key, keys)])


INTERVIEWS = Topic("FlowInterview", "Id", ("InterviewStatus", "CurrentElement"), newer="Error")
OUTPUTS = Topic("FlowOrchestrationStepInstance", "Id", ("InProgressStepOutputs",), batch=200)  # 100,000 characters each
APPROVALS = Topic("ApprovalSubmission", "FlowOrchestrationInstanceId", ("Id", "Status"))
USERS = Topic("User", "Id", ("Name", "Username", "IsActive"))
USERS_BY_NAME = Topic("User", "Username", ("Id", "Name", "IsActive"))
LOGINS = Topic("UserLogin", "UserId", ("IsFrozen",))
TEAMS = Topic("Group", "Id", ("Name", "DeveloperName", "Type"))
FLOWS = Topic(
    "FlowDefinitionView", "ApiName", ("ActiveVersionId", "LastModifiedDate"), newer="VersionNumber", batch=500
)


@dataclass
class Answer:
    """What the org answered of one topic: the keys that it answered for, and the records that it found by them."""

    keys: set[str] = field(default_factory=set)
    records: list[Record] = field(default_factory=list)


def ask(
    client: OrgClient, asked: Sequence[tuple[Topic, Collection[str]]], hidden: Collection[str] = ()
) -> tuple[dict[Topic, Answer], list[Gap]]:
    """The answer to each topic, and what the org refused of it. Five queries a call.

    Where a topic's newer field is refused, the rest of it is asked for without; in the same call where the field is one
    of the `hidden` ("Object.Field"), which were missing before.
    """
    keys_of = dict(asked)
    answers = {topic: Answer() for topic in keys_of}
    whole = {topic.plain: topic for topic in keys_of}
    gaps: dict[Topic, Gap] = {}
    waiting = _questions([*((topic.plain, keys) for topic, keys in asked if topic.newer_name in hidden), *asked])
    while waiting:
        call, waiting = waiting[: composite.MAX_QUERIES], waiting[composite.MAX_QUERIES :]
        replies = client.composite([composite.query(f"q{n}", topic.soql(keys)) for n, (topic, keys) in enumerate(call)])
        for (topic, keys), reply in zip(call, replies, strict=True):
            refused = _take(client, topic, keys, reply, answers[whole.get(topic, topic)])
            if refused is None or topic in gaps:
                continue
            gaps[topic] = refused
            if refused.what == topic.newer_name and refused.what not in hidden:
                waiting += _questions([(topic.plain, keys_of[topic])])
        waiting = [(topic, keys) for topic, keys in waiting if topic not in gaps]  # one refusal a topic is enough
    return answers, list(gaps.values())


def _questions(asked: Iterable[tuple[Topic, Collection[str]]]) -> list[tuple[Topic, list[str]]]:
    """Batches of keys, the first one of every topic before the second one of any."""
    batches = [
        (place, topic, keys)
        for topic, all_keys in asked
        for place, keys in enumerate(chunks(sorted(all_keys), topic.batch))
    ]
    return [(topic, keys) for _, topic, keys in sorted(batches, key=itemgetter(0))]


def _take(client: OrgClient, topic: Topic, keys: Iterable[str], reply: Subreply, answer: Answer) -> Gap | None:
    """Add a reply, with the pages behind it, to the answer; the gap that it leaves if the org refused."""
    if not reply.ok:
        return gap(topic.object_name, reply)
    try:
        records = list(client.rest_of(reply.body))
    except OrgRefused as lost:  # the locator of a further page
        return Gap(topic.object_name, lost.code, passing=True)
    if not all(record.keys() >= {*topic.columns} for record in records):
        return Gap(topic.object_name, composite.UNREADABLE, passing=True)
    answer.records += records
    answer.keys.update(keys)
    return None
