"""The command `latentflix factors`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, RunKey, interval, open_run, print_json, print_table
from latentflix.report.formatting import Nouns, decimals, describe_reader, read_nouns

if TYPE_CHECKING:
    from latentflix.report.summaries import FactorSummary, Pole, Score

_ITEMS_SHOWN = 2


def factors(
    factor: Annotated[str | None, typer.Argument(help="the number of one factor, such as 3, for all details")] = None,
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    as_json: AsJson = False,
) -> None:
    """Show what each factor means: its poles, the items there, how well reviews predict it, and how stable it is.

    rho is the rank correlation between where unseen items stand and where their reviews put them. A star marks a factor
    that holds, and a name that does: its words alone, chosen from other items, put items in the right order. Seeds and
    people: how far the factor is the same for other random seeds, and would be for other users. A factor that differs
    from seed to seed has no names.
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
        about = (
            *(each.axis, f"{each.explained:.1%}", _brief(each.score)),
            *(decimals(each.stability), decimals(each.people_full)),
        )
        if not each.poles:
            rows.append((*about, "", "unstable", "", ""))
        for pole in each.poles:
            rows.append((*about, pole.label, pole.name, _brief(pole.test), _items(pole, _ITEMS_SHOWN)))
            about = ("", "", "", "", "")
    columns = ("factor", "explains", "rho", "seeds", "people", "pole", "name", "its rho", nouns.items)
    print_table(columns, rows, right=(0, 1, 3, 4))


def _print_factor(factor: "FactorSummary", nouns: Nouns) -> None:
    holds = "holds" if factor.score and factor.score.holds else "does not hold"
    typer.echo(f"factor {factor.axis}: {holds}; explains {factor.explained:.1%} of the variance of the predictions")
    seeds = f"{decimals(factor.stability)} against {decimals(factor.stability_null)} by chance"
    users = f"{decimals(factor.people)} between halves, {decimals(factor.people_full)} at full size"
    rows = [
        ("rho", _in_full(factor.score)),
        (f"beyond {nouns.metadata}", interval(*factor.beyond) if factor.beyond else "–"),
        ("seeds", f"{'stable' if factor.stable else 'unstable'}: {seeds} (p = {decimals(factor.stability_p, 3)})"),
        ("people", f"{'shared' if factor.shared else 'not shared'}: {users}"),
    ]
    if factor.tags and factor.agreement:
        rows.append(("tags", f"{interval(*factor.tags)}; agreement with {nouns.texts} {interval(*factor.agreement)}"))
    rows += [
        (
            each.reader,
            f"{decimals(each.rho)}: {describe_reader(each.reader, nouns)}"
            + ("" if each.lead is None else f"; behind by {interval(each.lead, each.lead_low, each.lead_high)}"),
        )
        for each in factor.readers
    ]
    print_table(("", ""), rows)
    for pole in factor.poles:
        rows = [
            ("words", ", ".join(pole.terms)),
            *([("tags", ", ".join(pole.tags)), ("words in tags", ", ".join(pole.confirmed))] if pole.tags else []),
            ("its rho", _in_full(pole.test)),
            (nouns.items, _items(pole, len(pole.items))),
            (nouns.categories, ", ".join(pole.genres)),
            ("labelled", f"{pole.labelled_items:,} {nouns.items}"),
        ]
        print_table(("", ""), rows, title=f"{pole.label} {pole.name}")


def _brief(score: "Score | None") -> str:
    """A score with its interval, and a star if it holds."""
    return f"{interval(score.rho, score.low, score.high)}{'*' if score.holds else ''}" if score else "–"


def _in_full(score: "Score | None") -> str:
    if score is None:
        return "not tested"
    chance = f"chance {decimals(score.null)} ± {decimals(score.null_sd)}"
    return f"{_brief(score)}; {chance}, p = {decimals(score.p, 3)}, q = {decimals(score.q, 3)}"


def _items(pole: "Pole", most: int) -> str:
    return "; ".join(f"{title} {score:.1f}" for title, score in pole.items[:most])
