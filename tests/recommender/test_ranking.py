import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import ndcg_score

from latentflix.recommender import ranking
from latentflix.recommender.latent_factors import LatentFactors
from latentflix.recommender.ranking import MEASURES, score_ranking


def make_fit(scores):
    """A fit that predicts these scores, (users, items)."""
    n_users, n_items = np.shape(scores)
    return LatentFactors(
        user_ids=np.arange(n_users) + 1,
        item_ids=np.arange(n_items) + 1,
        user_factors=np.array(scores, np.float32),
        item_factors=np.eye(n_items, dtype=np.float32),
        user_bias=np.zeros(n_users, np.float32),
        item_bias=np.zeros(n_items, np.float32),
    )


def pairs(*given):
    return pd.DataFrame(given, columns=["user_id", "item_id"])


def test_recall_and_ndcg_are_those_worked_out_by_hand():
    # Of 12 items the first user has seen item 1, so that item 2 is first in the list, item 3 second, and so on.
    fit = make_fit(np.tile(np.arange(12, 0, -1), (2, 1)))
    found = score_ranking([fit], pairs((1, 1), (2, 12), (2, 11)), pairs((1, 3), (1, 12), (2, 1)))
    assert list(found) == list(MEASURES)
    assert found["recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["ndcg"] == pytest.approx((1 / np.log2(3) / (1 + 1 / np.log2(3)) + 1) / 2)
    assert found["ensemble_ndcg"] == pytest.approx(found["ndcg"])


def test_popularity_is_one_list_by_the_number_of_users():
    train = pairs((1, 1), (2, 1), (3, 1), (2, 2), (3, 2), (3, 3), (4, 4))
    scores = score_ranking([make_fit(np.zeros((4, 30)))], train, pairs((4, 1), (1, 3)))
    # User 4 gets items 1, 2, 3; user 1, who knows item 1, gets items 2, then 3 and 4, of one user each.
    assert scores["popularity_recall"] == 1
    assert scores["popularity_ndcg"] == pytest.approx((1 + 1 / np.log2(3)) / 2)


def test_all_ten_places_can_be_right_if_more_is_held_out():
    fit = make_fit([np.arange(20, 0, -1), np.arange(20)])
    held_out = pairs(*((1, item) for item in range(2, 15)))
    scores = score_ranking([fit], pairs((1, 1), (2, 1)), held_out)
    assert scores["recall"] == 1
    assert scores["ndcg"] == pytest.approx(1)


def test_single_fits_are_averaged_and_their_mean_prediction_is_ranked(monkeypatch):
    random = np.random.default_rng(0)
    scores = random.normal(size=(3, 40, 60))
    taken = random.permuted(np.arange(60) < 9, axis=0)[None].repeat(40, 0)
    taken = random.permuted(taken, axis=1)
    known, wanted = taken & (random.random(taken.shape) < 0.6), None
    wanted = taken & ~known
    train, held_out = (pairs(*(np.argwhere(part) + 1)) for part in (known, wanted))
    some = wanted.any(1)
    masked = np.where(known, -1e6, scores)[:, some]
    # A block of users at a time gives the same.
    monkeypatch.setattr(ranking, "_SCORES_AT_ONCE", 7 * 60)
    found = score_ranking([make_fit(each) for each in scores], train, held_out)
    expected = [ndcg_score(wanted[some], each, k=10) for each in masked]
    assert found["ndcg"] == pytest.approx(np.mean(expected), rel=1e-5)
    assert found["ensemble_ndcg"] == pytest.approx(ndcg_score(wanted[some], masked.mean(0), k=10), rel=1e-5)


def test_of_many_users_some_are_drawn(monkeypatch):
    fit = make_fit(np.random.default_rng(0).normal(size=(50, 30)))
    train, held_out = pairs(*((user, 1) for user in range(1, 51))), pairs(*((user, 2) for user in range(1, 51)))
    monkeypatch.setattr(ranking, "_MOST_USERS", 8)
    drawn = score_ranking([fit], train, held_out)
    assert drawn == score_ranking([fit], train, held_out)
    assert (drawn["recall"] * 8) % 1 == 0
