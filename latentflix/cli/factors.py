"""The command `latentflix factors`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, RunKey, interval, open_run, print_json, print_table
from latentflix.report.formatting import Nouns, decimals, read_nouns

if TYPE_CHECKING:
    from latentflix.report.summaries import FactorSummary, Pole

_ITEMS_SHOWN = 2


def factors(
    factor: Annotated[str | None, typer.Argument(help="the number of one factor, such as 3, for all details")] = None,
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    as_json: AsJson = False,
) -> None:
    """Show what each factor means: its poles, the items there, its stability, and how well reviews predict it.

    The AUC is on unseen items, 0.5 is chance, and p is the share of permuted labels that reach it. An unstable factor
    differs from fit to fit, so its poles have no names.
    """
    from latentflix.report.summaries import choose_factor, summarise_factors

    store, chosen = open_run(artifacts_dir, run)
    nouns = read_nouns(chosen.config)
    summaries = summarise_factors(store, chosen)
    if factor is not None:
        summary = choose_factor(summaries, factor)
        print_json(summary) if as_json else _print_factor(summary, nouns)
    else:
        print_json(summaries) if as_json else _print_factors(summaries, nouns)


def _print_factors(summaries: "list[FactorSummary]", nouns: Nouns) -> None:
    rows = []
    for each in summaries:
        about = (each.axis, f"{each.explained:.1%}", decimals(each.stability))
        if not each.poles:
            rows.append((*about, "", "unstable", "", "", ""))
        for pole in each.poles:
            rows.append((*about, pole.label, pole.name, *_score(pole, nouns), _items(pole, _ITEMS_SHOWN)))
            about = ("", "", "")
    columns = ("factor", "explains", "stability", "pole", "name", "AUC", "p", nouns.items)
    print_table(columns, rows, right=(0, 1, 2))


def _print_factor(factor: "FactorSummary", nouns: Nouns) -> None:
    state = "stable" if factor.stable else "unstable"
    typer.echo(
        f"factor {factor.axis}: explains {factor.explained:.1%}; {state}, {decimals(factor.stability)} against "
        f"{decimals(factor.stability_null)} by chance (p = {decimals(factor.stability_p, 3)})"
    )
    for pole in factor.poles:
        auc, p = _score(pole, nouns)
        rows = [
            ("words", ", ".join(pole.terms)),
            (nouns.items, _items(pole, len(pole.items))),
            ("genres", ", ".join(pole.genres)),
            ("labelled", f"{pole.labelled_items:,} {nouns.items}"),
            ("AUC", f"{auc} (p = {p}); by TF-IDF {decimals(pole.score.words) if pole.score else '–'}"),
        ]
        print_table(("", ""), rows, title=f"{pole.label} {pole.name}")


def _score(pole: "Pole", nouns: Nouns) -> tuple[str, str]:
    if pole.score is None:
        return f"too few {nouns.items}", ""
    return interval(pole.score.auc, pole.score.low, pole.score.high), decimals(pole.score.p, 3)


def _items(pole: "Pole", most: int) -> str:
    return "; ".join(f"{title} {score:.1f}" for title, score in pole.items[:most])
