import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from latentflix import collab
from latentflix.collab import CollabConfig, RatingBatches, fit_collab, fit_seeds, held_out_ratings
from latentflix.datasets import DataSetConfig, load_data_set
from latentflix.errors import TrainingDiverged
from latentflix.ratings import RatingsConfig, read_ratings
from tests.planted_world import make_world

QUICK = CollabConfig(n_factors=6, epochs=5, batch_size=256, learning_rate=2e-2, weight_decay=0.05, n_seeds=2)
ONE_EPOCH = CollabConfig(n_factors=5, epochs=1, batch_size=2048)
ARRAYS = ("user_ids", "movie_ids", "user_factors", "item_factors", "user_bias", "item_bias")


@pytest.fixture(scope="module")
def movielens():
    tables = load_data_set(DataSetConfig(name="movielens_100k"))
    return tables["items"], read_ratings(tables["ratings"], tables["items"], RatingsConfig())


@pytest.fixture(scope="module")
def fitted_movielens(movielens):
    """The fit, and fastai's learner that it came from."""
    learners = []

    def keep_learner(*arguments, **options):
        learners.append(make_learner(*arguments, **options))
        return learners[-1]

    make_learner = collab.make_learner
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collab, "make_learner", keep_learner)
        fit = fit_collab(movielens[1].ratings, ONE_EPOCH, seed=3)
    return fit, learners[0]


@pytest.fixture(scope="module")
def world_ratings():
    return make_world(n_users=200, n_films=60).ratings


def predict_by_id(fit, ratings, config):
    user = pd.Series(range(len(fit.user_ids)), index=fit.user_ids)[ratings["user_id"]].to_numpy()
    item = pd.Series(range(len(fit.movie_ids)), index=fit.movie_ids)[ratings["movie_id"]].to_numpy()
    dot = (fit.user_factors[user] * fit.item_factors[item]).sum(1) + fit.user_bias[user] + fit.item_bias[item]
    return config.y_lowest + (config.y_highest - config.y_lowest) / (1 + np.exp(-dot))


def assert_same_fit(left, right):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


def test_every_row_of_both_tables_belongs_to_its_id(movielens, fitted_movielens):
    ratings = movielens[1].ratings
    fit, learner = fitted_movielens
    held_out = held_out_ratings(len(ratings), ONE_EPOCH).numpy()
    learner.model.cpu().eval()
    for part, batches in ((ratings[~held_out], learner.dls.train), (ratings[held_out], learner.dls.valid)):
        np.testing.assert_array_equal(batches.ratings.cpu().numpy(), part["rating"])
        with torch.no_grad():
            expected = learner.model(batches.pairs.cpu()).numpy()
        np.testing.assert_allclose(predict_by_id(fit, part, ONE_EPOCH), expected, atol=1e-5)
    assert set(fit.user_ids) == set(ratings["user_id"])
    assert set(fit.movie_ids) == set(ratings["movie_id"])


def test_no_two_rows_are_the_same(fitted_movielens):
    fit, _ = fitted_movielens
    for factors in (fit.user_factors, fit.item_factors):
        assert len(np.unique(factors, axis=0)) == len(factors)


def test_a_film_that_only_held_out_ratings_name_has_a_row(movielens, fitted_movielens):
    ratings = movielens[1].ratings
    held_out = held_out_ratings(len(ratings), ONE_EPOCH).numpy()
    unseen = set(ratings["movie_id"]) - set(ratings.loc[~held_out, "movie_id"])
    assert len(unseen) > 5
    assert unseen <= set(fitted_movielens[0].movie_ids)


def test_double_titles_share_one_row(movielens, fitted_movielens):
    items, ratings = movielens
    doubles = items[items.duplicated("movie_title", keep=False)].groupby("movie_title")["movie_id"].agg(["min", "max"])
    assert len(doubles) == ratings.merged > 10
    movie_ids = set(fitted_movielens[0].movie_ids)
    assert set(doubles["min"]) <= movie_ids
    assert not set(doubles["max"]) & movie_ids


def test_biases_follow_the_means_that_were_planted_by_id():
    random = np.random.default_rng(0)
    users, films = random.permutation(900)[:120], random.permutation(900)[:50]
    ratings = pd.DataFrame([(user, film) for user in users for film in films], columns=["user_id", "movie_id"])
    generous, good = ratings["user_id"] * 37 % 97 / 97, ratings["movie_id"] * 31 % 101 / 101
    ratings["rating"] = 1.5 + 1.5 * generous + 1.5 * good + random.normal(0, 0.1, len(ratings))
    fit = fit_collab(ratings.sample(frac=1, random_state=1), QUICK, seed=0)
    assert spearmanr(fit.user_bias, fit.user_ids * 37 % 97).statistic > 0.97
    assert spearmanr(fit.item_bias, fit.movie_ids * 31 % 101).statistic > 0.97


