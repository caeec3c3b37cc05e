import numpy as np

from latentflix.factors.permutations import permute_items


def test_positions_are_exchanged_among_items_alike():
    groups = np.array([0, 0, 1, 1, *range(2, 22)])
    ratings = np.array([5, 5, 500, 500, *range(10, 210, 10)])
    orders = permute_items(groups, ratings, 4, 200, np.random.default_rng(0))
    assert (np.sort(orders, axis=1) == np.arange(24)).all()
    assert {tuple(order[:4]) for order in orders} == {(0, 1, 2, 3), (2, 3, 0, 1)}
    strata = (np.arange(24) - 4) // 5
    assert (strata[orders[:, 4:]] == strata[4:]).all()
    assert len({tuple(order) for order in orders}) > 150
