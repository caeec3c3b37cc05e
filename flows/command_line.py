"""The command line of a flow: its settings, its result, its exit code."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError, create_model
from pydantic_settings import BaseSettings, CliSettingsSource

from flows.server import end_server_with_run
from latentflix.errors import LatentflixError, SettingsError
from latentflix.system.start import prints_ascii_only, replace_unprintable

Settings = TypeVar("Settings", bound=BaseModel)


class FlowResult(BaseModel):
    """What a flow returns.

    Attributes:
        report: the path of its page.
        headline: its main figures, by name.
        sentence: the same in a sentence.
        seconds: how long each stage took.
        cached: by stage, whether its result was in the cache.
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

    An error that the user can correct ends in one line on standard error and exit code 1, a wrong setting in code 2.
    """
    replace_unprintable()
    try:
        given = parse_command_line(settings, program, arguments)
    except LatentflixError as error:
        sys.exit(_complain(program, error, 2))
    end_server_with_run()
    try:
        result = flow(given)
    except LatentflixError as error:
        sys.exit(_complain(program, error, 1))
    as_json = getattr(given, "json_", False)
    text = f"report: {result.report}\n{result.sentence}"
    if as_json:
        text = result.model_dump_json(ensure_ascii=prints_ascii_only())
    sys.stdout.write(f"{text}\n")


def _complain(program: str, error: LatentflixError, code: int) -> int:
    sys.stderr.write(f"{program}: {error}\n")
    return code


def parse_command_line(settings: type[Settings], program: str, arguments: Sequence[str] | None = None) -> Settings:
    """Parse the settings on a command line; without `arguments`, on that of this process.

    An unknown option ends the process with the usage, --help with all settings.

    Raises:
        SettingsError: a value is of the wrong type or out of bounds; it names the setting.
    """
    source = cli_settings_source(settings, program, arguments)
    try:
        return settings.model_validate(source())
    except ValidationError as error:
        raise invalid_settings(error) from error


def cli_settings_source(
    settings: type[BaseModel], program: str, arguments: Sequence[str] | None
) -> CliSettingsSource[Any]:
    """Have pydantic-settings read a command line: only the values that it gives, no defaults."""
    reader = create_model("CommandLine", __base__=(settings, BaseSettings), __doc__=settings.__doc__)
    return CliSettingsSource(
        cast("type[BaseSettings]", reader),
        cli_prog_name=program,
        cli_parse_args=True if arguments is None else list(arguments),
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
    )


def _hide_secrets(text: str) -> str:
    """Leave out what an address may hold beside the place: a user, a password, a query."""
    return re.sub(r"(://)[^/@]*@|(://[^?#]*)[?#].*", r"\1\2…", text, flags=re.DOTALL)


def invalid_settings(error: ValidationError) -> SettingsError:
    """Turn the first of pydantic's complaints into an error of one line."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    return SettingsError(
        "a setting cannot be used",
        where=f"--{name.replace('_', '-')}" if name else "",
        found=_hide_secrets(repr(first.get("input"))) if name else "",
        expected=first["msg"],
        hint="see --help",
    )
