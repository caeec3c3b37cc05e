import numpy as np
import pytest
from scipy.stats import ortho_group

from latentflix.errors import NotEnoughData
from latentflix.recommender.latent_factors import LatentFactors
from latentflix.recommender.rotation import fit_axes, item_loadings, varimax

N_ITEMS, N_USERS = 120, 400
ALIKE = np.ones(N_ITEMS)


def make_fit(item_factors, user_factors):
    ids = {"user_ids": np.arange(len(user_factors)), "item_ids": np.arange(len(item_factors))}
    factors = {"user_factors": np.float32(user_factors), "item_factors": np.float32(item_factors)}
    biases = {"user_bias": np.zeros(len(user_factors)), "item_bias": np.zeros(len(item_factors))}
    return LatentFactors(**ids, **factors, **biases)


def random_fit(seed, n_factors=6):
    random = np.random.default_rng(seed)
    spread = np.linspace(2, 0.5, n_factors)
    return make_fit(random.normal(size=(N_ITEMS, n_factors)) * spread, random.normal(size=(N_USERS, n_factors)))


def varimax_criterion(loadings):
    return (loadings**2).var(0).sum()


def test_products_of_loadings_are_the_covariance_of_predictions():
    fit = random_fit(0)
    positions = item_loadings(fit, ALIKE > 0)
    centred = fit.item_factors.astype(float) - fit.item_factors.astype(float).mean(0)
    predictions = fit.user_factors.astype(float) @ centred.T
    np.testing.assert_allclose(positions @ positions.T, np.cov(predictions, rowvar=False), rtol=1e-4, atol=1e-4)


def test_varimax_undoes_the_rotation_of_a_simple_structure():
    # Each row loads on one axis, on top of a little noise.
    random, rows = np.random.default_rng(0), np.arange(120)
    loadings = random.normal(0, 0.02, (120, 4))
    loadings[rows, rows % 4] += random.uniform(0.5, 1.5, 120)
    turned = loadings @ ortho_group.rvs(4, random_state=1)
    found = turned @ varimax(turned)
    overlap = np.abs(np.corrcoef(found, loadings, rowvar=False)[:4, 4:])
    np.testing.assert_allclose(np.sort(overlap.max(0)), 1, atol=1e-3)
    assert sorted(overlap.argmax(0)) == [0, 1, 2, 3]


def test_varimax_is_a_rotation_and_leaves_a_single_axis():
    rotation = varimax(np.random.default_rng(0).normal(size=(50, 5)))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(np.abs(varimax(np.array([[1.0], [-2.0], [3.0]]))), [[1]])


def test_no_other_rotation_has_a_greater_varimax_criterion():
    loadings = np.random.default_rng(0).exponential(size=(60, 3))
    best = varimax_criterion(loadings @ varimax(loadings))
    others = [varimax_criterion(loadings @ turn) for turn in ortho_group.rvs(3, size=2000, random_state=0)]
    assert best >= max(others)
    assert best > 1.2 * np.mean(others)


def test_more_starts_reach_at_least_the_same_criterion_and_more_where_there_are_several_maxima():
    reached = []
    for seed in range(4):
        loadings = np.random.default_rng(seed).normal(size=(60, 8))
        once, several = (varimax_criterion(loadings @ varimax(loadings, n_starts)) for n_starts in (0, 8))
        reached.append(several / once)
    assert min(reached) > 1 - 1e-6
    assert max(reached) > 1.01


def test_varimax_is_the_same_each_time():
    loadings = np.random.default_rng(0).normal(size=(60, 8))
    np.testing.assert_array_equal(varimax(loadings), varimax(loadings))


@pytest.mark.parametrize("rotation", ["pca", "ica", "none"])
def test_an_item_of_weight_two_counts_as_two_items(rotation):
    fit, weights = random_fit(0), np.where(np.arange(N_ITEMS) < 30, 2.0, 1.0)
    twice = np.repeat(np.arange(N_ITEMS), weights.astype(int))
    weighted, explained = fit_axes([fit], weights, rotation, 3)
    repeated, of_repeated = fit_axes([make_fit(fit.item_factors[twice], fit.user_factors)], twice >= 0, rotation, 3)
    np.testing.assert_allclose(np.abs(weighted[twice]), np.abs(repeated), atol=1e-5)
    np.testing.assert_allclose(explained, of_repeated, atol=1e-6)


@pytest.mark.parametrize("rotation", ["pca", "varimax", "ica", "sparse", "none"])
def test_the_weighted_mean_of_the_items_is_the_origin(rotation):
    weights = np.random.default_rng(1).uniform(0, 5, N_ITEMS)
    positions, _ = fit_axes([random_fit(0), random_fit(1)], weights, rotation, 3)
    np.testing.assert_allclose(weights @ positions, 0, atol=1e-9)
    assert np.abs(positions.mean(0)).max() > 0.01


@pytest.mark.parametrize(("rotation", "n_axes"), [("pca", 99), ("varimax", 99), ("ica", 6), ("none", 99)])
def test_explained_is_the_share_of_the_variance_of_each_axis(rotation, n_axes):
    fit = random_fit(0)
    positions, explained = fit_axes([fit], ALIKE, rotation, n_axes)
    np.testing.assert_allclose(explained, (positions**2).sum(0) / (positions**2).sum())
    assert explained.sum() == pytest.approx(1)


