"""Error texts for people, and what makes two of them the same cause."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.signature import clean, group_id, headline, mask, normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        ("  two\n  lines ", "two lines"),
        ("It broke. Error ID: 904995012-1848 (-1729843112)", "It broke."),
        ("It broke (Salesforce Error ID: 904995012-184812)", "It broke"),
        ("It broke: 904995012-1848", "It broke"),
        ("correlation id 7c1f-904995012-1848 stays", "correlation id 7c1f-904995012-1848 stays"),
        ("Orders 2026-11 stay", "Orders 2026-11 stay"),
        (
            (
                "The flow tried to update these records: 001A. This error occurred: LOCKED: try later. You can look up "
                "ExceptionCode values in the SOAP API Developer Guide. Error ID: 904995012-1848"
            ),
            "LOCKED: try later. (it tried to update 001A)",
        ),
    ],
)
def test_error_texts_are_cleaned_for_people(text: str | None, expected: str | None) -> None:
    """One line, the cause first, without Salesforce's error number and advice, which nobody can use."""
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("An Apex error occurred: System.LimitException: 101", "System.LimitException: 101"),
        ("LOCKED: try later. (it tried to update ‹id›)", "LOCKED: try later."),
        (
            "The flow tried to update these records: 001A. This error occurred: LOCKED. Error ID: 904995012-1848",
            "LOCKED.",
        ),
        (
            "The work item of step Check can't be assigned to ‹e-mail› because the user is frozen.",
            "the user is frozen.",
        ),
        ("An Apex error occurred: ", "An Apex error occurred"),
        ("It broke.", "It broke."),
    ],
)
def test_a_headline_begins_with_what_broke(text: str, expected: str) -> None:
    """One line of a list shows the telling part, from the raw text as from the cleaned one."""
    assert headline(text) == expected
    assert headline(clean(text) or text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("locked by ana.perez@acme.example now", "locked by ‹e-mail› now"),
        ("record a0LRM0000004CAl2AM and 001RM0000004CAl", "record ‹id› and ‹id›"),
        ("REQUIRED_FIELD_MISSING in Account_Owner__c", "REQUIRED_FIELD_MISSING in Account_Owner__c"),
        ("responsibilities of internationalized", "responsibilities of internationalized"),
    ],
)
def test_people_and_records_are_masked(text: str, expected: str) -> None:
    """E-mail addresses and ids go, words and API names of the same length stay."""
    assert mask(text) == expected


SAME = [
    ("Record 001RM0000004CAl is locked", "record a0LRM0000004CAl2AM is locked"),
    ("Failed at 2026-11-02T09:00:00Z after 3 tries", "failed at 2026-11-03 10:00 after 14 tries"),
    ("'Acme Ltd' is not valid", "'Other Inc' is not valid"),
    ("ask ana@acme.example. Error ID: 904995012-1848", "ask bo@acme.example. Error ID: 104995012-77 (5)"),
    ('no value "12" in list', 'no value "blue" in list'),
    ("limit 1,000 exceeded", "limit 2,500.5 exceeded"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_differs_from_run_to_run_is_taken_out(one: str, other: str) -> None:
    """Ids, addresses, numbers, quoted values, times and error numbers do not tell causes apart."""
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Income__c is missing", "Address__c is missing"),
        ("UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT"),
        ("it isn't valid", "it isn't there"),
    ],
)
def test_what_tells_causes_apart_stays(one: str, other: str) -> None:
    """Words, codes and field names are the cause."""
    assert normalise(one) != normalise(other)


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_cleaned_and_masked(text: str) -> None:
    """Whatever a flow's author wrote: the results are settled, so that doing it twice changes nothing."""
    cleaned = clean(text) or ""
    assert "\n" not in cleaned
    assert mask(mask(text)) == mask(text)
    assert isinstance(normalise(text), str)


def test_a_group_s_id_depends_on_every_part_and_on_the_org() -> None:
    """Ten hexadecimal digits, the same in every process; None and a missing part are one."""
    parts = ("Loan", "Credit", "Call_Bureau", "Bureau_Call", "it broke")
    first = group_id("00D1", *parts)
    others = {group_id("00D2", *parts), *(group_id("00D1", *parts[:n], "x", *parts[n + 1 :]) for n in range(5))}
    assert len(first) == 10
    assert len(others | {first}) == 7
    assert group_id("00D1", "a", None) == group_id("00D1", "a", "")
