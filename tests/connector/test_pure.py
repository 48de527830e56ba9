"""The pure parts: SOQL, mapping, replication windows and pace."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mapping import fields_of, map_records, required_fields
from connector.mirror.tables import MIRRORED, LogEntry, Run, SyncCursor, instant_text
from connector.org import soql
from connector.org.composite import Subreply
from connector.pace import Budget, next_interval, spend, usual_calls
from connector.settings import SyncSettings
from connector.windows import coverage, windows

NOW = datetime(2026, 11, 22, 12, 30, 45, tzinfo=UTC)
LOOKBACK = timedelta(minutes=15)
RECORD = {
    "attributes": {"type": "FlowOrchestrationInstance"},
    "Id": "0jERM0000004CQTYA2",
    "Status": "Error",
    "SystemModstamp": "2026-11-20T09:15:00.000+0000",
    "IsDeleted": False,
}

# SOQL


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "TRUE"),
        (7, "7"),
        ("O'Hara\\ \n", r"'O\'Hara\\ \n'"),
        (datetime(2026, 1, 31, 13, 0, tzinfo=UTC), "2026-01-31T13:00:00Z"),
        (datetime(2026, 1, 31, 13, 0, 0, 5000, tzinfo=UTC), "2026-01-31T13:00:00.005Z"),
    ],
)
def test_literals_are_written_as_soql_wants_them(value: Any, text: str) -> None:
    """Text is quoted and escaped, times are UTC and bare."""
    assert soql.literal(value) == text


def test_a_time_without_zone_is_a_mistake() -> None:
    """Nobody knows what moment that is."""
    with pytest.raises(ValueError, match="no time zone"):
        soql.instant(datetime(2026, 1, 1))  # noqa: DTZ001  # the mistake


def test_statements_are_put_together() -> None:
    """Conditions are joined by AND, the keyset is bracketed, an empty list of values is refused."""
    text = soql.select(["Id", "Name"], "User", [soql.beyond(NOW, "005"), soql.one_of("Id", ["a", "b"])], ["Id"], 5)
    assert text == (
        "SELECT Id, Name FROM User WHERE (SystemModstamp > 2026-11-22T12:30:45Z OR (SystemModstamp = 2026-11-22T12:30:45Z"
        " AND Id > '005')) AND Id IN ('a', 'b') ORDER BY Id LIMIT 5"
    )
    with pytest.raises(ValueError, match="nothing to look for"):
        soql.one_of("Id", [])


@given(st.text())
def test_a_quoted_text_cannot_end_its_quotes(value: str) -> None:
    """Whatever is in a text, every quote and backslash inside is escaped."""
    inner = soql.literal(value)[1:-1]
    assert not inner.replace("\\\\", "").replace("\\'", "").count("'")


# Mapping


def test_a_record_becomes_a_row() -> None:
    """Names become ours, absent fields become None, times become moments."""
    mapped = map_records(Run, [RECORD])
    (row,) = mapped.rows
    assert mapped.bad == []
    assert (row["id"], row["status"], row["name"]) == ("0jERM0000004CQTYA2", "Error", None)
    assert row["system_modstamp"] == datetime(2026, 11, 20, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"Status": None}, "Status"),
        ({"SystemModstamp": "yesterday"}, "SystemModstamp"),
        ({"SystemModstamp": "2026-11-20T09:15:00"}, "SystemModstamp"),
        ({"Id": "0jERM0000004CQTYA2-and-more"}, "Id"),
        ({"IsDebugRun": "perhaps"}, "IsDebugRun"),
        ({"CreatedDate": "9999-12-31T23:59:59.000-0800"}, "CreatedDate"),
        ({"CreatedDate": "0001-01-01T00:00:00.000+0800"}, "CreatedDate"),
        ({"SystemModstamp": "9999-12-31T23:59:59.000-0800"}, "SystemModstamp"),
        ({"OrchestrationDeveloperName": "x" * 256}, "OrchestrationDeveloperName"),
    ],
)
def test_a_record_that_does_not_fit_is_handed_back_whole(change: dict[str, Any], named: str) -> None:
    """The other records of the page are rows; this one comes back as it was, with the field that does not fit."""
    misfit = RECORD | change
    mapped = map_records(Run, [RECORD, misfit, RECORD])
    (bad,) = mapped.bad
    assert len(mapped.rows) == 2
    assert bad.raw == misfit
    assert named in bad.problem


@pytest.mark.parametrize("value", [None, "", {"a": 1}, "0jE\x1b[2J", "0jE' OR Id != '", "0jE" * 13])
def test_a_record_without_a_usable_id_has_a_name_of_its_own(value: Any) -> None:
    """Two of them are two, the same one is the same again, and nothing of a forged Id is repeated."""
    odd = RECORD | {"Id": value, "Status": None}
    names = [bad.record_id for bad in map_records(Run, [odd, odd | {"Name": "another"}, odd]).bad]
    assert names[0] == names[2] != names[1]
    assert all(re.fullmatch("no Id, [0-9a-f]{12}", name) for name in names)


def test_every_number_fits_its_column() -> None:
    """An integer beyond 32 bits is refused by PostgreSQL, so it is kept aside on both stores; the largest is a row."""
    entry = RECORD | {"OrchestrationInstanceId": "0jERM0000004CQTYA2", "Kind": "StartStep"}
    records = [entry | {"OrchestrationVersion": number} for number in (2**31 - 1, -(2**31), 2**31, -(2**31) - 1)]
    mapped = map_records(LogEntry, records)
    assert [row["version"] for row in mapped.rows] == [2**31 - 1, -(2**31)]
    assert len(mapped.bad) == 2


def test_unknown_picklist_values_are_rows() -> None:
    """A status that Salesforce invents tomorrow is stored as it comes."""
    assert map_records(Run, [RECORD | {"Status": "Hibernating"}]).rows[0]["status"] == "Hibernating"


def test_computed_fields_are_never_asked_for() -> None:
    """Duration and the elapsed times change without a new SystemModstamp, so a stored value would lie."""
    for table in MIRRORED:
        assert not [name for name in fields_of(table) if name == "Duration" or name.startswith("Elapsed")]
        assert {"Id", "SystemModstamp"} <= required_fields(table)


moments = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001  # Hypothesis adds the zone
    max_value=datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@given(moments, moments)
def test_stored_moments_sort_as_text(one: datetime, other: datetime) -> None:
    """SQLite's text form has one width, reads back as the same moment, and its order is the order of time."""
    assert len(instant_text(one)) == 27
    assert datetime.fromisoformat(instant_text(one)) == one
    assert (instant_text(one) < instant_text(other)) == (one < other)


