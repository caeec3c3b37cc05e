"""The command `latentflix`, run in the process of the test."""

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest import mock

from latentflix.cli.main import main


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit code."""

    code: int
    output: str
    error: str


def run_command(*arguments, text=b""):
    """Run the command. text: its standard input."""
    output, error = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["latentflix", *map(str, arguments)]),
        mock.patch.object(sys, "stdin", mock.Mock(buffer=io.BytesIO(text))),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(error),
    ):
        try:
            main()
        except SystemExit as ended:
            return Result(int(ended.code or 0), output.getvalue(), error.getvalue())
    raise AssertionError("a command ends with an exit code")


def run_ok(*arguments, text=b""):
    """The output of a command that must succeed."""
    result = run_command(*arguments, text=text)
    assert result.code == 0, result.error
    return result.output


def run_error(*arguments, code=1):
    """The one line of a command that must fail."""
    result = run_command(*arguments)
    assert (result.code, result.output) == (code, "")
    assert result.error.count("\n") == 1
    return result.error
