"""The command `latentflix`: what can be asked of trained models. Whatever is heavy is imported where it is used."""

import sys

import typer

from latentflix import review_commands
from latentflix.errors import LatentflixError
from latentflix.genre_command import tell_genres
from latentflix.sentiment_command import tell_sentiment

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("genres")(tell_genres)
app.command("sentiment")(tell_sentiment)
app.add_typer(review_commands.app, name="reviews")


@app.callback()
def _commands() -> None:
    """Ask trained models."""


def main() -> None:
    """Run the command; an error that the user can mend ends in one line on standard error and exit code 1."""
    try:
        app()
    except LatentflixError as error:
        sys.stderr.write(f"latentflix: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