# Replication windows


def cursor(watermark: datetime | None, **fields: Any) -> SyncCursor:
    """The cursor of an object that has been read, and whose deletes were told, up to a moment."""
    known = {"watermark": watermark, "deleted_until": watermark} | fields
    return SyncCursor(org_id="00D", object_name="X", updated_at=NOW, **known)


def test_windows_are_whole_minutes_that_have_passed() -> None:
    """Salesforce ignores seconds and wants more than a minute between start and end."""
    updated, deleted = windows([cursor(NOW - timedelta(hours=1))], NOW)
    assert updated.path.endswith("start=2026-11-22T12%3A28%3A00%2B00%3A00&end=2026-11-22T12%3A30%3A00%2B00%3A00")
    assert deleted.path.endswith("start=2026-11-22T11%3A30%3A00%2B00%3A00&end=2026-11-22T12%3A30%3A00%2B00%3A00")


def test_deletes_are_asked_for_no_longer_than_the_org_remembers() -> None:
    """After a month's absence the window is cut to what the org answers for, and the gap is said."""
    behind = cursor(NOW - timedelta(days=30))
    _, deleted = windows([behind], NOW)
    assert "start=2026-11-07T13" in deleted.path
    replies = replies_for("2026-11-22T12:30:00.000+0000")
    assert "reprise reconcile" in coverage(behind, replies, NOW, LOOKBACK).warning


def test_what_is_not_replicateable_is_not_asked() -> None:
    """Neither an object that the org refused nor one that cannot be read."""
    assert windows([cursor(None, replicateable=False), cursor(None, readable=False)], NOW) == []


def replies_for(covered: str, deleted_covered: str | None = None) -> dict[str, Subreply]:
    """What an org answers that covers everything up to a moment and deleted one record."""
    gone = {"deletedRecords": [{"id": "0jE1", "deletedDate": covered}], "latestDateCovered": deleted_covered or covered}
    return {
        "updatedX": Subreply("updatedX", 200, {"ids": [], "latestDateCovered": covered}),
        "deletedX": Subreply("deletedX", 200, gone),
    }


def test_coverage_is_the_most_cautious_of_what_is_said() -> None:
    """Of what a resource says and the time before the queries, the earlier counts; deletes have a time of their own."""
    said = replies_for("2026-11-22T12:30:00.000+0000", "2026-11-22T12:10:00.000+0000")
    found = coverage(cursor(NOW), said, NOW, LOOKBACK)
    assert (found.until, found.deleted) == (NOW.replace(second=0), {"0jE1": NOW.replace(second=0)})
    assert found.deleted_until == datetime(2026, 11, 22, 12, 10, tzinfo=UTC)
    future = coverage(cursor(NOW), replies_for("2027-01-01T00:00:00.000+0000"), NOW, LOOKBACK)
    assert (future.until, future.deleted_until) == (NOW, NOW)


