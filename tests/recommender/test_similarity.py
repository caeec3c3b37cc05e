import numpy as np
import pandas as pd
import pytest

from latentflix.artifacts import Store
from latentflix.errors import NotFound
from latentflix.recommender.similarity import find_neighbours, read_fits
from latentflix.runs import choose_run
from tests.support.factories.run import write_run


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("artifacts"))
    write_run(store)
    return read_fits(store, choose_run(store))


def test_all_seeds_of_a_run_are_read(fits):
    assert [fit.item_factors.shape for fit in fits] == [(6, 3), (6, 3)]
    assert fits[0].item_ids.tolist() == [10, 20, 30, 40, 50, 60]


def test_items_are_alike_that_users_rate_alike(fits):
    """The cosine is the correlation, over users, of what sets the predictions for two items apart."""
    random = np.random.default_rng(1)
    fit = fits[0]
    candidates = [10, 20, 30, 40, 50]
    users = random.multivariate_normal(np.zeros(3), np.cov(fit.user_factors, rowvar=False), 200_000)
    apart = fit.item_factors - fit.item_factors[:5].mean(0)
    expected = np.corrcoef(users @ apart.T, rowvar=False)[0, 1:5]
    found = find_neighbours([fit], 10, candidates, 10)
    np.testing.assert_allclose(found.loc[[20, 30, 40, 50]], expected, atol=0.01)
    assert found.is_monotonic_decreasing


def test_several_fits_count_as_one_long_vector(fits):
    one, other = fits
    both = find_neighbours(fits, 30, [10, 20, 30, 40, 50], 10)
    assert set(both.index) == {10, 20, 40, 50}
    alone = [find_neighbours([fit], 30, [10, 20, 30, 40, 50], 10).loc[both.index] for fit in (one, other)]
    assert (both >= pd.concat(alone, axis=1).min(axis=1) - 1e-9).all()
    assert (both <= pd.concat(alone, axis=1).max(axis=1) + 1e-9).all()


def test_only_candidates_are_named_and_a_item_that_is_none_may_be_asked_about(fits):
    assert set(find_neighbours(fits, 60, [10, 20, 30, 40], 2).index) < {10, 20, 30, 40}
    assert len(find_neighbours(fits, 60, [10, 20, 30, 40], 2)) == 2


def test_a_item_that_the_recommender_has_never_seen_has_no_neighbours(fits):
    with pytest.raises(NotFound, match="the recommender has never seen the item; found: movie id 99"):
        find_neighbours(fits, 99, [10, 20, 30], 2)
