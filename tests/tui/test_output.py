"""stdout: what may be sent to it, and what becomes of it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tui import output
from tui.format import FAILED, Span, Tone


class Stream(io.TextIOWrapper):
    """A stdout that may be a terminal and may lack our symbols."""

    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


ALARM = (Span("!!00:48:10", Tone.ALARM), Span(" left"))


def test_colour_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a pipe, NO_COLOR and TERM=dumb get plain text; the words carry the meaning."""
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in output.styled(ALARM, Stream(terminal=True))
    assert output.styled(ALARM, Stream(terminal=False)) == "!!00:48:10 left"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.styled(ALARM, Stream(terminal=True)) == "!!00:48:10 left"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert output.styled(ALARM, Stream(terminal=True)) == "!!00:48:10 left"


def test_a_hostile_name_cannot_send_escape_codes() -> None:
    """Even where a caller forgot to clean a text, nothing but our own codes leaves."""
    assert output.styled((Span("a\x1b[2Jb\rc\nd\u202e"),), Stream(terminal=True)) == "a�[2Jb c d�"


def test_rich_markup_is_only_text() -> None:
    """Square brackets in a name are square brackets."""
    assert output.styled((Span("[bold]x[/bold] [@click=app.quit]y"),), Stream(terminal=False)) == (
        "[bold]x[/bold] [@click=app.quit]y"
    )


def test_a_terminal_without_our_symbols_gets_ascii() -> None:
    """A legacy code page shows stand-ins instead of question marks, which would mean unknown."""
    stream = Stream(terminal=False, encoding="cp437")
    assert output.styled((Span(f"{FAILED.symbol} failed › here…"),), stream) == "x failed > here~"


def test_a_document_is_json_that_a_terminal_can_bear(capsys: pytest.CaptureFixture[str]) -> None:
    """Names come back unharmed when parsed, and send neither control nor direction characters when looked at."""
    name = "Zürich \x1b[31m \u202e \x9b \u2028 \ud800"
    output.document({"name": name})
    text = capsys.readouterr().out
    assert json.loads(text) == {"schema_version": 1, "name": name}
    assert "Zürich" in text
    assert not set(text) & set("\x1b\u202e\x9b\u2028\ud800")


def test_width_follows_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """COLUMNS as everywhere; 80 where nobody knows."""
    monkeypatch.setenv("COLUMNS", "133")
    assert output.width() == 133
    monkeypatch.setenv("COLUMNS", "3")
    assert output.width() == 40


def test_a_reader_that_goes_away_ends_the_output_and_not_the_work() -> None:
    """`reprise … | head -1` must neither print a stack trace nor kill a batch half-way."""
    code = (
        "import sys\n"
        "from tui import output\n"
        "from tui.format import Span\n"
        "for i in range(20_000): output.lines([(Span('line ' * 10),)])\n"
        "sys.stderr.write('work done')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b"work done"
    assert process.wait(30) == 0


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """One sentence and exit code 1, in both forms of the answer."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    for more in ([], ["--json"]):
        with full.open("w") as nowhere:
            ended = subprocess.run(
                [str(Path(sys.executable).with_name("reprise")), "explain", *more],
                stdout=nowhere, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path,
            )  # fmt: skip
        assert ended.returncode == 1
        assert ended.stderr == "The output could not be written: No space left on device.\n"