@pytest.mark.parametrize("status", [400, 404])
def test_without_an_answer_the_last_minutes_are_read_again(status: int) -> None:
    """A refusal is remembered, and only what is older than the margin counts as seen."""
    said = replies_for("2026-11-22T12:30:00.000+0000")
    said["updatedX"] = Subreply("updatedX", status, [{"errorCode": "INVALID_TYPE", "message": "no"}])
    found = coverage(cursor(NOW), said, NOW, LOOKBACK)
    assert (found.until, found.refused) == (NOW - LOOKBACK, True)
    assert "15 minutes" in found.warning


def test_a_hiccup_leaves_what_counts_as_seen_where_it_was() -> None:
    """The next poll asks the same again."""
    said = replies_for("2026-11-22T12:30:00.000+0000")
    said["updatedX"] = Subreply("updatedX", 503, None)
    found = coverage(cursor(NOW - timedelta(hours=1)), said, NOW, LOOKBACK)
    assert (found.until, found.refused, found.told) == (NOW - timedelta(hours=1), False, False)


# Pace

SETTINGS = SyncSettings()


def test_polling_is_brisk_while_calls_are_cheap() -> None:
    """At the floor before anything is known, and until half of our share is used."""
    assert next_interval(SETTINGS, None) == SETTINGS.poll_floor
    assert next_interval(SETTINGS, Budget(ours=1000, used=50_000, allowed=100_000)) == SETTINGS.poll_floor


def test_polling_slows_down_as_the_share_is_used_up() -> None:
    """From half of our share the interval grows, to the ceiling when it is used up."""
    waits = [next_interval(SETTINGS, Budget(ours, ours, 100_000)) for ours in (10_000, 15_000, 20_000, 30_000)]
    assert waits == sorted(waits)
    assert (waits[0], waits[2], waits[3]) == (SETTINGS.poll_floor, SETTINGS.poll_ceiling, SETTINGS.poll_ceiling)


def test_a_small_allowance_is_spread_over_the_day() -> None:
    """Where a poll a minute would not fit into the share, the day is divided by what does."""
    wait = next_interval(SETTINGS, Budget(ours=0, used=0, allowed=5000))
    assert wait == timedelta(days=1) / 1000
    assert spend(SETTINGS, Budget(ours=0, used=0, allowed=5000)).to_json()["share_next_24h"] == SETTINGS.api_share


def test_the_forecast_is_that_of_the_pace() -> None:
    """Polls that cost two calls are half as many where the share allows no more, and twice the calls where it does."""
    assert spend(SETTINGS, Budget(0, 0, 5000), 2).interval == timedelta(days=2) / 1000
    assert spend(SETTINGS, Budget(0, 0, 5000), 2).forecast == 1000
    assert spend(SETTINGS, Budget(0, 0, 100_000), 1.2).forecast == 1728


@pytest.mark.parametrize(
    ("recent", "calls"),
    [
        ([114], 1),
        ([1, 2, 114], pytest.approx(4 / 3)),
        ([2, 1, 1, 1, 1], 1.2),
        ([3, 3, 4], pytest.approx(10 / 3)),
        ([0], 1),
    ],
)
def test_what_polls_cost_lately_sets_the_pace(recent: list[int], calls: float) -> None:
    """Not what one load cost, and no less than one call."""
    assert usual_calls(recent) == calls


def test_a_resume_in_flight_is_never_starved() -> None:
    """Verification keeps the floor although our share is used up, unless the org itself is nearly out of calls."""
    used_up = Budget(ours=20_000, used=30_000, allowed=100_000)
    assert next_interval(SETTINGS, used_up, verifying=True) == SETTINGS.poll_floor
    nearly_out = Budget(ours=20_000, used=95_000, allowed=100_000)
    assert next_interval(SETTINGS, nearly_out, verifying=True) == SETTINGS.poll_ceiling


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
def test_the_interval_never_leaves_its_bounds(ours: int, used: int, allowed: int, verifying: bool) -> None:
    """Whatever the numbers, the wait lies between floor and ceiling."""
    wait = next_interval(SETTINGS, Budget(ours, used, allowed), verifying=verifying)
    assert SETTINGS.poll_floor <= wait <= SETTINGS.poll_ceiling
