"""What the org answers, well-formed, odd or broken, and what it is taken for. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connector.errors import ApiLimitReached, OrgRefused, OrgUnreachable, PermissionDenied
from connector.org.composite import Subrequest, answers, body, deleted, describe, pages, query, record, updated
from connector.org.replies import SessionExpired, Transient, header_moment, limit_usage, parsed, refusal

NOW = datetime(2026, 11, 22, 12, 30, 45, tzinfo=UTC)

# Composite


def test_pages_are_chained_by_reference() -> None:
    """Each page takes its address from the one before it, and subrequests stay in order."""
    chain = pages("q", "/services/data/v67.0/query/0r8-2000", 3)
    assert [request.path for request in chain[1:]] == ["@{q0.nextRecordsUrl}", "@{q1.nextRecordsUrl}"]
    document = body([Subrequest("a", "query?q=SELECT"), *chain], "/services/data/v67.0")
    assert [part["url"] for part in document["compositeRequest"]][:2] == [
        "/services/data/v67.0/query?q=SELECT", "/services/data/v67.0/query/0r8-2000",
    ]  # fmt: skip
    assert (document["allOrNone"], document["collateSubrequests"]) == (False, False)


PAGE = {"totalSize": 1, "done": True, "records": [{"Id": "0jE"}]}
ASKED = {
    "query": query("query", "SELECT Id FROM X"),
    "updated": updated("updated", "X", NOW, NOW),
    "deleted": deleted("deleted", "X", NOW, NOW),
    "describe": describe("describe", "X"),
    "record": record("record", "X", "0jE", ["Name"]),
}
COVERED = {"latestDateCovered": "2026-11-22T12:30:00.000+0000"}


def answered(ref: str, body: Any, status: Any = 200) -> dict[str, Any]:
    """One answer as it stands in a composite's reply."""
    return {"referenceId": ref, "httpStatusCode": status, "body": body}


@pytest.mark.parametrize(
    ("ref", "fitting"),
    [
        ("query", PAGE),
        ("query", PAGE | {"done": False, "nextRecordsUrl": "/services/data/v67.0/query/0r8-2000"}),
        ("query", {"totalSize": 7, "done": True, "records": []}),
        ("updated", COVERED | {"ids": []}),
        ("deleted", COVERED | {"deletedRecords": [{"id": "0jE", "deletedDate": "2026-11-22T12:00:00.000+0000"}]}),
        ("describe", {"replicateable": True, "fields": [{"name": "Id"}]}),
        ("record", {"Name": "Acme"}),
    ],
)
def test_answers_of_the_usual_shape_are_taken(ref: str, fitting: Any) -> None:
    """Each kind of subrequest knows what it is answered with."""
    (reply,) = answers([ASKED[ref]], {"compositeResponse": [answered(ref, fitting)]})
    assert (reply.ok, reply.body) == (True, fitting)


@pytest.mark.parametrize(
    ("ref", "odd"),
    [
        ("query", {}),
        ("query", PAGE | {"records": None}),
        ("query", PAGE | {"records": ["0jE"]}),
        ("query", PAGE | {"done": "yes"}),
        ("query", PAGE | {"done": False}),
        ("query", PAGE | {"totalSize": float("nan")}),
        ("updated", {"ids": []}),
        ("updated", {"latestDateCovered": None}),
        ("updated", {"latestDateCovered": "soon"}),
        ("updated", {"latestDateCovered": "2026-11-22T12:30:00"}),
        ("updated", {"latestDateCovered": "9999-12-31T23:59:59-08:00"}),
        ("deleted", COVERED | {"deletedRecords": None}),
        ("deleted", COVERED | {"deletedRecords": [{"deletedDate": "2026-11-22T12:00:00.000+0000"}]}),
        ("deleted", {"deletedRecords": []}),
        ("describe", {"replicateable": True}),
        ("describe", {"fields": [{"label": "Id"}]}),
        ("record", None),
        ("record", ["Acme"]),
    ],
)
def test_a_success_of_another_shape_is_a_hiccup(ref: str, odd: Any) -> None:
    """It says nothing about what the org can do or show, so it is asked again, and said in words."""
    (reply,) = answers([ASKED[ref]], {"compositeResponse": [answered(ref, odd)]})
    assert (reply.ok, reply.is_transient) == (False, True)
    assert f"answer to {ref} has an unknown shape" in reply.problem


@pytest.mark.parametrize("listed", [[], [answered("query", PAGE, "200")], [answered("other", PAGE)]])
def test_a_missing_answer_is_a_hiccup(listed: list[Any]) -> None:
    """The org is asked again for what it left out."""
    (reply,) = answers([ASKED["query"]], {"compositeResponse": listed})
    assert reply.is_transient


