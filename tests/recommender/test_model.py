import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy.stats import spearmanr

from latentflix.artifacts import Handle, Store
from latentflix.data.splits import split_ratings
from latentflix.errors import ModelError, NotFound
from latentflix.recommender.fit import fit_recommender
from latentflix.recommender.model import CollabConfig, Recommender, predict_ratings, seed_fits

MODELS = ("dot", "dot_range", "bias", "neural")
QUICK = CollabConfig(n_factors=6, epochs=5, batch_size=256, learning_rate=2e-2, weight_decay=0.05, n_seeds=2)
HANDLE = Handle(stage="collab", key="0" * 20)
IN_A_NEW_PROCESS = """
import json, sys
from pathlib import Path
from latentflix.artifacts import Handle, Store
from latentflix.recommender.model import Recommender, predict_ratings

root, stage, key, pairs = sys.argv[1:]
recommender = Store(Path(root)).read(Handle(stage=stage, key=key), Recommender)
print(json.dumps(predict_ratings(recommender, *json.loads(pairs)).tolist()))
"""


@pytest.fixture(scope="module")
def movielens_fit(movielens):
    return fit_recommender(movielens.ratings, QUICK.model_copy(update={"epochs": 1, "batch_size": 2048}))


@pytest.fixture(scope="module")
def fits(ratings):
    """A fit of each model."""
    return {name: fit_recommender(ratings, QUICK.model_copy(update={"model": name, "seed": 3})) for name in MODELS}


def ids_of(ratings):
    return ratings["user_id"].to_numpy(), ratings["item_id"].to_numpy()


def predict_by_id(fit, ratings, y_range):
    users, items = (
        pd.Series(range(len(known)), index=known)[asked].to_numpy()
        for known, asked in zip((fit.user_ids, fit.item_ids), ids_of(ratings), strict=True)
    )
    product = (fit.user_factors[users] * fit.item_factors[items]).sum(1) + fit.user_bias[users] + fit.item_bias[items]
    lowest, highest = y_range or (0, 0)
    return lowest + (highest - lowest) / (1 + np.exp(-product)) if y_range else product


@pytest.mark.parametrize("name", ["dot", "dot_range", "bias"])
def test_every_row_of_both_tables_belongs_to_its_id(fits, ratings, name):
    recommender = fits[name]
    y_range = None if name == "dot" else recommender.y_range
    expected = [predict_by_id(fit, ratings, y_range).clip(1, 5) for fit in seed_fits(recommender)]
    np.testing.assert_allclose(predict_ratings(recommender, *ids_of(ratings)), expected, atol=1e-5)
    assert recommender.user_ids.tolist() == sorted(set(ratings["user_id"]))
    assert recommender.item_ids.tolist() == sorted(set(ratings["item_id"]))


def test_each_seed_has_its_own_factors_and_biases_of_zero_without_biases(fits):
    one, other = seed_fits(fits["bias"])
    assert (one.user_factors.shape, one.item_factors.shape, one.user_bias.shape) == ((200, 6), (60, 6), (200,))
    for name in ("user_factors", "item_factors", "user_bias", "item_bias"):
        assert not np.allclose(getattr(one, name), getattr(other, name), atol=0.01)
    for fit in [*seed_fits(fits["dot"]), *seed_fits(fits["dot_range"])]:
        assert not fit.user_bias.any()
        assert not fit.item_bias.any()
    with pytest.raises(ModelError, match=r"--collab.model; found: neural; expected: dot, dot_range or bias"):
        seed_fits(fits["neural"])


def test_every_item_of_movielens_has_its_own_row_and_merged_ones_share_it(movielens_tables, movielens, movielens_fit):
    for fit in seed_fits(movielens_fit):
        for factors in (fit.user_factors, fit.item_factors):
            assert len(np.unique(factors, axis=0)) == len(factors)
    items = movielens_tables["items"]
    doubles = items[items.duplicated("title", keep=False)].groupby("title")["item_id"].agg(["min", "max"])
    assert len(doubles) == movielens.merged > 10
    assert not set(doubles["max"]) & set(movielens_fit.item_ids)


def test_users_and_items_that_are_only_held_out_have_no_row(movielens, movielens_fit):
    ratings = movielens.ratings
    split = split_ratings(ratings, movielens_fit.config.split)
    unseen = set(ratings["item_id"]) - set(ratings.loc[split.train, "item_id"])
    assert len(unseen) > 5
    assert set(movielens_fit.item_ids) == set(ratings["item_id"]) - unseen
    with pytest.raises(NotFound, match=f"{len(unseen)} item ids"):
        predict_ratings(movielens_fit, np.full(len(unseen), 1), np.array(list(unseen)))


