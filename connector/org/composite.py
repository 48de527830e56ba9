"""The subrequests of a composite call and what comes back. Pure.

A composite counts as one API call, takes 25 subrequests and among them 5 queries, and runs them in order (REST API guide:
Composite). A page can name the next one by reference, so that one call reads up to five pages of one object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, quote_plus

from connector.org.replies import LIMIT_CODE, TRANSIENT_CODES, TRANSIENT_STATUSES, code_and_message, moment

MAX_SUBREQUESTS = 25
MAX_QUERIES = 5
UNREADABLE = "UNREADABLE_ANSWER"  # stands where Salesforce's errorCode would


def is_page(body: Mapping[str, Any]) -> bool:
    """Whether this is one page of a query's records."""
    total, done, records = body.get("totalSize"), body.get("done"), body.get("records")
    return (
        type(total) is int
        and (done is True or (done is False and isinstance(body.get("nextRecordsUrl"), str)))
        and _are_objects(records)
    )


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is dict for each in value)


def _tells_updates(body: Mapping[str, Any]) -> bool:
    return moment(body.get("latestDateCovered")) is not None


def _tells_deletes(body: Mapping[str, Any]) -> bool:
    gone = body.get("deletedRecords")
    return _tells_updates(body) and _are_objects(gone) and all(_is_deletion(each) for each in gone or ())


def _is_deletion(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("id"), str) and moment(entry.get("deletedDate")) is not None


def _describes(body: Mapping[str, Any]) -> bool:
    fields = body.get("fields")
    return _are_objects(fields) and all(isinstance(each.get("name"), str) for each in fields or ())


@dataclass(frozen=True, slots=True)
class Subrequest:
    """One GET inside a composite. `path` is relative to /services/data/vNN.N/ unless it starts with / or @.

    `fits` says whether an object is what such a request is answered with.
    """

    ref: str
    path: str
    fits: Callable[[Mapping[str, Any]], bool] = is_page

    @property
    def leans_on(self) -> str:
        """The subrequest whose answer names the address of this one; empty where it has its own."""
        return self.path[2:].partition(".")[0] if self.path.startswith("@") else ""


@dataclass(frozen=True, slots=True)
class Subreply:
    """The answer to one subrequest: an object when it succeeded, Salesforce's error list when not."""

    ref: str
    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether it succeeded and has the shape that every success has."""
        return 200 <= self.status < 300 and isinstance(self.body, Mapping)

    @property
    def code(self) -> str:
        """Salesforce's errorCode; empty for a success."""
        return "" if self.ok else code_and_message(self.body)[0] or f"HTTP {self.status}"

    @property
    def is_transient(self) -> bool:
        """Whether it failed for a reason that passes, and so says nothing about what the org can do or show."""
        return self.status in TRANSIENT_STATUSES or self.code in TRANSIENT_CODES or self.code == LIMIT_CODE

    @property
    def problem(self) -> str:
        """What went wrong, in Salesforce's words."""
        code, message = code_and_message(self.body)
        return f"{code or f'HTTP {self.status}'}: {message}".rstrip(": ")


def query(ref: str, soql: str, *, deleted_too: bool = False) -> Subrequest:
    """Run a SELECT; with `deleted_too`, soft-deleted records are part of the answer."""
    return Subrequest(ref, f"{'queryAll' if deleted_too else 'query'}?q={quote_plus(soql)}")


def pages(ref: str, next_url: str, count: int) -> list[Subrequest]:
    """Up to `count` pages of one query: each takes the address of the next from the reply before it.

    Behind the last page the reference has no value and the subrequest fails, which costs nothing.
    """
    chain = [Subrequest(f"{ref}0", next_url)]
    chain += [Subrequest(f"{ref}{n}", f"@{{{ref}{n - 1}.nextRecordsUrl}}") for n in range(1, count)]
    return chain


def updated(ref: str, object_name: str, start: datetime, end: datetime) -> Subrequest:
    """Ids changed in a window of whole minutes, and `latestDateCovered` (REST API guide: Get Updated)."""
    return Subrequest(ref, f"sobjects/{object_name}/updated/?start={_text(start)}&end={_text(end)}", _tells_updates)


def deleted(ref: str, object_name: str, start: datetime, end: datetime) -> Subrequest:
    """Ids deleted in a window of whole minutes, at most 15 days back (REST API guide: Get Deleted)."""
    return Subrequest(ref, f"sobjects/{object_name}/deleted/?start={_text(start)}&end={_text(end)}", _tells_deletes)


def describe(ref: str, object_name: str) -> Subrequest:
    """What this user can see of an object and its fields."""
    return Subrequest(ref, f"sobjects/{object_name}/describe", _describes)


def record(ref: str, object_name: str, record_id: str, fields: Iterable[str]) -> Subrequest:
    """Some fields of one record; not a query, so it does not use up one of the five."""
    return Subrequest(ref, f"sobjects/{object_name}/{record_id}?fields={','.join(fields)}", bool)


def body(subrequests: Sequence[Subrequest], version_path: str) -> dict[str, Any]:
    """The document to POST. Subrequests stay in order: what /updated covers must be known before the query runs."""
    return {
        "allOrNone": False,
        "collateSubrequests": False,
        "compositeRequest": [
            {
                "method": "GET",
                "url": request.path if request.path[0] in "/@" else f"{version_path}/{request.path}",
                "referenceId": request.ref,
            }
            for request in subrequests
        ],
    }


def answers(subrequests: Sequence[Subrequest], document: Any) -> list[Subreply]:
    """What a composite's reply says to each subrequest, in the order asked. Raises ValueError where it is no such reply.

    A missing answer, and a success of another shape than such a request is answered with, count as hiccups. So does every
    page behind one in the same chain: its rows must not be taken for those that are next.
    """
    listed = document.get("compositeResponse") if isinstance(document, Mapping) else None
    if not _are_objects(listed):
        raise ValueError("no composite reply")
    given = {str(answer.get("referenceId")): answer for answer in listed or ()}
    found: dict[str, Subreply] = {}
    for request in subrequests:
        before = found.get(request.leans_on)
        reply = _reply(request, given.get(request.ref, {}))
        found[request.ref] = _unreadable(request) if before and not before.ok and reply.ok else reply
    return list(found.values())


def _reply(request: Subrequest, answer: Mapping[str, Any]) -> Subreply:
    status = answer.get("httpStatusCode")
    if type(status) is not int:
        return _unreadable(request)
    reply = Subreply(request.ref, status, answer.get("body"))
    return _unreadable(request) if status < 300 and not (reply.ok and request.fits(reply.body)) else reply


def _unreadable(request: Subrequest) -> Subreply:
    problem = {"errorCode": UNREADABLE, "message": f"the org's answer to {request.ref} has an unknown shape"}
    return Subreply(request.ref, HTTPStatus.BAD_GATEWAY, [problem])


def _text(value: datetime) -> str:
    return quote(value.isoformat(timespec="seconds"), safe="")
