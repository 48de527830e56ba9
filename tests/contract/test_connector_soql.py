"""Any SOQL that the connector's builders put together gives the rows that a naive evaluation in Python gives.

The queries travel as in production: built by `connector.org.soql`, sent by `OrgClient` over HTTP, paged and shaped by the org.
The other side knows no SOQL and no SQL: it filters and sorts the records as the store holds them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from connector import topics
from connector.mapping import fields_of
from connector.mirror.tables import MIRRORED, SyncCursor
from connector.org import composite, soql
from connector.org.client import OrgClient
from connector.settings import AccessTokenLogin, OrgSettings
from connector.sweep import Sweep
from fixtures.org import schema, serve
from fixtures.org.running import RunningOrg
from fixtures.org.store import Store

Row = dict[str, Any]

RUN = "FlowOrchestrationInstance"
STAGE = "FlowOrchestrationStageInstance"
STEP = "FlowOrchestrationStepInstance"
WORK_ITEM = "FlowOrchestrationWorkItem"
LOG = "FlowOrchestrationLog"
TABLES = {table.salesforce_object: table for table in MIRRORED}
TOPICS = [value for value in vars(topics).values() if isinstance(value, topics.Topic)]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = [
    "Loan",
    "LOAN",
    "it's",
    'say "x"',
    "back\\slash",
    "\\'",
    "two\nlines",
    "tab\there",
    "50%",
    "a_b",
    "Élan",
    "長い",
]
ELSEWHERE = ["0jE5i000000abcdEAA", "0jE5i000000abcd"]  # an Id of another instance, with 18 and with 15 characters

moments = st.integers(-2, 9).map(lambda halves: NOON + timedelta(milliseconds=500 * halves))


@dataclass(frozen=True)
class Condition:
    """A condition twice: as the connector writes it, and as a test of a record."""

    text: str
    holds: Callable[[Row], bool]


@dataclass(frozen=True)
class Sides:
    """The connector's client, and the records that it asks about."""

    client: OrgClient
    store: Store

    def answer(self, text: str, *, deleted_too: bool) -> list[Row]:
        """The records of a query, as the connector reads them."""
        (reply,) = self.client.composite([composite.query("q", text, deleted_too=deleted_too)])
        assert reply.ok, reply.problem
        return [_plain(record) for record in self.client.rest_of(reply.body)]

    def count(self, conditions: Sequence[str], name: str) -> int:
        """The total of a COUNT() query."""
        (reply,) = self.client.composite([composite.query("q", soql.select(["COUNT()"], name, conditions))])
        return int(reply.body["totalSize"])

    def expected(self, name: str, conditions: Iterable[Condition], *, deleted_too: bool = False) -> list[Row]:
        """The records that meet all conditions, in the order of (SystemModstamp, Id)."""
        steps = {row["Id"]: row for row in self.store.rows(STEP)}
        rows = [row | {"StepInstance": steps.get(row.get("StepInstanceId"))} for row in self.store.rows(name)]
        seen = [row for row in rows if deleted_too or not row.get("IsDeleted")]
        found = [row for row in seen if all(condition.holds(row) for condition in conditions)]
        return (
            sorted(found, key=lambda row: (row["SystemModstamp"], row["Id"])) if "SystemModstamp" in rows[0] else found
        )


@pytest.fixture(scope="module")
def sides() -> Iterator[Sides]:
    """An org whose records tie in time; some are deleted, some have no parent, and names need escaping."""
    with serve(now=NOON) as org:
        _fill(org)
        login = AccessTokenLogin(access_token=SecretStr(org.access_token))
        client = OrgClient(OrgSettings(instance_url=org.url, login=login))
        yield Sides(client, org.world.store)
        client.close()


def _fill(org: RunningOrg) -> None:
    draw = random.Random(7)
    with org.world.store.transaction() as now:

        def create(name: str, **choices: Sequence[Any]) -> list[str]:
            made = []
            for _ in range(25):
                at = NOON + timedelta(seconds=draw.randrange(4))
                chosen = {field: draw.choice(values) for field, values in choices.items()}
                times = {"CreatedDate": at - timedelta(seconds=draw.randrange(3)), "SystemModstamp": at}
                made.append(now.create(name, **chosen, **times, IsDeleted=draw.random() < 0.2))
            return made

        runs = create(RUN, Status=["Error", "Completed"], OrchestrationName=[*NAMES, None])
        stages = create(STAGE, Status=["Error"], OrchestrationName=NAMES, OrchestrationInstanceId=runs)
        steps = create(STEP, OrchestrationName=NAMES, OrchestrationInstanceId=runs, StageInstanceId=stages)
        create(WORK_ITEM, OrchestrationName=NAMES, StepInstanceId=[*steps, None])
        create(LOG, Kind=["FailStep"], OrchestrationName=NAMES, OrchestrationInstanceId=runs)
        create("ApprovalSubmission", FlowOrchestrationInstanceId=runs, Status=["Approved"])
        create("FlowInterview", InterviewStatus=["Error"], CurrentElement=NAMES)
        for number, name in enumerate(NAMES):
            now.create("User", Username=f"{name}@example.com", LastName=name, Name=name, IsActive=number % 2 == 0)


def _plain(record: Any) -> Row:
    return {name: value for name, value in record.items() if name != "attributes"}


def shown(row: Row, fields: Iterable[str]) -> Row:
    """What REST replies make of these fields of a record (REST API guide: dateTime values)."""
    values = {field: row[field] for field in fields}
    return {
        field: value.strftime("%Y-%m-%dT%H:%M:%S.000+0000") if isinstance(value, datetime) else value
        for field, value in values.items()
    }


