"""The command line itself: help, exit codes, options at both places, completion, what is imported."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tui import commands_page
from tests.tui.typed import Type, hears_interrupts, in_a_process, reprise
from tui import output
from tui.diagnostics import ExitCode

__all__ = ["hears_interrupts", "reprise"]

COMMANDS = [
    "dashboard",
    "sync",
    "reconcile",
    "runs",
    "show",
    "groups",
    "explain",
    "resume",
    "watch",
    "demo",
    "config",
    "db",
]


def test_help_names_every_command_and_every_exit_code(reprise: Type) -> None:
    """Whoever knows nothing types --help."""
    ended = reprise("--help")
    assert ended.code == 0
    assert all(f"  {command} " in ended.out for command in COMMANDS)
    assert all(f"{code.value:>5}  {code.sentence}" in ended.out for code in ExitCode)


def test_help_imports_nothing_heavy() -> None:
    """Help, version and completion must not pay for a database, a dashboard or an HTTP client."""
    code = (
        "import sys\n"
        "from tui.cli import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'sqlmodel', 'sqlalchemy', 'pydantic', 'textual', 'requests', 'apscheduler', 'simple_salesforce'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert ended.returncode == 0


def test_without_a_command_and_a_terminal_help_is_talk(reprise: Type) -> None:
    """A script that forgot its command gets nothing on stdout and the exit code of a usage error."""
    ended = reprise()
    assert (ended.code, ended.out) == (2, "")
    assert "Usage: reprise" in ended.err


def test_the_version_is_printed(reprise: Type) -> None:
    """As the wheel says it."""
    ended = reprise("--version")
    assert ended.code == 0
    assert ended.out.startswith("reprise 0.")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("rnus", "Did you mean 'runs'"),
        ("config shw", "Did you mean 'show'"),
        ("runs --at-rsk", "No such option: --at-rsk"),
        ("runs --within soon", "'soon' is not a length of time"),
        ("runs --limit -1", "greater than or equal to 0"),
        ("show", "Missing argument"),
        ("explain STEP_FLOW_EROR", "did you mean 'STEP_FLOW_ERROR'?"),
        ("resume", "Say which runs."),
        ("resume 0jE --execute", "Executing needs a reason"),
        ("resume 0jE --plan p.json", "A plan has its runs already."),
        ("dashboard", "needs a terminal"),
        ("demo --json", "The demo is for people."),
    ],
)
def test_a_slip_of_the_fingers_gets_a_sentence_and_the_way_on(reprise: Type, typed: str, said: str) -> None:
    """Exit code 2, nothing on stdout but what --json promised, no stack trace."""
    ended = reprise(typed)
    assert ended.code == 2
    assert said in ended.err
    assert "--help" in ended.err or "Give" in ended.err or "reprise" in ended.err or "--reason" in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == "" or ended.document["error"]["exit_code"] == 2


def test_global_options_stand_before_or_after_the_command(reprise: Type) -> None:
    """Scripts write `reprise runs --json`, people `reprise --json runs`."""
    before, after = reprise("--json config show"), reprise("config show --json")
    assert before.code == after.code == 0
    assert before.document == after.document
    both = reprise("--config before.toml config show --config after.toml")
    assert "after.toml" in both.err


@pytest.mark.parametrize(
    "twice", ["runs --group a --group b", "resume --within 1d --within 2d", "runs --org a --org b"]
)
def test_an_option_with_one_value_is_given_once(reprise: Type, twice: str) -> None:
    """To take the last and say nothing of the first would answer another question than the one that was typed."""
    ended = reprise(twice)
    assert (ended.code, ended.out) == (2, "")
    assert twice.split()[1] in ended.err
    assert "more than once" in ended.err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("line", ["explain", "explain nothing", ""])
def test_a_closed_stream_is_like_nobody_listening(closed: str, line: str) -> None:
    """A service manager may start us without streams: what is done and its exit code stay as they are."""
    command = f"{Path(sys.executable).with_name('reprise')} {line}"
    ended = subprocess.run(["sh", "-c", f"{command} {closed}"], capture_output=True, text=True, check=False)
    assert ended.returncode == (0 if line == "explain" else 2)
    assert "NoneType" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_error_is_one_document_where_one_was_asked_for(reprise: Type) -> None:
    """A program reads the same JSON stream whatever happened."""
    ended = reprise("sync --json")
    assert ended.code == 2
    assert ended.document["schema_version"] == output.SCHEMA_VERSION
    assert ended.document["error"]["kind"] == "ConfigError"
    assert "REPRISE_INSTANCE_URL" in ended.document["error"]["next_step"]
    assert "No Salesforce org is configured." in ended.err


def test_an_error_of_ours_is_one_sentence_and_a_trace_only_on_request(reprise: Type, tmp_path: Path) -> None:
    """What nobody foresaw, such as a current folder that is gone, must not scare anybody; -v shows where it happened."""
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    quiet, loud = reprise("config show"), reprise("config show -v")
    assert quiet.code == loud.code == 1
    assert "Something unexpected happened inside Reprise: FileNotFoundError" in quiet.err
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err


@pytest.mark.usefixtures("hears_interrupts")
def test_an_interruption_has_its_exit_code() -> None:
    """Ctrl-C while an org does not answer is 130, one word and no stack trace."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            **os.environ,
            "REPRISE_INSTANCE_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "REPRISE_ACCESS_TOKEN": "00D!x",
        }
        command = [str(Path(sys.executable).with_name("reprise")), "sync"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            with silent.accept()[0] as asking:
                asking.recv(1)
                process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
            assert process.stderr is not None
            assert process.stderr.read() == "Interrupted.\n"


def test_completion_knows_the_commands_and_the_statuses() -> None:
    """The shell's Tab key finds commands, options and values."""
    assert "runs" in _completed("reprise ru", 1)
    assert "--at-risk" in _completed("reprise runs --at", 2)
    assert "--json" in _completed("reprise runs --js", 2)
    assert "Suspended" in _completed("reprise runs --status Su", 3)


def _completed(line: str, word: int) -> str:
    ended = in_a_process(_REPRISE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(word))
    return ended.out


def test_the_page_of_commands_is_fresh() -> None:
    """docs/commands.md says what --help says; `python -m tests.tui.commands_page` writes it anew."""
    assert commands_page.PAGE.read_text("utf-8") == commands_page.page()


def test_config_show_prints_values_origins_and_no_secret(reprise: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in force, and who said so."""
    monkeypatch.setenv("REPRISE_INSTANCE_URL", "https://example.my.salesforce.com")
    monkeypatch.setenv("REPRISE_ACCESS_TOKEN", "00D!very-secret")
    monkeypatch.setenv("REPRISE_ACCES_TOKEN", "slip")
    ended = reprise("config show")
    assert ended.code == 0
    assert "very-secret" not in ended.out
    line = next(line for line in ended.out.splitlines() if line.startswith("orgs.default.access_token"))
    assert line.split()[1:] == ["(set,", "not", "shown)", "REPRISE_ACCESS_TOKEN"]
    assert "did you mean REPRISE_ACCESS_TOKEN?" in ended.err


def test_a_config_typo_is_told_with_file_key_and_nearest_key(reprise: Type, tmp_path: Path) -> None:
    """Exit code 2, and every command that needs settings says the same."""
    (tmp_path / "reprise.toml").write_text("[sync]\npol_floor = '1m'\n", "utf-8")
    ended = reprise("runs")
    assert ended.code == 2
    assert "sync.pol_floor" in ended.err
    assert "reprise.toml" in ended.err
    assert "did you mean 'poll_floor'?" in ended.err


def test_explain_lists_or_explains(reprise: Type) -> None:
    """Every code with a sentence, or one with all there is to know; case does not matter."""
    everything, one = reprise("explain"), reprise("explain window_expired")
    assert everything.code == one.code == 0
    assert len(everything.out.splitlines()) == len(reprise("explain --json").document["reasons"])
    assert "What to do" in one.out
    assert "Source" in one.out
    assert max(len(line) for line in one.out.splitlines()) <= 80


def test_the_database_is_upgraded_and_backed_up(reprise: Type) -> None:
    """Care for a mirror that may hold a ledger nobody can fetch again."""
    upgraded = reprise("db upgrade")
    assert upgraded.code == 0
    assert "newest" in upgraded.out
    copy = reprise("db backup --json")
    assert copy.code == 0
    assert Path(copy.document["backup"]).is_file()
