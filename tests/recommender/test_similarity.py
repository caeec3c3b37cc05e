from dataclasses import replace

import numpy as np
import pytest

from latentflix.artifacts import Store
from latentflix.errors import NotFound
from latentflix.recommender.saved_fits import read_fits_of
from latentflix.recommender.similarity import find_similar
from latentflix.runs import choose_run
from tests.support.factories.run import write_run

CANDIDATES = [10, 20, 30, 40, 50]


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    store = write_run(Store(tmp_path_factory.mktemp("artifacts")))
    return read_fits_of(store, choose_run(store).handle("factors"))


def cosines(fits, item_id):
    return find_similar(fits, [item_id], CANDIDATES, 10).set_index("similar_id")["cosine"]


def test_all_seeds_of_a_run_are_read(fits):
    assert [fit.item_factors.shape for fit in fits] == [(6, 3), (6, 3)]
    assert fits[0].item_ids.tolist() == [10, 20, 30, 40, 50, 60]


def test_the_cosine_is_the_correlation_of_what_distinguishes_the_predictions_for_two_items(fits):
    random = np.random.default_rng(1)
    fit = fits[0]
    users = random.multivariate_normal(np.zeros(3), np.cov(fit.user_factors, rowvar=False), 200_000)
    distinct = fit.item_factors - fit.item_factors[:5].mean(0)
    expected = np.corrcoef(users @ distinct.T, rowvar=False)[0, 1:5]
    found = cosines([fit], 10)
    np.testing.assert_allclose(found.loc[[20, 30, 40, 50]], expected, atol=0.01)
    assert found.is_monotonic_decreasing


def test_the_cosine_does_not_depend_on_how_long_an_item_or_how_stretched_a_factor_is(fits):
    stretch = np.float32([1, 10, 0.1])
    factors = {"item_factors": fits[0].item_factors * stretch, "user_factors": fits[0].user_factors / stretch}
    stretched = replace(fits[0], **factors)
    np.testing.assert_allclose(cosines([stretched], 10), cosines([fits[0]], 10), atol=1e-5)


def test_several_fits_count_as_one_long_vector(fits):
    both = find_similar(fits, [30], CANDIDATES, 10).set_index("similar_id")
    alone = np.array([cosines([fit], 30).loc[both.index] for fit in fits])
    assert (both["cosine"] >= alone.min(0) - 1e-9).all()
    assert (both["cosine"] <= alone.max(0) + 1e-9).all()
    np.testing.assert_allclose(both["cosine_sd"], alone.std(0, ddof=1))
    assert find_similar(fits[:1], [30], CANDIDATES, 10)["cosine_sd"].isna().all()


def test_each_item_has_its_own_list_without_itself(fits):
    table = find_similar(fits, [40, 10], CANDIDATES, 10)
    assert table["item_id"].tolist() == [40] * 4 + [10] * 4
    for item_id, similar in table.groupby("item_id"):
        assert set(similar["similar_id"]) == set(CANDIDATES) - {item_id}
        np.testing.assert_allclose(similar["cosine"], cosines(fits, item_id))


def test_only_candidates_are_similar_even_to_an_item_that_is_not_one_but_it_must_be_known(fits):
    assert set(find_similar(fits, [60], [10, 20, 30, 40], 2)["similar_id"]) < {10, 20, 30, 40}
    with pytest.raises(NotFound, match="the recommender has never seen the item; found: item id 99"):
        find_similar(fits, [10, 99], [10, 20, 30], 2)
