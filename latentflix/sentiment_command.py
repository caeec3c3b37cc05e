"""The command `latentflix sentiment`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from latentflix.console import AsJson, print_json, print_json_list
from latentflix.text_input import Source, Target, Text, TextColumn, check_input, read_texts


def tell_sentiment(
    text: Text = None,
    source: Source = None,
    target: Target = None,
    text_column: TextColumn = "text",
    artifacts_dir: Annotated[Path, typer.Option(help="where python -m flows.sentiment keeps what it made")] = Path(
        "artifacts"
    ),
    as_json: AsJson = False,
) -> None:
    """Say whether reviews are positive or negative, and how probable it is that they are positive.

    One line a review, in the order given; a review that cannot be read gets a line that says why.
    """
    check_input(text, source, target)

    from latentflix.sentiment_teller import SentimentTeller

    teller = SentimentTeller.open(artifacts_dir)
    if source is not None and target is not None:
        rows = teller.tell_file(source, target, text_column)
        print_json({"reviews": rows, "file": str(target)}) if as_json else typer.echo(f"{rows:,} reviews: {target}")
        return
    told = (row for texts in read_texts(text, source) for row in teller.tell(texts).to_dict("records"))
    if as_json:
        print_json_list(_value(row) for row in told)
        return
    for row in told:
        typer.echo(_line(**_value(row)))


def _value(row: dict[str, Any]) -> dict[str, Any]:
    told = isinstance(row["label"], str)
    return {
        "label": row["label"] if told else None,
        "probability": round(float(row["probability"]), 6) if told else None,
        "note": row["note"],
    }


def _line(label: str | None, probability: float | None, note: str) -> str:
    because = f"  ({note})" if note else ""
    return f"-{because}" if probability is None else f"{probability:.3f} {label}{because}"