def stored_fields(name: str) -> list[str]:
    """The fields that the connector mirrors, without those that the org works out when read."""
    target = schema.named(name)
    return [field for field in fields_of(TABLES[name]) if not target.by_name[field.lower()].computed]


def one_of(field: str, values: list[str]) -> Condition:
    """`soql.one_of` and its meaning: Ids have 15 or 18 characters, text any letter case; a dotted field is the parent's."""
    parent, _, own = field.rpartition(".")
    wanted = {_key(own, value) for value in values}

    def holds(row: Row) -> bool:
        owner = row[parent] if parent else row
        return owner is not None and owner[own] is not None and _key(own, owner[own]) in wanted

    return Condition(soql.one_of(field, values), holds)


def _key(field: str, value: str) -> str:
    return value[:15] if field.endswith("Id") else value.casefold()


@st.composite
def conditions(draw: st.DrawFn, sides: Sides, name: str) -> list[Condition]:
    """What sweeps, audits and spot reads of one object may ask together."""
    ids = sorted(row["Id"] for row in sides.store.rows(name))
    runs = sorted(row["Id"] for row in sides.store.rows(RUN))
    some_runs = st.lists(st.sampled_from([*runs, runs[0][:15], *ELSEWHERE]), min_size=1, max_size=12)
    of_run = {RUN: "Id", WORK_ITEM: "StepInstance.OrchestrationInstanceId"}.get(name, "OrchestrationInstanceId")
    at, since, until, last = draw(moments), draw(moments), draw(moments), draw(st.sampled_from(ids))
    offered = [
        Condition(soql.at_or_after(at), lambda row: row["SystemModstamp"] >= at),
        Condition(soql.beyond(at, last), lambda row: (row["SystemModstamp"], row["Id"]) > (at, last)),
        Condition(f"CreatedDate < {soql.instant(until)}", lambda row: row["CreatedDate"] < until),
        Condition(f"CreatedDate >= {soql.instant(since)}", lambda row: row["CreatedDate"] >= since),
        one_of(of_run, draw(some_runs)),
        one_of("OrchestrationName", draw(st.lists(st.sampled_from([*NAMES, "loan"]), min_size=1, max_size=4))),
        one_of("Id", draw(st.lists(st.sampled_from(ids), min_size=1, max_size=9))),
    ]
    return draw(st.lists(st.sampled_from(offered), max_size=3, unique_by=lambda each: each.text))


@given(st.data(), st.sampled_from(sorted(TABLES)), st.booleans(), st.none() | st.integers(0, 9))
@settings(max_examples=70, deadline=None)
def test_selects_give_what_a_naive_evaluation_gives(
    sides: Sides, data: st.DataObject, name: str, deleted_too: bool, limit: int | None
) -> None:
    """Every field, in order, ties included, with and without deleted records, cut off by LIMIT; and COUNT() agrees."""
    asked = data.draw(conditions(sides, name))
    texts, fields = [condition.text for condition in asked], stored_fields(name)
    text = soql.select(fields, name, texts, order_by=("SystemModstamp", "Id"), limit=limit)
    expected = sides.expected(name, asked, deleted_too=deleted_too)[:limit]
    assert sides.answer(text, deleted_too=deleted_too) == [shown(row, fields) for row in expected]
    assert sides.count(texts, name) == len(sides.expected(name, asked))


@given(st.data(), st.sampled_from(sorted(TABLES)), moments, st.booleans())
@settings(max_examples=50, deadline=None)
def test_a_sweep_reads_on_behind_its_position(
    sides: Sides, data: st.DataObject, name: str, at: datetime, has_position: bool
) -> None:
    """From its watermark inclusively, or behind the last row it has committed; deleted rows too."""
    last = data.draw(st.sampled_from([row["Id"] for row in sides.store.rows(name)]))
    position = {"position_at": at, "last_id": last} if has_position else {"watermark": at}
    cursor = SyncCursor(org_id="00D", object_name=name, updated_at=NOON, **position)
    fields = stored_fields(name)
    read = sides.answer(Sweep(TABLES[name], cursor, fields).soql(), deleted_too=True)
    rows = sides.expected(name, [], deleted_too=True)
    behind = [
        row
        for row in rows
        if ((row["SystemModstamp"], row["Id"]) > (at, last) if has_position else row["SystemModstamp"] >= at)
    ]
    assert read == [shown(row, fields) for row in behind]


@given(st.data(), st.sampled_from(TOPICS))
@settings(max_examples=50, deadline=None)
def test_questions_about_failed_runs_find_their_records(sides: Sides, data: st.DataObject, topic: topics.Topic) -> None:
    """By Id, by lookup, by user name and by API name, in one composite."""
    rows = sides.store.rows(topic.object_name)
    known = sorted({str(row[topic.key]) for row in rows if row[topic.key]})
    keys = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=10, unique=True))
    answers, problems = topics.ask(sides.client, [(topic, keys)])
    fields = [topic.key, *topic.fields]
    found = [{name: record[name] for name in fields} for record in answers[topic].records]
    asked = sides.expected(topic.object_name, [one_of(topic.key, keys)])
    assert problems == []
    assert sorted(map(str, found)) == sorted(str(shown(row, fields)) for row in asked)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_finds_itself_whatever_is_in_it(sides: Sides, name: str) -> None:
    """Quotes, backslashes, line ends, tabs, wildcards and letters beyond ASCII come through every escaping there is."""
    username = f"{name}@example.com"
    answers, _ = topics.ask(sides.client, [(topics.USERS_BY_NAME, [username])])
    expected = sides.expected("User", [one_of("Username", [username])])
    assert (
        [record["Id"] for record in answers[topics.USERS_BY_NAME].records]
        == sorted(row["Id"] for row in expected)
        != []
    )
