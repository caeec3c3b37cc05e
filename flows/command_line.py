"""What every flow does when it is started from a command line."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from latentflix.errors import LatentflixError
from latentflix.settings import parse_command_line


class FlowResult(BaseModel):
    """What a flow ends with: where its report is, its headline, and how long each stage took.

    seconds, cached: by stage; cached says whether the stage's result was there already.
    """

    report: str
    headline: dict[str, Any]
    sentence: str
    seconds: dict[str, float]
    cached: dict[str, bool]


def main(
    flow: Callable[[Any], FlowResult], settings: type[BaseModel], program: str, arguments: Sequence[str] | None = None
) -> None:
    """Read the settings, run the flow, and print its report's path and headline; with --json one JSON object instead.

    An error that the user can mend ends in one line on standard error and exit code 1; wrong settings in exit code 2.
    """
    try:
        given = parse_command_line(settings, program, arguments)
    except LatentflixError as error:
        sys.exit(_complain(program, error, 2))
    try:
        outcome = flow(given)
    except LatentflixError as error:
        sys.exit(_complain(program, error, 1))
    as_json = getattr(given, "json_", False)
    told = outcome.model_dump_json() if as_json else f"report: {outcome.report}\n{outcome.sentence}"
    sys.stdout.write(f"{told}\n")


def _complain(program: str, error: LatentflixError, code: int) -> int:
    sys.stderr.write(f"{program}: {error}\n")
    return code
