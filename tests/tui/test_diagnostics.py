"""Exit codes, and what is said when something went wrong."""

from __future__ import annotations

import inspect

import pytest

from connector import errors
from tui import diagnostics
from tui.diagnostics import ExitCode

EXIT_CODES = {
    errors.RepriseError: 1,
    errors.UsageError: 2,
    errors.ConfigError: 2,
    errors.NotFound: 4,
    errors.NothingMatched: 4,
    errors.Refused: 5,
    errors.Failure: 1,
    errors.SignInFailed: 6,
    errors.PermissionDenied: 6,
    errors.OrgUnreachable: 1,
    errors.OrgRefused: 1,
    errors.ApiLimitReached: 1,
    errors.MirrorUnusable: 1,
    errors.DataTooOld: 7,
}


def test_every_error_has_an_exit_code() -> None:
    """The whole tree of connector.errors, so that a new error cannot be forgotten here."""
    tree = {each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.RepriseError)}
    assert tree == set(EXIT_CODES)
    for kind, code in EXIT_CODES.items():
        error = kind("no", code="NO") if kind is errors.OrgRefused else kind("no")
        assert diagnostics.exit_code(error) == code
    assert diagnostics.exit_code(KeyboardInterrupt()) == 130
    assert diagnostics.exit_code(ZeroDivisionError()) == 1


def test_every_exit_code_has_its_sentence() -> None:
    """The table in --help names them all."""
    table = diagnostics.exit_code_table().splitlines()
    assert [int(line.split()[0]) for line in table] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]
    assert all(code.sentence for code in ExitCode)


def test_an_error_says_what_it_means_and_what_to_type_next(capsys: pytest.CaptureFixture[str]) -> None:
    """Three sentences, on stderr, without a stack trace and without somebody else's escape codes."""
    error = errors.Refused("No \x1b[31mway.", meaning="Nothing was sent.", next_step="Ask the owner.")
    assert diagnostics.fail(error) == ExitCode.REFUSED
    said = capsys.readouterr()
    assert said.err == "No �[31mway.\nNothing was sent.\nAsk the owner.\n"
    assert said.out == ""


def test_a_stack_trace_is_for_those_who_ask(capsys: pytest.CaptureFixture[str]) -> None:
    """An error of ours is one sentence; with -v it says where it happened."""
    try:
        raise ZeroDivisionError("by us")
    except ZeroDivisionError as error:
        diagnostics.fail(error)
        assert "Traceback" not in capsys.readouterr().err
        diagnostics.fail(error, verbose=True)
        assert "Traceback" in capsys.readouterr().err


def test_no_progress_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A log file does not want the same line a hundred times."""
    diagnostics.progress("12,000 rows")
    assert capsys.readouterr().err == ""
