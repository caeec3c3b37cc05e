"""The command `latentflix predict`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentflix.console import ArtifactsDir, AsJson, RunKey, print_json, print_json_list, print_table
from latentflix.text_input import Source, Target, Text, TextColumn, check_input, read_texts

if TYPE_CHECKING:
    from latentflix.label_teller import LabelTeller

_LABELS_A_LINE = 5


def predict(
    text: Text = None,
    source: Source = None,
    target: Target = None,
    text_column: TextColumn = "text",
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    top: Annotated[int, typer.Option(min=1, help="labels that are shown of one review")] = 10,
    as_json: AsJson = False,
) -> None:
    """Say which factors a review speaks of: the mean of what the classifiers of all folds of films say.

    A label that is given, because its probability reaches its threshold, stands with a star. A review that cannot be
    read gets a line that says why.
    """
    check_input(text, source, target)

    from latentflix.artifacts import Store
    from latentflix.label_teller import LabelTeller
    from latentflix.runs import choose_run

    store = Store(artifacts_dir)
    teller = LabelTeller.read(store, choose_run(store, run))
    if source is not None and target is not None:
        rows = teller.tell_file(source, target, text_column)
        print_json({"reviews": rows, "file": str(target)}) if as_json else typer.echo(f"{rows:,} reviews: {target}")
        return
    told = (
        {"labels": teller.describe(row), "note": row["note"]}
        for texts in read_texts(text, source)
        for _, row in teller.tell(texts).iterrows()
    )
    if as_json:
        print_json_list(told)
    elif text in (None, "-"):
        for each in told:
            typer.echo(_line(**each))
    else:
        _print_labels(teller, top, **next(told))


def _print_labels(teller: "LabelTeller", top: int, labels: list[dict[str, Any]], note: str) -> None:
    from latentflix.pages import decimals

    if labels:
        rows = [
            (
                f"{each['label']}{'*' if each['given'] else ''}",
                str(each["name"]),
                *(decimals(each[column], 3) for column in ("probability", "threshold", "auc", "auc_p")),
            )
            for each in labels[:top]
        ]
        columns = ("label", "name", "probability", "threshold", "held-out AUC", "p")
        print_table(columns, rows, right=range(2, 6))
        typer.echo(f"The mean of {len(teller.networks)} classifiers, each trained without one fold of films.")
    if note:
        typer.echo(note if labels else f"-  ({note})")


def _line(labels: list[dict[str, Any]], note: str) -> str:
    """The most probable labels, with a star on those that are given."""
    because = f"  ({note})" if note else ""
    told = (
        f"{each['label']}{'*' if each['given'] else ''} {each['probability']:.3f}" for each in labels[:_LABELS_A_LINE]
    )
    return f"{' '.join(told) or '-'}{because}"
