import numpy as np
import pytest
import torch

from latentflix.errors import SettingsError
from latentflix.recommender.sparse_features import learn_features


def sparse_rows(n_rows=200, n_dimensions=10, n_features=12, n_active=2, seed=0):
    """Rows that are sums of a few of more features than there are dimensions, with amounts of either sign."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(n_features, n_dimensions))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    amounts = random.uniform(0.5, 1.5, (n_rows, n_features)) * random.choice([-1, 1], (n_rows, n_features))
    active = random.random((n_rows, n_features)).argsort(axis=1) < n_active
    rows = (amounts * active) @ features
    return rows - rows.mean(0), features


def test_more_features_than_dimensions_are_found_up_to_their_signs_where_principal_axes_are_others():
    rows, features = sparse_rows()
    found, _ = learn_features(rows, 12, 2)
    assert np.abs(features @ found).max(axis=1).mean() > 0.9
    assert np.abs(features @ np.linalg.svd(rows)[2].T).max(axis=1).mean() < 0.75
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), 1, atol=1e-6)


def test_features_that_describe_a_row_alone_hold_all_of_its_variance():
    rows = np.repeat(np.eye(3), 20, axis=0) * np.tile([1.0, -1], 30)[:, None] * [3, 2, 1]
    found, shares = learn_features(rows, 3, 1)
    assert sorted(np.abs(found).argmax(axis=0)) == [0, 1, 2]
    np.testing.assert_allclose(np.sort(shares), np.array([1, 4, 9]) / 14, atol=0.01)


def test_they_are_the_same_each_time_and_leave_the_common_generator_alone():
    rows, _ = sparse_rows(n_rows=60)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    once, again = (learn_features(rows, 8, 2) for _ in range(2))
    assert torch.rand(1) == expected
    for left, right in zip(once, again, strict=True):
        np.testing.assert_array_equal(left, right)


def test_more_active_features_than_there_are_is_an_error():
    with pytest.raises(SettingsError) as caught:
        learn_features(sparse_rows(n_rows=20)[0], 4, 5)
    assert str(caught.value) == (
        "more features are active than there are; where: --factors.n-active; found: 5; "
        "expected: at most 4, the number of factors"
    )
