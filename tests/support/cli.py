"""What the command `latentflix` says and ends with."""

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest import mock

from latentflix.cli.main import main


@dataclass(frozen=True)
class Ended:
    code: int
    output: str
    error: str


def call(*arguments, text=b""):
    """Run the command in this process. text: what stands on its standard input."""
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
            return Ended(int(ended.code or 0), output.getvalue(), error.getvalue())
    raise AssertionError("a command ends with an exit code")


def say(*arguments, text=b""):
    """What the command says when all goes well."""
    ended = call(*arguments, text=text)
    assert ended.code == 0, ended.error
    return ended.output


def complain(*arguments, code=1):
    """The one line with which the command refuses."""
    ended = call(*arguments)
    assert (ended.code, ended.output) == (code, "")
    assert ended.error.count("\n") == 1
    return ended.error
