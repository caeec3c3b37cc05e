from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.data.splits import split_ratings
from latentflix.errors import ModelError, NotEnoughData
from latentflix.recommender.analysis import AnalysisConfig, analyse_recommender, place_items, rank_biases
from latentflix.recommender.fit import fit_recommender, seed_groups
from latentflix.recommender.latent_factors import LatentFactors
from latentflix.recommender.model import CollabConfig, predict_ratings, seed_fits
from latentflix.recommender.ranking import score_ranking
from tests.support.synthetic_world import interact

COLLAB = CollabConfig(
    n_factors=6, epochs=20, batch_size=256, learning_rate=2e-2, weight_decay=0.05, n_seeds=4, seeds_per_task=2
)
ITEMS = pd.DataFrame(
    {
        "title": ["Low", "Rare", "Middle", "High", "Twin"],
        "year": pd.array([1990, 1991, None, 1993, 1994], "Int16"),
        "ratings": [100, 3, 80, 60, 90],
    },
    index=pd.Index([2, 5, 6, 9, 11], name="item_id"),
)
ANGLES = np.radians([0, 1, 90, 40, 5])


@pytest.fixture(scope="module")
def read(world):
    return read_ratings(world.ratings, world.items, RatingsConfig(), world.scale)


@pytest.fixture(scope="module")
def groups(read):
    return [fit_recommender(read.ratings, group) for group in seed_groups(COLLAB)]


@pytest.fixture(scope="module")
def analysis(groups, read):
    return analyse_recommender(groups, read.ratings, read.items, AnalysisConfig(n_predicted=300, n_mapped=25))


def make_fit(bias=(-1, 7, 0, 1, 0.5), stretch=1.0):
    factors = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1) * np.array([[1], [2], [3], [4], [5]]) * stretch
    users = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) / stretch
    return LatentFactors(
        user_ids=np.arange(4),
        item_ids=ITEMS.index.to_numpy(),
        user_factors=users.astype(np.float32),
        item_factors=factors.astype(np.float32),
        user_bias=np.zeros(4, np.float32),
        item_bias=np.array(bias, np.float32),
    )


def frequent(n=50):
    return ITEMS.index[ITEMS["ratings"] >= n]


def test_items_are_ranked_by_what_all_users_have_in_common_with_its_deviation_over_the_seeds():
    fits = [make_fit(), make_fit(bias=(-2, 7, 0, 4, 0.5))]
    ratings = pd.DataFrame({"user_id": [1, 2, 1], "item_id": [2, 2, 9], "rating": [1.0, 2.0, 4.0]})
    table = rank_biases(fits, ratings, ITEMS, frequent())
    assert table["title"].tolist() == ["High", "Twin", "Middle", "Low"]
    assert table["bias"].tolist() == [2.5, 0.5, 0.0, -1.5]
    assert table["bias_sd"].tolist() == pytest.approx([np.sqrt(4.5), 0, 0, np.sqrt(0.5)])
    assert table.loc[2, "mean_rating"] == 1.5
    assert table["ratings"].tolist() == [60, 90, 80, 100]
    # If users like the first factor on average, it counts for all of them, whatever the biases.
    fit = replace(make_fit(bias=(0,) * 5), user_factors=np.float32([[1, 0], [0, 0]]))
    by_factor = rank_biases([fit], ratings, ITEMS, frequent())["bias"]
    assert by_factor.to_dict() == pytest.approx(
        {item: fit.item_factors[fit.item_ids == item, 0].item() / 2 for item in frequent()}
    )
    assert by_factor.is_monotonic_decreasing


def test_known_biases_are_recovered():
    random = np.random.default_rng(0)
    users, items = random.permutation(900)[:120], random.permutation(900)[:20]
    ratings = pd.DataFrame([(user, item) for user in users for item in items], columns=["user_id", "item_id"])
    known = pd.Series(np.linspace(-1.5, 1.5, len(items)), index=pd.Index(items, name="item_id"))
    ratings["rating"] = 3 + known[ratings["item_id"]].to_numpy() + random.normal(0, 0.05, len(ratings))
    fit = fit_recommender(ratings, COLLAB.model_copy(update={"n_seeds": 2}))
    titles = pd.DataFrame({"title": "", "ratings": 120}, index=known.index)
    table = rank_biases(seed_fits(fit), ratings, titles, known.index.sort_values())
    assert table.index.tolist() == known.index[::-1].tolist()


def test_similar_items_are_listed_for_the_most_rated(analysis, read):
    most_rated = read.items["ratings"].nlargest(20)
    assert analysis.similar["item_id"].unique().tolist() == most_rated.index.tolist()
    assert (analysis.similar.groupby("item_id").size() == 5).all()
    assert (read.items["ratings"][analysis.similar["similar_id"]] >= 30).all()
    for title, item_id in (("title", "item_id"), ("similar_title", "similar_id")):
        assert analysis.similar[title].tolist() == read.items["title"][analysis.similar[item_id]].tolist()


def test_the_most_similar_item_in_a_synthetic_world_is_truly_near(analysis, world):
    near = world.true_factors.to_numpy() * 0.7 ** np.arange(3)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    true_cosine = pd.DataFrame(near @ near.T, world.true_factors.index, world.true_factors.index)
    first = analysis.similar.drop_duplicates("item_id")
    places = [
        (true_cosine.loc[row.item_id].drop(row.item_id) > true_cosine.loc[row.item_id, row.similar_id]).sum()
        for row in first.itertuples()
    ]
    assert len(places) == 20
    assert np.mean(np.array(places) == 0) >= 0.5
    assert max(places) <= 8


