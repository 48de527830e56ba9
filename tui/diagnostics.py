"""Everything said on stderr, and what each ending means to the shell. No other module writes stderr or knows an exit code."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress
from enum import IntEnum

import typer

from connector import errors
from tui.format import Span, Tone, fit, pad, visible, wrap
from tui.output import styled, width


class ExitCode(IntEnum):
    """How a command ended. Scripts rely on the numbers; `sentence` is what --help says."""

    sentence: str

    def __new__(cls, code: int, sentence: str) -> ExitCode:
        member = int.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    OK = 0, "it worked"
    FAILURE = 1, "it failed: the org, the network, the mirror, or an error of ours"
    USAGE = 2, "what was typed or configured is wrong"
    PARTIAL = 3, "a part of it worked"
    NOTHING_MATCHED = 4, "nothing matched: no such run, or an empty selection"
    REFUSED = 5, "refused: read-only, policy, an expired or changed plan"
    NO_ACCESS = 6, "the org did not accept the sign-in, or the permission is missing"
    DATA_TOO_OLD = 7, "the mirror is too old to trust the answer"
    ALL_FAILED = 8, "all of it failed"
    UNVERIFIED = 9, "sent, but not proven in time"
    INTERRUPTED = 130, "interrupted"


_BY_ERROR: tuple[tuple[type[errors.RepriseError], ExitCode], ...] = (
    (errors.NotFound, ExitCode.NOTHING_MATCHED),
    (errors.NothingMatched, ExitCode.NOTHING_MATCHED),
    (errors.Refused, ExitCode.REFUSED),
    (errors.UsageError, ExitCode.USAGE),
    (errors.SignInFailed, ExitCode.NO_ACCESS),
    (errors.PermissionDenied, ExitCode.NO_ACCESS),
    (errors.DataTooOld, ExitCode.DATA_TOO_OLD),
)


def exit_code(error: BaseException) -> ExitCode:
    """The one place where an exception becomes an exit code."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, typer.TyperException):
        return ExitCode.USAGE
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.FAILURE)


def exit_code_table() -> str:
    """The exit codes as --help shows them."""
    return "\n".join(f"{code.value:>3}  {code.sentence}" for code in ExitCode)


def sentences(error: BaseException) -> tuple[str, str, str]:
    """What happened, what it means, what to type next; for an error of ours too, without its stack trace."""
    if isinstance(error, errors.RepriseError):
        return error.what, error.meaning, error.next_step
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted.", "", ""
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "reprise"
        return error.format_message(), "", f"`{command} --help` shows what it takes."
    reason = next(iter(str(error).splitlines()), "")
    return (
        f"Something unexpected happened inside Reprise: {type(error).__name__}: {reason}",
        "",
        "Repeat the command with -v to see where it happened.",
    )


def fail(error: BaseException, *, verbose: bool = False) -> ExitCode:
    """Tell a person about `error` and return the exit code it stands for; the stack trace only with -v."""
    what, meaning, next_step = sentences(error)
    for i, sentence in enumerate(what.splitlines()):
        say(sentence, Tone.BAD if i == 0 else Tone.PLAIN)
    for sentence in filter(None, (meaning, next_step)):
        say(sentence)
    if verbose:
        talk("".join(traceback.format_exception(error)))
    return exit_code(error)


def error_document(error: BaseException) -> dict[str, object]:
    """`error` for a script that asked for JSON; `code` is Salesforce's errorCode where the org said no."""
    what, meaning, next_step = sentences(error)
    return {
        "kind": _kind(error),
        "exit_code": int(exit_code(error)),
        "what": what,
        "meaning": meaning,
        "next_step": next_step,
        "code": error.code if isinstance(error, errors.OrgRefused) else None,
    }


def _kind(error: BaseException) -> str:
    """The error's name in the tree of connector.errors, the finest that scripts may rely on."""
    if isinstance(error, typer.TyperException):
        return errors.UsageError.__name__
    public = (each.__name__ for each in type(error).__mro__ if each.__module__ == errors.__name__)
    return next(public, type(error).__name__)


def say(sentence: str, tone: Tone = Tone.PLAIN) -> None:
    """One sentence to the person at the keyboard; wrapped on a terminal, on one line in a log."""
    parts = wrap(visible(sentence), width()) if sys.stderr.isatty() else [sentence]
    _write("".join(styled((Span(part, tone),), sys.stderr) + "\n" for part in parts))


def talk(paragraphs: str) -> None:
    """Text of several lines that came from elsewhere, such as an alert."""
    for part in paragraphs.splitlines():
        say(part)


def warn(sentence: str) -> None:
    """Something that did not stop the command and should be known."""
    say(sentence, Tone.WARNING)


def progress(sentence: str) -> None:
    """Replace the progress line; nothing where stderr is no terminal. End it with `progress("")`.

    Blanks, not an escape code, wipe the rest of the line: NO_COLOR terminals show it as well.
    """
    if sys.stderr.isatty():
        room = width() - 1
        _write("\r" + pad(fit(visible(sentence), room), room) + "\r")


def verbatim(block: str) -> None:
    """A block of our own text as it is."""
    _write(block)


def _write(text: str) -> None:
    with suppress(OSError):  # nobody listens any more; what is being done goes on
        sys.stderr.write(text)
        sys.stderr.flush()
