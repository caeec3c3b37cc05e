"""The command `latentflix factors`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, RunKey, interval, print_json, print_table

if TYPE_CHECKING:
    from latentflix.report.summaries import FactorSummary, Pole

_ITEMS_SHOWN = 2


def tell_factors(
    factor: Annotated[str | None, typer.Argument(help="the number of one factor, as 3, to be told at length")] = None,
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    as_json: AsJson = False,
) -> None:
    """Say what each factor means: its poles, the films there, how stable it is, and how far it can be told.

    AUC is that of films never read about, 0.5 is chance, and p the share of permuted labels that reach it. An unstable
    factor is another one in every fit, so its poles have no name.
    """
    from latentflix.artifacts import Store
    from latentflix.report.summaries import choose_factor, summarise_factors
    from latentflix.runs import choose_run

    store = Store(artifacts_dir)
    factors = summarise_factors(store, choose_run(store, run))
    if factor is not None:
        chosen = choose_factor(factors, factor)
        print_json(chosen) if as_json else _print_factor(chosen)
    else:
        print_json(factors) if as_json else _print_factors(factors)


def _print_factors(factors: "list[FactorSummary]") -> None:
    from latentflix.report.rendering import decimals

    rows = []
    for each in factors:
        about = (each.axis, f"{each.explained:.1%}", decimals(each.stability))
        if not each.poles:
            rows.append((*about, "", "unstable", "", "", ""))
        for pole in each.poles:
            rows.append((*about, pole.label, pole.name, *_score(pole), _items(pole, _ITEMS_SHOWN)))
            about = ("", "", "")
    columns = ("factor", "explains", "stability", "pole", "name", "AUC", "p", "items")
    print_table(columns, rows, right=(0, 1, 2))


def _print_factor(factor: "FactorSummary") -> None:
    from latentflix.report.rendering import decimals

    state = "stable" if factor.stable else "unstable"
    typer.echo(
        f"factor {factor.axis}: explains {factor.explained:.1%}; {state}, {decimals(factor.stability)} against "
        f"{decimals(factor.stability_null)} by chance (p = {decimals(factor.stability_p, 3)})"
    )
    for pole in factor.poles:
        auc, p = _score(pole)
        words = decimals(pole.score.words) if pole.score else "–"
        rows = [
            ("words", ", ".join(pole.terms)),
            ("items", _items(pole, len(pole.items))),
            ("genres", ", ".join(pole.genres)),
            ("labelled", f"{pole.labelled_items:,} films"),
            ("AUC", f"{auc} (p = {p}); by words alone {words}"),
        ]
        print_table(("", ""), rows, title=f"{pole.label} {pole.name}")


def _score(pole: "Pole") -> tuple[str, str]:
    from latentflix.report.rendering import decimals

    if pole.score is None:
        return "too few films", ""
    return interval(pole.score.auc, pole.score.low, pole.score.high), decimals(pole.score.p, 3)


def _items(pole: "Pole", most: int) -> str:
    return "; ".join(f"{title} {score:.1f}" for title, score in pole.items[:most])