def test_biases_follow_the_known_means_of_users_and_items():
    random = np.random.default_rng(0)
    users, items = random.permutation(900)[:120], random.permutation(900)[:50]
    ratings = pd.DataFrame([(user, item) for user in users for item in items], columns=["user_id", "item_id"])
    generous, good = ratings["user_id"] * 37 % 97 / 97, ratings["item_id"] * 31 % 101 / 101
    ratings["rating"] = 1.5 + 1.5 * generous + 1.5 * good + random.normal(0, 0.1, len(ratings))
    for fit in seed_fits(fit_recommender(ratings.sample(frac=1, random_state=1), QUICK)):
        assert spearmanr(fit.user_bias, fit.user_ids * 37 % 97).statistic > 0.97
        assert spearmanr(fit.item_bias, fit.item_ids * 31 % 101).statistic > 0.97


@pytest.mark.parametrize("name", MODELS)
def test_a_prediction_does_not_depend_on_the_others_and_no_pairs_give_none(fits, ratings, name):
    asked = ratings.sample(frac=1, random_state=0)
    stars = predict_ratings(fits[name], *ids_of(ratings))
    shuffled = pd.DataFrame(predict_ratings(fits[name], *ids_of(asked)).T, index=asked.index).loc[ratings.index]
    np.testing.assert_allclose(stars, shuffled.T, atol=1e-5)
    np.testing.assert_allclose(predict_ratings(fits[name], *ids_of(ratings.iloc[[7]])), stars[:, [7]], atol=1e-5)
    assert (stars.shape, stars.dtype) == ((2, len(ratings)), np.float32)
    assert predict_ratings(fits[name], *ids_of(ratings.head(0))).shape == (2, 0)


@pytest.mark.parametrize("name", ["dot_range", "bias", "neural"])
def test_predictions_are_within_the_scale(fits, name):
    pairs = pd.MultiIndex.from_product([fits[name].user_ids, fits[name].item_ids]).to_frame(index=False)
    stars = predict_ratings(fits[name], pairs[0].to_numpy(), pairs[1].to_numpy())
    assert (stars.min(), stars.max()) == fits[name].scale == (1, 5)


@pytest.mark.parametrize(("factor", "expected"), [(10, 5), (-10, 1)])
def test_predictions_of_a_plain_product_are_within_the_scale(fits, ratings, factor, expected):
    weights = {**fits["dot"].weights, "u_weight.weight": fits["dot"].weights["u_weight.weight"] * factor}
    assert (predict_ratings(replace(fits["dot"], weights=weights), *ids_of(ratings)) == expected).all()


def test_unknown_users_are_named(fits, ratings):
    users, items = ids_of(ratings.iloc[:3])
    users = np.append(users, [9001, 9000, 9001])
    known = fits["bias"].user_ids
    expected = (
        "^the recommender has never seen this user; where: 2 user ids; found: 9000, 9001; expected: one of 200 ids "
        f"from {known[0]} to {known[-1]}; what to do: leave these out, or fit again with ratings of them$"
    )
    with pytest.raises(NotFound, match=expected):
        predict_ratings(fits["bias"], users, np.append(items, items))


def test_the_first_ten_unknown_items_are_named(fits):
    expected = "12 item ids; found: 9000, 9001, 9002, 9003, 9004, 9005, 9006, 9007, 9008, 9009, …;"
    with pytest.raises(NotFound, match=expected):
        predict_ratings(fits["neural"], np.repeat(fits["neural"].user_ids[0], 12), np.arange(9000, 9012))


@pytest.mark.parametrize("stranger", [0, -1, 2**40])
def test_an_id_without_a_row_is_unknown(fits, stranger):
    item = fits["bias"].item_ids[:1]
    with pytest.raises(NotFound, match=f"found: {stranger};"):
        predict_ratings(fits["bias"], np.array([stranger]), item)


def write(recommender, root):
    store = Store(root)
    with store.new(HANDLE, {}, recommender.config) as artifact:
        artifact.write(recommender)
    return store


@pytest.mark.parametrize("name", MODELS)
def test_a_recommender_is_read_as_it_was_written(fits, ratings, name, tmp_path):
    back = write(fits[name], tmp_path).read(HANDLE, Recommender)
    for field in fields(Recommender):
        np.testing.assert_equal(getattr(back, field.name), getattr(fits[name], field.name))
    expected = predict_ratings(fits[name], *ids_of(ratings))
    np.testing.assert_array_equal(predict_ratings(back, *ids_of(ratings)), expected)


def test_a_new_process_predicts_what_this_one_does(fits, ratings, tmp_path):
    write(fits["neural"], tmp_path)
    pairs = [ids.tolist() for ids in ids_of(ratings.iloc[:50])]
    command = [sys.executable, "-c", IN_A_NEW_PROCESS, str(tmp_path), HANDLE.stage, HANDLE.key, json.dumps(pairs)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), predict_ratings(fits["neural"], *map(np.array, pairs)))


@pytest.mark.parametrize("given", [{"layers": (0,)}, {"layers": (100, -5)}, {"batch_size": 1}, {"model": "svd"}])
def test_settings_that_fit_no_model_are_refused(given):
    with pytest.raises(ValidationError, match=next(iter(given))):
        CollabConfig(**given)
