"""Finished runs of flows, and the full flow in the synthetic world."""

import hashlib
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import latentflix.data.datasets
import latentflix.reviews.join
from flows.command_line import FlowResult
from flows.full import full
from latentflix.artifacts import Handle, Store, file_sha256
from latentflix.data.download import DataSet, SourceFile
from latentflix.data.tags import count_taggers
from latentflix.settings import FullSettings
from tests.support.synthetic_world import World, describe_users, tag_world

SYNTHETIC: dict[str, Any] = {
    "collab": {"n_factors": 8, "epochs": 25, "n_seeds": 4, "weight_decay": 0.3},
    "halves": {"n_pairs": 1, "n_seeds": 2},
    "trials": {"models": ["bias"], "weight_decays": [0.3], "n_seeds": 2},
    "factors": {"rotation": "pca", "n_axes": 3, "min_ratings": 20},
    "readers": {"n_repeats": 2, "permutations": 20},
    "language_model": {
        "embedding_size": 64,
        "vocabulary_size": 1000,
        "epochs": 4,
        "batch_size": 16,
        "sequence_length": 32,
    },
    "classifier": {
        "n_folds": 4,
        "random_split": False,
        "batch_size": 8,
        "dropout": 0.1,
        "all_epochs": 8,
        "all_learning_rate": 1e-2,
    },
    "evaluation": {"permutations": 200, "bootstraps": 200},
    "names": {"min_ratings": 20, "min_items": 3},
    "axis_comparison": {"kinds": ["pca", "none"], "n_repeats": 1, "permutations": 19},
    "tags": {"permutations": 39, "bootstraps": 40},
    "user_groups": {"permutations": 99, "bootstraps": 40},
}
# The same in a few seconds, for runs whose scores do not matter.
HASTY: dict[str, Any] = {
    **SYNTHETIC,
    "factors": {**SYNTHETIC["factors"], "stable_from": 0.0},
    "collab": {**SYNTHETIC["collab"], "epochs": 2, "n_seeds": 2},
    "classifier": {**SYNTHETIC["classifier"], "n_folds": 2, "all_epochs": 1},
    "language_model": {**SYNTHETIC["language_model"], "epochs": 1, "rate_steps": 0, "sentences": 0},
    "readers": {"n_repeats": 1, "permutations": 1},
    "evaluation": {"permutations": 20, "bootstraps": 20},
    "axis_comparison": {},
}
# The stages that read no review.
RATING_STAGES = ("collab", "trials", "analysis", "halves", "factors", "labels")


@dataclass(frozen=True)
class Run:
    """A finished run: the result of its flow, and the store that it wrote to."""

    result: FlowResult
    store: Store

    @property
    def made(self) -> set[str]:
        """The stages that this run did not take from the cache."""
        return {stage for stage, cached in self.result.cached.items() if not cached}

    def handle(self, stage: str) -> Handle:
        """The handle of the only artifact of a stage."""
        (folder,) = (self.store.root / stage).glob("[!.]*")
        return Handle(stage=stage, key=folder.name)

    def table(self, stage: str, name: str) -> pd.DataFrame:
        return self.store.read_table(self.handle(stage), name)


def linked_items(world: World) -> pd.DataFrame:
    return world.items.merge(world.item_titles[["item_id", "tconst"]], on="item_id")


def write_ratings(world: World, folder: Path) -> dict[str, str]:
    """Write ratings, items, tags and users as files of one's own; return the settings of `ratings_source` for them."""
    world.ratings.to_csv(folder / "stars.csv.gz", index=False)
    linked_items(world).to_parquet(folder / "items.parquet")
    tag_world(world).to_csv(folder / "tags.csv", sep=";", index=False)
    describe_users(world).rename(columns={"user_id": "who"}).to_csv(folder / "users.csv", index=False)
    return {
        "path": str(folder / "stars.csv.gz"),
        "timestamp_column": "timestamp",
        "items_path": str(folder / "items.parquet"),
        "title_column": "title",
        "genres_column": "genres",
        "imdb_column": "tconst",
        "tags_path": str(folder / "tags.csv"),
        "users_path": str(folder / "users.csv"),
        "user_id_column": "who",
    }


def reviews_with_films(world: World) -> pd.DataFrame:
    """All reviews as `read_large_movie` returns them."""
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in world.reviews["text"]]
    films = world.review_films.set_index("review_sha256").reindex(hashes)
    names = [f"train/pos/{number}_9" for number in range(len(hashes))]
    tconst, stars = films["tconst"].astype("str").array, films["rating"].astype("Int8").array
    return pd.DataFrame({"name": names, "tconst": tconst, "stars": stars, "text": world.reviews["text"]})


def make_plots(world: World) -> pd.DataFrame:
    """A plot of every second film, as the data set of plots has them."""
    titles = world.items["title"].iloc[::2].str.replace(r" \(\d+\)", "", regex=True)
    plots = {"plot_id": range(len(titles)), "title": titles.array, "plot": [f"Plot of {title}." for title in titles]}
    return pd.DataFrame(plots).assign(genres="Drama")


def replace_data_sets(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have stages find a synthetic world where they look for data sets in `folder`."""
    tables = {
        "movielens_100k": {
            "ratings": world.ratings,
            "items": linked_items(world),
            "scale": world.scale,
            "tags": count_taggers(tag_world(world), Counter()),
            "users": describe_users(world),
        },
        "imdb_reviews": {"reviews": world.reviews},
        # A set without links, one whose links fit it, all reviews with their films, and a plot of every second film.
        "movielens_1m": {"ratings": world.ratings, "items": world.items, "scale": world.scale},
        "movielens_latest_small": {"items": linked_items(world).iloc[1:]},
        "large_movie_reviews": {"reviews": reviews_with_films(world)},
        "film_plots": {"plots": make_plots(world)},
    }
    for name, content in tables.items():
        path = folder / name
        path.write_text("".join(table.to_json() for table in content.values()))
        source = SourceFile(name, "", f"sha256:{file_sha256(path)}", lambda _, content=content: content)
        monkeypatch.setitem(latentflix.data.datasets.DATA_SETS, name, DataSet(name, "", "", (source,)))
    monkeypatch.setattr(latentflix.reviews.join, "review_links", lambda: world.review_films)


def run_synthetic(world: World, folder: Path, **changed: object) -> Run:
    """Run the full flow in a synthetic world, its artifacts in `folder`. changed: settings other than SYNTHETIC."""
    settings = FullSettings.model_validate(
        {**SYNTHETIC, **changed, "artifacts_dir": folder / "artifacts", "data_dir": folder}
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        replace_data_sets(world, folder, monkeypatch)
        return Run(full(settings), Store(settings.artifacts_dir))


def copy_stages(run: Run, folder: Path, *stages: str) -> None:
    """Give a run in `folder` the artifacts that another has made in these stages; in all, if none is named."""
    for stage in stages or run.result.seconds:
        shutil.copytree(run.store.root / stage, folder / "artifacts" / stage)
