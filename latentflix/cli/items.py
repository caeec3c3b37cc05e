"""The commands `latentflix explain` and `latentflix similar`, which tell of one film."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, RunKey, bar, print_json, print_table

if TYPE_CHECKING:
    from latentflix.report.summaries import ItemSummary

ItemName = Annotated[str, typer.Argument(help='the film, as "The Matrix" or "Matrix, The (1999)"')]


def explain(
    item: ItemName,
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    top: Annotated[int, typer.Option(min=1, help="factors that are shown, the film's strongest")] = 10,
    as_json: AsJson = False,
) -> None:
    """Say where a film stands on the factors, which labels that gives it, and what its reviews are predicted to say."""
    from latentflix.artifacts import Store
    from latentflix.data.item_search import find_item
    from latentflix.report.summaries import summarise_item
    from latentflix.runs import choose_run

    store = Store(artifacts_dir)
    chosen = choose_run(store, run)
    items = store.read_table(chosen.handle("ratings"), "items")
    summary = summarise_item(store, chosen, items, find_item(items, item))
    print_json(summary) if as_json else _print_item(summary, top)


def similar(
    item: ItemName,
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    top: Annotated[int, typer.Option(min=1, help="films that are named")] = 10,
    min_ratings: Annotated[int, typer.Option(min=1, help="ratings that a film needs to be named")] = 30,
    as_json: AsJson = False,
) -> None:
    """Name the films that the recommender takes for most like a film."""
    from latentflix.artifacts import Store
    from latentflix.data.item_search import find_item
    from latentflix.recommender.similarity import find_similar, read_fits
    from latentflix.report.rendering import decimals
    from latentflix.runs import choose_run

    store = Store(artifacts_dir)
    chosen = choose_run(store, run)
    items = store.read_table(chosen.handle("ratings"), "items")
    item_id = find_item(items, item)
    often = items.index[items["ratings"] >= min_ratings]
    cosines = find_similar(read_fits(store, chosen), [item_id], often, top).set_index("similar_id")["cosine"]
    near = items.loc[cosines.index, ["title", "ratings"]].assign(cosine=cosines).rename_axis("item_id").reset_index()
    if as_json:
        title = items.loc[item_id, "title"]
        print_json({"item_id": item_id, "title": title, "similar": near.to_dict("records")})
        return
    rows = [(decimals(each.cosine), each.title, f"{each.ratings:,}") for each in near.itertuples()]
    print_table(("cosine", "item", "ratings"), rows, title=items.loc[item_id, "title"], right=(0, 2))


def _print_item(item: "ItemSummary", top: int) -> None:
    from latentflix.report.rendering import decimals

    facts = (", ".join(item.genres), f"{item.ratings:,} ratings", f"{item.reviews:,} reviews", item.tconst)
    typer.echo(f"{item.title}: {'; '.join(fact for fact in facts if fact)}")
    scores = [(each.label, decimals(each.score), each.name if each.stable else "unstable") for each in item.scores]
    print_table(("pole", "score", "name"), scores[:top], title="Where it stands", right=(1,))
    labels = [(each.label, each.name, decimals(each.strength), ", ".join(each.words)) for each in item.labels]
    if labels:
        print_table(("label", "name", "strength", "used in its reviews"), labels, title="Its labels", right=(2,))
    if not item.predicted:
        typer.echo("No review of it was read, so nothing is predicted.")
        return
    rows = [
        (
            f"{each.label}{'*' if each.own else ''}",
            each.name,
            f"{each.share:.0%}",
            bar(each.share),
            "" if each.share_without is None else f"{each.share_without:.0%}",
            bar(each.share_without or 0),
        )
        for each in item.predicted
        if each.share or each.share_without
    ]
    columns = ("label", "name", "votes", "", f"without {item.most_frequent}", "")
    print_table(columns, rows, title="What its reviews are predicted to say (* its own labels)", right=(2, 4))
