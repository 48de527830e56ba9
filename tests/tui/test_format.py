"""Values as words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui import format as words
from tui.format import Column, Span, Tone


@pytest.mark.parametrize(
    ("seconds", "text", "tone"),
    [
        (None, "—", Tone.MUTED),
        (-1, "expired", Tone.MUTED),
        (0, "expired", Tone.MUTED),
        (48 * 60 + 10, "!!00:48:10", Tone.ALARM),
        (4 * 3600 - 1, "!!03:59:59", Tone.ALARM),
        (4 * 3600, " !04:00:00", Tone.WARNING),
        (86_399, " !23:59:59", Tone.WARNING),
        (86_400, "1d 00h", Tone.PLAIN),
        (13 * 86_400 + 23 * 3600 + 3599, "13d 23h", Tone.PLAIN),
    ],
)
def test_time_left(seconds: int | None, text: str, tone: Tone) -> None:
    """Alarm marks and tone change at 4 hours and at a day, and no more time is promised than there is."""
    assert (words.time_left(seconds), words.time_left_tone(seconds)) == (text, tone)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1.5h", timedelta(minutes=90)),
        ("3d", timedelta(days=3)),
        (" 2 W ", timedelta(weeks=2)),
        ("1d12h", timedelta(hours=36)),
    ],
)
def test_a_length_of_time_is_read(text: str, length: timedelta) -> None:
    """Units from seconds to weeks, alone or added up."""
    assert words.length_of_time(text) == length


@pytest.mark.parametrize("text", ["", "3", "d", "3 days", "-3d", "1..2h", "999999999999999w", "3d\x1b[31m"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    """A sentence says what would be one, without passing escape codes on."""
    with pytest.raises(ValueError, match=r"length of time|longer than any deadline|could not convert") as refused:
        words.length_of_time(text)
    assert "\x1b" not in str(refused.value)


@given(st.integers(min_value=0, max_value=10**8) | st.sampled_from([0.5, 1.5, 90.25]))
def test_an_exact_length_of_time_can_be_read_back(seconds: float) -> None:
    """What `config show` prints may be copied into the file."""
    length = timedelta(seconds=seconds)
    assert words.length_of_time(words.exactly(length)) == length


@given(st.text())
def test_no_text_of_the_org_breaks_out_of_its_line(text: str) -> None:
    """Whatever a record is called: one printable line without control or direction characters."""
    shown = words.plain(text)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in shown)
    assert not set(shown) & set(
        "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
    )
    assert shown == words.plain(shown)


def test_a_trick_in_a_name_becomes_visible() -> None:
    """Escape codes and direction marks are shown as what they are: something odd."""
    assert words.plain("Loan\x1b[2J\r\nPAID \u202eevil") == "Loan�[2J PAID �evil"


@given(st.text(max_size=60), st.integers(min_value=1, max_value=40))
def test_a_cut_text_fits_and_says_that_it_was_cut(text: str, width: int) -> None:
    """Width counts terminal cells, as for Chinese; an ellipsis shows what was cut."""
    shown = words.plain(text)
    cut = words.fit(shown, width)
    assert cell_len(cut) <= width
    assert cut == shown or cut.endswith("…")


@given(st.text(alphabet="ab漢字 -", max_size=120), st.integers(min_value=2, max_value=30))
def test_wrapping_loses_nothing(text: str, width: int) -> None:
    """Every letter is still there, in order, and every line fits."""
    lines = words.wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= width for line in lines)


def test_an_excerpt_says_that_there_is_more() -> None:
    """Two lines of a long error, the second with an ellipsis; a short one as it is."""
    assert words.excerpt("one two three four five", 9, 2) == ["one two", "three fo…"]
    assert words.excerpt("one two", 9, 2) == ["one two"]


def test_a_table_gives_spare_room_by_share_and_never_cuts_an_id() -> None:
    """Columns without a share stay whole; the others shrink, with an ellipsis, until the line fits."""
    columns = [Column("NAME", share=1, minimum=6), Column("WHY", share=3, minimum=6), Column("ID")]
    row = [
        Span("a long name that goes on"),
        Span("a reason that goes on for longer than that"),
        Span("0jE000000000001AAA"),
    ]
    heading, line = ("".join(span.text for span in each) for each in words.table(columns, [row], 60))
    assert cell_len(line) == 60
    assert line.endswith(" 0jE000000000001AAA")
    assert line.count("…") == 2
    assert heading.index("ID") == line.index("0jE")


def test_an_unknown_status_keeps_its_own_word() -> None:
    """A status that Salesforce adds tomorrow is shown, not guessed."""
    assert words.state("Hibernating") == ("?", "?", "Hibernating", Tone.UNKNOWN)
    assert words.state("In Progress").word == words.state("InProgress").word == "running"


def test_instants_are_shown_in_the_zone_of_the_org() -> None:
    """Daylight saving included, and UTC where the zone is unknown to this machine."""
    summer = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert words.instant(summer, words.zone("Europe/Paris")) == "Thu 2026-07-02 00:30 CEST"
    assert words.instant(summer, words.zone("Mars/Olympus")) == "Wed 2026-07-01 22:30 UTC"
    assert words.iso(summer) == "2026-07-01T22:30:00Z"


def test_lengths_of_time_in_words() -> None:
    """Two units are enough for people."""
    assert words.in_words(timedelta(days=13, hours=20, minutes=5)) == "13d 20h"
    assert words.in_words(timedelta(hours=1, seconds=5)) == "1h"
    assert words.in_words(timedelta(0)) == "0s"
