"""Data sets and ratings: fetched or read, and checked."""

from dataclasses import replace
from typing import Annotated

from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.data.items import are_counted
from latentflix.data.ratings import RatingsConfig, read_ratings, without_ratings
from latentflix.data.ratings_file import RatingsSourceConfig, load_ratings_source
from latentflix.data.title_links import link_items
from latentflix.data.users import USERS, user_columns
from latentflix.recommender.item_vectors import ItemFactorsConfig, ItemVectors, load_item_vectors, load_items
from tasks.stage import Artifact, Handle, Store, stage


@stage("datasets", "datasets-{config.name}", fetches=True)
def fetch_data_set(artifact: Artifact, _: Store, *, config: DataSetConfig) -> None:
    """Fetch a data set and keep its tables as they are."""
    artifact.write_tables(load_data_set(config))


@stage("ratings_source", "ratings_source")
def read_ratings_file(artifact: Artifact, _: Store, *, config: RatingsSourceConfig) -> None:
    """Read the user's own ratings and items, and keep their tables as they are."""
    artifact.write_tables(load_ratings_source(config))


@stage("item_factors", "item_factors")
def read_item_factors(artifact: Artifact, _: Store, *, config: ItemFactorsConfig) -> None:
    """Read the user's own item vectors."""
    vectors = load_item_vectors(config)
    artifact.write(vectors)
    artifact.metrics.update(
        fits=len(vectors.item_factors), items=len(vectors.numbers), dimensions=len(vectors.dimensions)
    )


@stage("ratings", "items")
def read_items(artifact: Artifact, store: Store, *, item_factors: Handle, config: ItemFactorsConfig) -> None:
    """Read what is known of the items of vectors, of which there are no ratings."""
    items = load_items(store.read_field(item_factors, ItemVectors, "numbers"), config)
    artifact.write(without_ratings(items))
    artifact.metrics.update(items=len(items), counted=are_counted(items))


@stage("ratings", "ratings")
def check_ratings(
    artifact: Artifact,
    store: Store,
    *,
    source: Annotated[Handle, "datasets", "ratings_source"],
    links: Annotated[tuple[Handle, ...], "datasets"],
    config: RatingsConfig,
) -> None:
    """Check the ratings, merge the ids that stand for one item, and link items to IMDb."""
    ratings, items, scale = (store.read_table(source, name) for name in ("ratings", "items", "scale"))
    described = store.read_tables(source, [USERS]).get(USERS)
    checked = read_ratings(ratings, items, config, scale, described)
    others = {store.manifest(handle).config["name"]: store.read_table(handle, "items") for handle in links}
    linked = link_items(checked.items, others)
    artifact.write(replace(checked, items=linked.items))
    artifact.metrics.update(
        ratings=len(checked.ratings),
        items=len(checked.items),
        users=len(checked.users),
        merged=checked.merged,
        user_columns=user_columns(checked.users),
        added_up=checked.added_up,
        left_out=checked.left_out,
        lowest=checked.lowest,
        highest=checked.highest,
        links=linked.outcomes,
    )
