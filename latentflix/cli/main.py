"""The command `latentflix`. Whatever is heavy is imported where it is used."""

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
from latentflix.cli.factors import tell_factors
from latentflix.cli.items import explain, similar
from latentflix.cli.predict import predict, tell_genres, tell_sentiment
from latentflix.cli.runs import open_report
from latentflix.errors import LatentflixError

logger = logging.getLogger("latentflix")

app = typer.Typer(invoke_without_command=True, pretty_exceptions_enable=False)
app.command("run", context_settings=run_commands.PASSTHROUGH)(run_commands.run)
app.command("report")(open_report)
app.command("factors")(tell_factors)
app.command("explain")(explain)
app.command("similar")(similar)
app.command("predict")(predict)
app.command("sentiment")(tell_sentiment)
app.command("genres")(tell_genres)
app.add_typer(review_commands.app, name="reviews")
app.add_typer(run_commands.app, name="runs")
app.command("doctor")(doctor)


@app.callback()
def _prepare(
    context: typer.Context,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="log all there is to tell, and show where an error comes from")
    ] = False,
) -> None:
    """Say in words what a recommender's factors mean."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
    set_verbosity(verbose=verbose)
    if not verbose and not sys.warnoptions:
        # Of libraries, to whoever writes code with them.
        warnings.simplefilter("ignore")


def main() -> None:
    """Run the command. An error ends in one line on standard error: exit code 1, or 2 if it was asked wrongly."""
    try:
        code = app(prog_name="latentflix", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        code = 1
        # Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except typer.TyperException as error:
        asked = getattr(error, "ctx", None)
        program = asked.command_path if asked else "latentflix"
        code = _complain(error, f"{error.format_message()} See {program} --help", 2)
    except LatentflixError as error:
        code = _complain(error, str(error), 1)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said in one line
        unforeseen = f"an error that nobody foresaw; found: {type(error).__name__}: {error}"
        code = _complain(error, f"{unforeseen}; what to do: see more with latentflix --verbose …", 1)
    sys.exit(code or 0)


def _complain(error: Exception, message: str, code: int) -> int:
    logger.debug("where it comes from:", exc_info=error)
    sys.stderr.write(f"latentflix: {' '.join(message.split())}\n")
    return code


if __name__ == "__main__":
    main()