@pytest.mark.parametrize("document", [None, [], {}, {"compositeResponse": None}, {"compositeResponse": ["OK"]}])
def test_what_is_no_reply_to_a_composite_is_refused(document: Any) -> None:
    """Nothing of it can be used."""
    with pytest.raises(ValueError, match="no composite reply"):
        answers([ASKED["query"]], document)


def test_no_page_counts_behind_one_that_cannot_be_read() -> None:
    """Its rows would be taken for those of the page before, and the position would move past rows that nobody read."""
    more = PAGE | {"done": False, "nextRecordsUrl": "/services/data/v67.0/query/0r8-4000"}
    chain = pages("q", "/services/data/v67.0/query/0r8-2000", 3)
    given = [answered("q0", more | {"records": None}), answered("q1", more), answered("q2", PAGE)]
    assert [reply.ok for reply in answers(chain, {"compositeResponse": given})] == [False, False, False]
    given[0] = answered("q0", more)
    assert [reply.ok for reply in answers(chain, {"compositeResponse": given})] == [True, True, True]


# Replies


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (rb'"a\u0000b"', "a\ufffdb"),
        (rb'"a\\u0000b"', "a\\u0000b"),
        (rb'"a\\\u0000\n"', "a\\\ufffd\n"),
        (rb'"a\ud83d"', "a\ufffd"),
        (rb'"\ude00\ud83d\u0041"', "\ufffd\ufffdA"),
        (rb'"\ud83d\ude00 \ud83d"', "\U0001f600 \ufffd"),
        (b'"a\xed\xa0\xbdb"', "a\ufffd\ufffd\ufffdb"),
        ('"größer 😀"'.encode(), "größer 😀"),
    ],
)
def test_text_that_no_store_takes_is_made_readable(content: bytes, text: str) -> None:
    """NUL, half a surrogate pair and bytes that are no UTF-8 become U+FFFD; everything beside them stays as it is."""
    assert parsed(content) == text


@pytest.mark.parametrize("content", [b"<html>", b'{"records": [', b"", b'"\\u00"'])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    """A page for people and a body that was cut are no answer."""
    with pytest.raises(ValueError, match="line 1"):
        parsed(content)


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("Sun, 22 Nov 2026 12:30:45 GMT", NOW),
        ("Sun, 22 Nov 2026 12:30:45 -0000", NOW),
        ("Sun, 22 Nov 2026 04:30:45 -0800", NOW),
        ("", None),
        ("yesterday", None),
        ("Fri, 31 Dec 9999 23:59:59 -0800", None),
    ],
)
def test_a_date_header_is_a_moment_or_nothing(header: str, moment: datetime | None) -> None:
    """What cannot be read as a moment is ignored, as if the header were missing."""
    assert header_moment(header) == moment


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "INVALID_SESSION_ID", SessionExpired),
        (403, "REQUEST_LIMIT_EXCEEDED TotalRequests", ApiLimitReached),
        (403, "REQUEST_LIMIT_EXCEEDED ConcurrentPerOrgLongTxn", Transient),
        (403, "API_DISABLED_FOR_ORG", PermissionDenied),
        (400, "QUERY_TIMEOUT", Transient),
        (400, "UNABLE_TO_LOCK_ROW", Transient),
        (420, "", Transient),
        (503, "SERVER_UNAVAILABLE", Transient),
        (302, "", OrgUnreachable),
        (400, "MALFORMED_QUERY", OrgRefused),
    ],
)
def test_replies_are_told_apart(status: int, code: str, kind: type[Exception]) -> None:
    """By status and Salesforce's code, never by English words."""
    name, _, limit = code.partition(" ")
    document = [{"errorCode": name, "message": f"{limit} Limit exceeded."}] if code else None
    assert type(refusal(status, document)) is kind


def test_a_success_is_no_refusal() -> None:
    """200, 204 and 304 are answers."""
    assert [refusal(status, None) for status in (200, 204, 304)] == [None, None, None]


@pytest.mark.parametrize(
    ("header", "usage"),
    [
        ("api-usage=18/5000", (18, 5000)),
        ("api-usage=10018/100000; api-bursts=1/750", (10018, 100000)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample)", (25, 5000)),
        ("per-app-api-usage=17/250", None),
        ("api-usage=²/5", None),
        ("api-usage=999999999999999999999/5", None),
        ("api-usage=5/999999999999999999999", None),
        ("api-usage=18", None),
        ("", None),
    ],
)
def test_the_allowance_is_read_whatever_stands_beside_it(header: str, usage: tuple[int, int] | None) -> None:
    """Only api-usage counts; other keys come and go."""
    assert limit_usage(header) == usage
