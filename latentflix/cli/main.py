"""The command `latentflix`. Heavy packages are imported only where they are used."""

import logging
import os
import sys
import warnings
from typing import Annotated

import typer

from latentflix.cli import reviews as review_commands
from latentflix.cli import runs as run_commands
from latentflix.cli.console import set_verbosity
from latentflix.cli.doctor import doctor
from latentflix.cli.factors import factors
from latentflix.cli.items import explain, similar
from latentflix.cli.meanings import test_phrase
from latentflix.cli.predict import genres, predict, sentiment
from latentflix.cli.runs import open_report
from latentflix.errors import LatentflixError
from latentflix.system.start import refuse_windows, replace_unprintable

logger = logging.getLogger("latentflix")

app = typer.Typer(invoke_without_command=True, pretty_exceptions_enable=False)
app.command("run", context_settings=run_commands.PASSTHROUGH)(run_commands.run)
app.command("report")(open_report)
app.command("factors")(factors)
app.command("explain")(explain)
app.command("similar")(similar)
app.command("test")(test_phrase)
app.command("predict")(predict)
app.command("sentiment")(sentiment)
app.command("genres")(genres)
app.add_typer(review_commands.app, name="reviews")
app.add_typer(run_commands.app, name="runs")
app.command("doctor")(doctor)


@app.callback()
def _prepare(
    context: typer.Context,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="log everything, and show where an error comes from")
    ] = False,
) -> None:
    """Explain in words what a recommender's factors mean."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
    set_verbosity(verbose=verbose)
    if not verbose and not sys.warnoptions:
        # Libraries warn those who write code with them.
        warnings.simplefilter("ignore")


def main() -> None:
    """Run the command. An error ends in one line on standard error and exit code 1, or 2 for wrong usage."""
    refuse_windows("latentflix")
    replace_unprintable()
    try:
        code = app(prog_name="latentflix", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        code = 1
        # Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        program = context.command_path if context else "latentflix"
        code = _print_error(error, f"{error.format_message()} See {program} --help", 2)
    except LatentflixError as error:
        code = _print_error(error, str(error), 1)
    except Exception as error:  # noqa: BLE001 - any error ends in one line
        unexpected = f"an unexpected error; found: {type(error).__name__}: {error}"
        code = _print_error(error, f"{unexpected}; what to do: see more with latentflix --verbose …", 1)
    sys.exit(code or 0)


def _print_error(error: Exception, message: str, code: int) -> int:
    logger.debug("where it comes from:", exc_info=error)
    sys.stderr.write(f"latentflix: {' '.join(message.split())}\n")
    return code


if __name__ == "__main__":
    main()