def test_varimax_redistributes_what_uncorrelated_principal_axes_explain_within_their_space():
    fits = [random_fit(0), random_fit(1)]
    (principal, of_principal), (turned, of_turned) = (fit_axes(fits, ALIKE, name, 4) for name in ("pca", "varimax"))
    np.testing.assert_allclose(np.corrcoef(principal, rowvar=False), np.eye(4), atol=1e-9)
    np.testing.assert_allclose(turned @ turned.T, principal @ principal.T, atol=1e-9)
    assert np.abs(turned - principal).max() > 0.1
    assert of_turned.sum() == pytest.approx(of_principal.sum())
    assert of_principal.sum() < 0.9
    assert of_turned.max() < of_principal.max()
    assert (np.diff(of_turned) <= 0).all()


@pytest.mark.parametrize("rotation", ["pca", "varimax", "ica", "none"])
def test_an_item_of_no_weight_gets_scores_but_does_not_influence_the_axes(rotation):
    fit = random_fit(0)
    outlying = fit.item_factors.copy()
    outlying[4] += 100
    weights = np.where(np.arange(N_ITEMS) == 4, 0, 1.0)
    plain, _ = fit_axes([fit], weights, rotation, 3)
    other, _ = fit_axes([make_fit(outlying, fit.user_factors)], weights, rotation, 3)
    np.testing.assert_allclose(np.delete(other, 4, 0), np.delete(plain, 4, 0), atol=1e-5)
    assert np.abs(other[4]).max() > 50


def test_two_items_of_great_weight_attract_the_first_axis():
    weights = np.where(np.isin(np.arange(N_ITEMS), [4, 7]), 10_000.0, 1)
    positions, explained = fit_axes([random_fit(0)], weights, "pca", 6)
    assert (np.abs(positions[[4, 7], 0]) > 40 * np.abs(positions[[4, 7], 1:]).max()).all()
    assert explained[0] > 0.9


def test_raw_axes_are_those_of_the_first_fit_in_order():
    fits = [random_fit(0), random_fit(1)]
    positions, _ = fit_axes(fits, ALIKE, "none", 2)
    np.testing.assert_allclose(positions, fits[0].item_factors - fits[0].item_factors.mean(0), atol=1e-6)


def heavy_tailed(n_items=2000, n_factors=4):
    sources = np.random.default_rng(0).standard_t(5, size=(n_items, n_factors))
    return (sources - sources.mean(0)) / sources.std(0)


def overlap(left, right):
    """The largest |r| of each column of `left` with one of `right`."""
    return np.abs(np.corrcoef(left, right, rowvar=False)[: left.shape[1], left.shape[1] :]).max(axis=1)


def test_independent_components_are_found_where_their_directions_are_not_at_right_angles():
    random, sources = np.random.default_rng(1), heavy_tailed()
    fit = make_fit(sources @ random.normal(size=(4, 4)), random.normal(size=(N_USERS, 4)))
    found = {rotation: fit_axes([fit], np.ones(2000), rotation, 4)[0] for rotation in ("ica", "varimax", "pca")}
    assert (overlap(sources, found["ica"]) > 0.98).all()
    assert overlap(sources, found["varimax"]).mean() < 0.95
    assert overlap(sources, found["pca"]).mean() < 0.9
    uncorrelated = found["ica"] / found["ica"].std(0)
    np.testing.assert_allclose(np.corrcoef(uncorrelated, rowvar=False), np.eye(4), atol=1e-6)


def test_independent_components_explain_what_principal_axes_do_together():
    fit = random_fit(0)
    assert fit_axes([fit], ALIKE, "ica", 4)[1].sum() == pytest.approx(fit_axes([fit], ALIKE, "pca", 4)[1].sum())


def test_sparse_features_may_be_more_than_dimensions_and_come_by_the_variance_of_their_codes():
    positions, explained = fit_axes([random_fit(0, n_factors=4)], ALIKE, "sparse", 7, n_active=2)
    assert positions.shape == (N_ITEMS, 7)
    assert (np.diff(explained) <= 0).all()
    assert 0.5 < explained.sum() < 1.5
    # A product orders all items, and few are described by nothing.
    assert np.unique(positions[:, 0]).size == N_ITEMS


def test_more_independent_components_than_dimensions_are_an_error():
    with pytest.raises(NotEnoughData) as caught:
        fit_axes([random_fit(0)], ALIKE, "ica", 7)
    assert str(caught.value) == (
        "items have fewer dimensions than independent components are asked for; where: --factors.n-axes; found: 7; "
        "expected: at most 6"
    )


@pytest.mark.parametrize("rotation", ["varimax", "pca", "ica", "sparse", "none"])
def test_items_that_are_all_alike_have_no_axes(rotation):
    fit = make_fit(np.ones((N_ITEMS, 3)), np.random.default_rng(0).normal(size=(N_USERS, 3)))
    with pytest.raises(NotEnoughData, match="all items have the same factors; found: 120 equal vectors"):
        fit_axes([fit, fit], ALIKE, rotation, 3)
