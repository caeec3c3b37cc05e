import numpy as np
import pytest

from latentflix.factors.readers.ridge import PENALTIES, KernelRidge, choose_landmarks, fit_ridge


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    features = random.normal(size=(40, 60)) * np.linspace(2, 0.1, 60)
    targets = np.column_stack([features[:, 0] + 0.3 * random.normal(size=40), random.normal(size=40)])
    return features, targets, random.uniform(0.2, 1, 40)


def solve(features, targets, weights, penalty):
    """Weighted ridge regression with an intercept, by its normal equations."""
    design = np.column_stack([np.ones(len(features)), features])
    ridge = penalty * np.diag([0.0, *np.ones(features.shape[1])])
    return np.linalg.solve(design.T @ (weights[:, None] * design) + ridge, design.T @ (weights * targets))


def test_predictions_are_those_of_the_normal_equations(data):
    features, targets, weights = data
    ridge = KernelRidge.decompose(features @ features.T, weights)
    fit = fit_ridge(ridge, targets)
    others = np.random.default_rng(1).normal(size=(7, 60))
    penalties = fit.penalties * ridge.mean_eigenvalue
    expected = np.column_stack(
        [
            np.column_stack([np.ones(7), others]) @ solve(features, targets[:, at], weights / weights.mean(), penalty)
            for at, penalty in enumerate(penalties)
        ]
    )
    np.testing.assert_allclose(fit.predict(ridge.project(others @ features.T)), expected, atol=1e-8)


def test_what_is_predicted_of_an_item_without_it_is_exact(data):
    features, targets, weights = data
    ridge = KernelRidge.decompose(features @ features.T, weights)
    fit = fit_ridge(ridge, targets)
    weights = weights / weights.mean()
    for item in (0, 17):
        kept = np.arange(40) != item
        for at, penalty in enumerate(fit.penalties * ridge.mean_eigenvalue):
            learned = solve(features[kept], targets[kept, at], weights[kept], penalty)
            assert fit.left_out[item, at] == pytest.approx(learned[0] + features[item] @ learned[1:], abs=1e-8)


def test_noise_gets_the_strongest_penalty_and_a_signal_a_weaker_one(data):
    features, _, _ = data
    random = np.random.default_rng(2)
    targets = np.column_stack([features[:, 0], *random.normal(size=(30, 40))])
    penalties = fit_ridge(KernelRidge.decompose(features @ features.T, np.ones(40)), targets).penalties
    assert penalties[0] < PENALTIES[-1]
    assert np.median(penalties[1:]) == PENALTIES[-1]


def test_all_targets_at_once_give_what_each_gives_alone(data):
    features, targets, weights = data
    ridge = KernelRidge.decompose(features @ features.T, weights)
    both = fit_ridge(ridge, targets)
    for at in range(2):
        np.testing.assert_allclose(fit_ridge(ridge, targets[:, [at]]).dual, both.dual[:, [at]], atol=1e-12)


def test_with_many_items_some_landmarks_predict_nearly_the_same():
    random = np.random.default_rng(3)
    features = random.normal(size=(300, 400)) * 0.97 ** np.arange(400)
    targets = np.column_stack([features[:, 0] + features[:, 3], features[:, 5]]) + random.normal(size=(300, 2))
    others, weights = random.normal(size=(50, 400)) * 0.97 ** np.arange(400), random.uniform(0.5, 1, 300)
    predicted = []
    for most, rank in ((300, 300), (200, 120)):
        chosen = choose_landmarks(300, most)
        ridge = KernelRidge.decompose(features @ features[chosen].T, weights, chosen, rank)
        assert ridge.eigenvectors.shape == (300, rank)
        predicted.append(fit_ridge(ridge, targets).predict(ridge.project(others @ features[chosen].T)))
    assert (np.diag(np.corrcoef(predicted[0].T, predicted[1].T)[:2, 2:]) > 0.97).all()


def test_with_enough_components_landmarks_are_exact():
    """Features of fewer dimensions than landmarks are recovered whole."""
    random = np.random.default_rng(4)
    features, others = random.normal(size=(90, 10)), random.normal(size=(7, 10))
    targets, weights = random.normal(size=(90, 2)) + features[:, :2], random.uniform(0.2, 1, 90)
    chosen = choose_landmarks(90, 40)
    exact = KernelRidge.decompose(features @ features.T, weights)
    near = KernelRidge.decompose(features @ features[chosen].T, weights, chosen)
    assert len(chosen) == len(set(chosen.tolist())) == 40
    assert near.mean_eigenvalue == pytest.approx(exact.mean_eigenvalue)
    one, other = fit_ridge(exact, targets), fit_ridge(near, targets)
    np.testing.assert_allclose(other.left_out, one.left_out, atol=1e-8)
    np.testing.assert_allclose(
        other.predict(near.project(others @ features[chosen].T)),
        one.predict(exact.project(others @ features.T)),
        atol=1e-8,
    )
    np.testing.assert_allclose(
        others @ features[chosen].T @ other.dual + other.constant,
        one.predict(exact.project(others @ features.T)),
        atol=1e-8,
    )
