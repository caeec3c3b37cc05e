"""The commands `latentflix explain` and `latentflix similar`, which are about one item."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, RunKey, bar, open_run, print_json, print_table
from latentflix.report.formatting import Nouns, decimals, read_nouns

if TYPE_CHECKING:
    from latentflix.report.summaries import ItemSummary

ItemName = Annotated[str, typer.Argument(help='the title, as "The Matrix" or "Matrix, The (1999)"')]


def explain(
    item: ItemName,
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    top: Annotated[int, typer.Option(min=1, help="factors shown, those with the strongest scores")] = 10,
    as_json: AsJson = False,
) -> None:
    """Explain an item: where it stands on the factors, its labels, and what is predicted from its reviews."""
    from latentflix.data.item_search import find_item
    from latentflix.report.summaries import summarise_item

    store, chosen = open_run(artifacts_dir, run)
    items = store.read_table(chosen.handle("ratings"), "items")
    summary = summarise_item(store, chosen, items, find_item(items, item))
    print_json(summary) if as_json else _print_item(summary, top, read_nouns(chosen.config))


def similar(
    item: ItemName,
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    top: Annotated[int, typer.Option(min=1, help="items listed")] = 10,
    min_ratings: Annotated[int, typer.Option(min=1, help="ratings an item needs to be listed")] = 30,
    as_json: AsJson = False,
) -> None:
    """List the items that the recommender considers most similar to an item."""
    from latentflix.data.item_search import find_item
    from latentflix.data.items import are_counted
    from latentflix.recommender.saved_fits import read_fits_of
    from latentflix.recommender.similarity import find_similar

    store, chosen = open_run(artifacts_dir, run)
    items = store.read_table(chosen.handle("ratings"), "items")
    item_id = find_item(items, item)
    frequently_rated = items.index[items["ratings"] >= min_ratings]
    similar = find_similar(read_fits_of(store, chosen.handle("factors")), [item_id], frequently_rated, top)
    cosines = similar.set_index("similar_id")["cosine"]
    near = items.loc[cosines.index, ["title", "ratings"]].assign(cosine=cosines).rename_axis("item_id").reset_index()
    title = items.loc[item_id, "title"]
    if as_json:
        print_json({"item_id": item_id, "title": title, "similar": near.to_dict("records")})
        return
    nouns, counted = read_nouns(chosen.config), are_counted(items)
    rows = [
        (decimals(each.cosine), each.title, *([f"{each.ratings:,}"] if counted else [])) for each in near.itertuples()
    ]
    columns = ("cosine", nouns.item, *([nouns.origin or "users"] if counted else []))
    print_table(columns, rows, title=title, right=range(0, len(columns), 2))


def _print_item(item: "ItemSummary", top: int, nouns: Nouns) -> None:
    ratings = "" if item.ratings is None else f"{item.ratings:,} {nouns.origin or 'users'}"
    facts = (", ".join(item.genres), ratings, f"{item.reviews:,} {nouns.texts}", item.tconst)
    typer.echo(f"{item.title}: {'; '.join(fact for fact in facts if fact)}")
    scores = [(each.label, decimals(each.score), each.name if each.stable else "unstable") for each in item.scores]
    print_table(("pole", "score", "name"), scores[:top], title="Position on the factors", right=(1,))
    labels = [(each.label, each.name, decimals(each.strength), ", ".join(each.words)) for each in item.labels]
    if labels:
        print_table(("label", "name", "strength", f"used in its {nouns.texts}"), labels, title="Its labels", right=(2,))
    if not item.predicted:
        typer.echo(f"It has no {nouns.texts}, so nothing is predicted.")
        return
    rows = [
        (
            f"{each.label}{'*' if each.own else ''}",
            each.name,
            f"{each.share:.0%}",
            bar(each.share),
            decimals(each.lift, 1),
            "" if each.share_without is None else f"{each.share_without:.0%}",
            bar(each.share_without or 0),
        )
        for each in item.predicted
        if each.share or each.share_without
    ]
    columns = ("label", "name", "votes", "", "times the usual", f"without {item.most_frequent}", "")
    print_table(columns, rows, title=f"Predicted from its {nouns.texts} (* its own labels)", right=(2, 4, 5))
