"""The command `latentflix test`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, RunKey, interval, open_run, print_json, print_table
from latentflix.report.formatting import decimals

if TYPE_CHECKING:
    from latentflix.factors.meanings.history import Count
    from latentflix.factors.meanings.tester import BestResult, NameScore, PhraseResult

_PLACES = 4


def test_phrase(
    factor: Annotated[
        str | None, typer.Argument(help="the number of the factor, such as 7; left out with --best")
    ] = None,
    phrase: Annotated[str | None, typer.Argument(help='what the pole means, such as "laugh-out-loud comedy"')] = None,
    pole: Annotated[
        str | None, typer.Option(help="the pole that the phrase describes, + or -; without it, as in 7-, else +")
    ] = None,
    best: Annotated[bool, typer.Option("--best", help="find the factor that the phrase fits best")] = False,
    by: Annotated[
        Literal["words", "sentences"] | None,
        typer.Option(
            help="how phrases are compared; without it by sentence vectors if the run has them, else by words"
        ),
    ] = None,
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    data_dir: Annotated[Path | None, typer.Option(help="a folder with data sets that were fetched by hand")] = None,
    run: RunKey = None,
    as_json: AsJson = False,
) -> None:
    """Test how well a phrase of your own says where items stand on a factor.

    rho is the rank correlation of the item's position, towards the pole, with how like the phrase its reviews are. p is
    the share of permutations that reach it. Each phrase that is tested on a run is counted.
    """
    if best and (phrase is not None or pole is not None):
        raise typer.BadParameter("--best tries all factors and poles, so it takes a phrase only.")
    asked = factor if best else phrase
    if asked is None or (factor is None and not best):
        raise typer.BadParameter("Missing argument: a factor and a phrase, or --best and a phrase.")
    axis, towards = _axis_and_pole(factor or "", pole)

    from latentflix.factors.meanings.tester import MeaningTester

    store, chosen = open_run(artifacts_dir, run)
    tester = MeaningTester.load(store, chosen, by, data_dir=data_dir)
    if best:
        fitting = tester.best(asked)
        print_json(fitting) if as_json else _print_best(fitting)
    else:
        result = tester.test(axis, towards, asked)
        print_json(result) if as_json else _print_result(result)


def _axis_and_pole(factor: str, pole: str | None) -> tuple[str, str]:
    """The axis of a factor such as 7 or 7-, and the pole that is asked for."""
    axis = factor.strip().rstrip("+-")
    written = factor.strip()[len(axis) :]
    if written and pole and written != pole:
        raise typer.BadParameter(f"The factor {factor} and --pole {pole} contradict each other.")
    return axis, pole or written or "+"


def _print_result(result: "PhraseResult") -> None:
    score, name = result.score, result.name
    auc = interval(score.auc, score.auc_low, score.auc_high)
    rows = [
        ("rho", f"{interval(score.rho, score.rho_low, score.rho_high)} (p = {decimals(score.p, _PLACES)})"),
        ("AUC", f"{auc}: {score.items_at_pole:,} at the pole, of {score.items:,}"),
        *([("looked for", ", ".join(score.known))] if score.known else []),
        *([("in no text", ", ".join(score.unknown))] if score.unknown else []),
        ("the run's name", _named(name)),
        ("its words", ", ".join(name.words) or "none"),
    ]
    print_table(("", ""), rows, title=f"{score.label} {score.phrase} (by {score.by})")
    typer.echo(_counted(result.count))


def _print_best(result: "BestResult") -> None:
    rows = [_factor_row(row, name) for row, name in zip(result.factors, result.names, strict=True)]
    print_table(("pole", "rho", "p", "p of all", "the run's name"), rows, title=f"{result.phrase} (by {result.by})")
    typer.echo("p of all takes into account that all factors were tried.")
    typer.echo(_counted(result.count))


def _factor_row(row: dict[str, Any], name: "NameScore") -> tuple[str, ...]:
    rho = interval(row["rho"], row["rho_low"], row["rho_high"])
    return row["label"], rho, decimals(row["p"], _PLACES), decimals(row["p_max"], _PLACES), _named(name)


def _named(name: "NameScore") -> str:
    tested = f", rho {interval(name.rho, name.rho_low, name.rho_high)}" if name.rho is not None else ""
    return f"{name.name or 'none'}{tested}"


def _counted(count: "Count") -> str:
    chance = f"of that many about {count.expected_by_chance:.2g} would have p below 0.05 by chance"
    if count.number < count.tested:
        return f"This was tested before. {count.tested} meanings were tested on this run; {chance}."
    return f"This is the {_ordinal(count.number)} meaning tested on this run; {chance}."


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else endings.get(number % 10, 'th')}"
