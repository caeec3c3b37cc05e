"""The full flow on interactions without stars, in a world whose factors are known."""

import re
from pathlib import Path

import numpy as np
import pytest

from latentflix.data.ratings import Ratings
from latentflix.factors.stability import match_axes
from tests.support.html import Page
from tests.support.synthetic_run import HASTY, Run, linked_items, run_synthetic
from tests.support.synthetic_world import World, describe_users, interact

SETTINGS = {
    **HASTY,
    "collab": {"n_factors": 8, "n_seeds": 4, "seeds_per_task": 2},
    "trials": {"regularizations": [1, 10], "n_seeds": 2},
    "report": {"item_noun": "book"},
    "network": False,
}
# What a page of interactions has no use for.
OF_STARS = r"\b(?:stars?|[a-z-]*rated|ratings?|RMSE|sigmoid)\b"


@pytest.fixture(scope="module")
def run(world: World, prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("interactions")
    interact(world).to_csv(folder / "clicks.csv", index=False)
    linked_items(world).to_parquet(folder / "items.parquet")
    describe_users(world).to_csv(folder / "users.csv", index=False)
    source = {
        "path": str(folder / "clicks.csv"),
        "rating_column": "",
        "items_path": str(folder / "items.parquet"),
        "genres_column": "genres",
        "imdb_column": "tconst",
        "users_path": str(folder / "users.csv"),
    }
    return run_synthetic(world, folder, ratings_source=source, **SETTINGS)


def test_planted_factors_are_found_in_interactions_and_predicted_from_reviews(run: Run, world: World) -> None:
    assert run.store.read_field(run.handle("ratings"), Ratings, "interactions")
    scores = run.table("factors", "scores")
    partner, strength = match_axes(world.true_factors.loc[scores.index].to_numpy(), scores.to_numpy())
    assert strength[:2].min() > 0.8
    assert len({*partner[:2]}) == 2
    assert run.table("evaluation", "axes")["rho"].max() > 0.5


def test_the_page_shows_rankings_and_no_word_about_stars(run: Run) -> None:
    # The last section has all settings, those of ratings among them.
    page, _, _ = Path(run.result.report).read_text(encoding="utf-8").partition('<section id="run"')
    text = Page(page).text
    assert re.findall(OF_STARS, text) == []
    assert "clicks" not in text
    assert "interactions of your own" in text
    scores = run.store.manifest(run.handle("analysis")).metrics
    assert f"It finds {scores['recall']:.3f} of the held-out interactions" in text
    assert scores["recall"] > scores["popularity_recall"]


def test_genres_year_and_popularity_are_all_that_is_known_without_reading(run: Run) -> None:
    readers = run.table("evaluation", "readers")
    assert np.isfinite(readers.loc["metadata", "mean_rho"])


def test_rows_that_were_added_up_are_counted(run: Run, world: World) -> None:
    figures = run.store.manifest(run.handle("ratings")).metrics
    rows = interact(world)
    assert figures["added_up"] == len(rows) - len(rows.drop_duplicates())
    assert figures["ratings"] == len(rows.drop_duplicates())
    assert (figures["lowest"], figures["highest"]) == (None, None)


def test_users_are_known_but_no_group_is_said_to_lean_because_that_takes_ratings(run: Run) -> None:
    assert run.store.manifest(run.handle("ratings")).metrics["user_columns"] == ["side", "age", "shelf"]
    assert "user_groups" not in run.result.seconds