def test_held_out_loss_falls_far_below_the_variance(world_ratings):
    fit = fit_collab(world_ratings, QUICK, seed=0)
    assert len(fit.valid_loss) == QUICK.epochs
    assert fit.valid_loss[-1] < 0.35 * world_ratings["rating"].var()
    assert fit.valid_loss[-1] < fit.valid_loss[0]


def test_reported_loss_is_that_of_the_held_out_ratings(world_ratings):
    fit = fit_collab(world_ratings, QUICK, seed=0)
    held_out = world_ratings[held_out_ratings(len(world_ratings), QUICK).numpy()]
    error = predict_by_id(fit, held_out, QUICK) - held_out["rating"]
    assert fit.valid_loss[-1] == pytest.approx((error**2).mean(), rel=1e-3)


def test_same_seed_gives_the_same_fit(world_ratings):
    config = QUICK.model_copy(update={"epochs": 1})
    one, again, other = (fit_collab(world_ratings, config, seed) for seed in (1, 1, 2))
    assert_same_fit(one, again)
    assert one.valid_loss == again.valid_loss
    assert not np.allclose(one.item_factors, other.item_factors)


def test_fits_count_their_seeds_from_the_first(world_ratings):
    config = QUICK.model_copy(update={"epochs": 1, "seed": 5, "n_seeds": 2})
    fits = fit_seeds(world_ratings, config)
    assert len(fits) == 2
    assert_same_fit(fits[1], fit_collab(world_ratings, config, seed=6))


def test_packed_fits_come_back_as_they_were(world_ratings):
    fits = fit_seeds(world_ratings, QUICK.model_copy(update={"epochs": 2}))
    arrays = collab.pack_fits(fits)
    assert arrays["item_factors"].shape == (2, 60, 6)
    for fit, unpacked in zip(fits, collab.unpack_fits(arrays), strict=True):
        assert_same_fit(fit, unpacked)
        assert unpacked.valid_loss == pytest.approx(fit.valid_loss)


def test_a_rating_that_is_no_number_stops_the_fit(world_ratings):
    ratings = world_ratings.assign(rating=np.nan)
    expected = r"collab seed 4 .* step 0 of \d+; found: loss nan, learning rate \d"
    with pytest.raises(TrainingDiverged, match=expected):
        fit_collab(ratings, QUICK, seed=4)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("n_ratings", "n_batches"), [(1, 1), (10, 1), (11, 2), (35, 4)])
def test_an_epoch_covers_every_rating_once(n_ratings, n_batches, shuffle):
    numbers = torch.arange(n_ratings)
    batches = RatingBatches(torch.stack([numbers, -numbers], dim=1), numbers.float(), 10, shuffle=shuffle)
    pairs, ratings = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert len(list(batches)) == len(batches) == n_batches
    assert sorted(ratings.tolist()) == numbers.tolist()
    assert torch.equal(pairs, torch.stack([ratings, -ratings], dim=1).long())


def test_only_shuffled_batches_change_their_order():
    numbers = torch.arange(100)
    for shuffle in (False, True):
        batches = RatingBatches(numbers[:, None], numbers, 10, shuffle=shuffle)
        epochs = [torch.cat([ratings for _, ratings in batches]) for _ in range(2)]
        assert torch.equal(*epochs) is not shuffle


@pytest.mark.parametrize(("n_ratings", "share", "expected"), [(100, 0.1, 10), (3, 0.01, 1), (3, 0.99, 2)])
def test_some_ratings_are_held_out_and_some_are_not(n_ratings, share, expected):
    assert held_out_ratings(n_ratings, CollabConfig(valid_share=share)).sum() == expected


def test_held_out_ratings_depend_on_the_seed_of_the_config_only():
    one, again, other = (held_out_ratings(100, CollabConfig(seed=seed)) for seed in (0, 0, 1))
    torch.manual_seed(9)
    assert torch.equal(one, again)
    assert torch.equal(one, held_out_ratings(100, CollabConfig(seed=0)))
    assert not torch.equal(one, other)