def test_held_out_ratings_are_listed_with_their_predictions_and_figures_describe_the_recommender(
    analysis, groups, read
):
    held_out = read.ratings[split_ratings(read.ratings, COLLAB.split).held_out]
    drawn = analysis.predicted.merge(held_out, on=["user_id", "item_id"], suffixes=("", "_given"))
    assert len(drawn) == len(analysis.predicted) == 300
    assert (drawn["rating"] == drawn["rating_given"]).all()
    stars = np.concatenate(
        [predict_ratings(group, drawn["user_id"].to_numpy(), drawn["item_id"].to_numpy()) for group in groups]
    )
    assert len(stars) == COLLAB.n_seeds
    np.testing.assert_allclose(drawn["predicted"], stars.mean(0), rtol=1e-5)
    np.testing.assert_allclose(drawn["predicted_sd"], stars.std(0, ddof=1), rtol=1e-3)
    assert (drawn["title"] == read.items["title"][drawn["item_id"]].to_numpy()).all()
    rmse = np.sqrt(((stars.mean(0) - drawn["rating"]) ** 2).mean())
    assert analysis.figures["rmse"] == pytest.approx(rmse, rel=1e-5)
    assert {"model": "bias", "weight_decay": 0.05, "n_seeds": 4, "min_ratings": 30}.items() <= analysis.figures.items()
    assert rmse < 0.7 * read.ratings["rating"].std()


def test_the_map_shows_the_true_factors_by_explained_variance(analysis, world, read):
    assert analysis.positions.index.tolist() == read.items["ratings"].nlargest(25).index.tolist()
    true_factors = world.true_factors.loc[analysis.positions.index]
    for axis, factor in (("axis_1", "A"), ("axis_2", "B"), ("axis_3", "C")):
        assert abs(np.corrcoef(analysis.positions[axis], true_factors[factor])[0, 1]) > 0.9
    explained = analysis.figures["explained"]
    assert explained == sorted(explained, reverse=True)
    assert 0.85 < sum(explained) <= 1


def test_the_map_depends_neither_on_the_stretch_of_a_fit_nor_on_the_number_of_seeds_and_a_missing_axis_is_zero():
    stretched = make_fit(stretch=4.0)
    cases = ([make_fit()], [stretched], [make_fit(), stretched])
    placed = [place_items(fits, ITEMS, frequent(), AnalysisConfig()) for fits in cases]
    one, other, both = (positions[["axis_1", "axis_2", "axis_3"]] for positions, _ in placed)
    assert one["axis_1"].abs().max() > 0.5
    np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(one, both, atol=1e-4)
    assert len(placed[0][1]) == 2
    assert (one["axis_3"] == 0).all()


def test_too_few_items_with_enough_ratings_and_a_model_without_factors_are_refused(groups, read):
    with pytest.raises(NotEnoughData, match="found: 0 items with 10000 ratings.*lower --analysis.min-ratings"):
        analyse_recommender(groups, read.ratings, read.items, AnalysisConfig(min_ratings=10_000))
    neural = fit_recommender(read.ratings, COLLAB.model_copy(update={"model": "neural", "epochs": 1}))
    with pytest.raises(ModelError):
        analyse_recommender([neural], read.ratings, read.items, AnalysisConfig())


def test_sequels_are_similar_on_real_ratings(movielens):
    fit = fit_recommender(movielens.ratings, CollabConfig(n_seeds=4))
    analysis = analyse_recommender([fit], movielens.ratings, movielens.items, AnalysisConfig())
    alike = analysis.similar.groupby("title")["similar_title"].agg(list)
    assert "Empire Strikes Back, The (1980)" in alike["Star Wars (1977)"][:2]
    assert "Godfather: Part II, The (1974)" in alike["Godfather, The (1972)"]
    assert "Shawshank Redemption, The (1994)" in analysis.biases["title"].head(10).tolist()
    assert analysis.biases["mean_rating"].head(20).min() > analysis.biases["mean_rating"].tail(20).max()
    assert analysis.figures["rmse"] == pytest.approx(0.9, abs=0.03)


def test_a_recommender_that_ranks_has_scores_of_its_ranking_a_map_and_similar_items_but_no_stars(world):
    read = read_ratings(interact(world).assign(count=1, timestamp=0), world.items, RatingsConfig())
    config = COLLAB.model_copy(update={"model": "als"})
    groups = [fit_recommender(read.ratings, group) for group in seed_groups(config)]
    analysis = analyse_recommender(groups, read.ratings, read.items, AnalysisConfig(min_ratings=10))
    assert analysis.predicted.empty
    assert analysis.biases.empty
    assert (analysis.figures["regularization"], analysis.figures["n_seeds"]) == (config.als.regularization, 4)
    split = split_ratings(read.ratings, config.split)
    fits = [fit for group in groups for fit in seed_fits(group)]
    assert analysis.scores == score_ranking(fits, read.ratings[split.train], read.ratings[split.held_out])
    assert analysis.scores["recall"] > analysis.scores["popularity_recall"]
    assert len(analysis.positions) == 60
    assert analysis.similar["cosine"].max() > 0.8
    with pytest.raises(NotEnoughData, match="too few items have enough interactions to be compared"):
        analyse_recommender(groups, read.ratings, read.items, AnalysisConfig(min_ratings=1000))
