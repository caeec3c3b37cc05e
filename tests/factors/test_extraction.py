import numpy as np
import pandas as pd
import pytest
from scipy.stats import ortho_group

from latentflix.errors import NotEnoughData
from latentflix.factors.extraction import FactorConfig, extract_factors
from latentflix.factors.stability import STABILITY, match_axes
from latentflix.recommender.fit import fit_recommender
from latentflix.recommender.latent_factors import ItemFactors, LatentFactors
from latentflix.recommender.model import CollabConfig, seed_fits
from tests.support.synthetic_world import make_world

N_ITEMS, N_USERS = 120, 400
WEIGHTS = np.array([2.0, 1.4, 0.9])
ITEMS = np.arange(7, 7 + N_ITEMS)
FREQUENT = pd.Series(50, index=ITEMS)
CONFIG = FactorConfig(n_axes=3)
# Normal scores, such as those of the synthetic world, are alike in every rotation, so varimax has nothing to find.
PRINCIPAL = FactorConfig(n_axes=3, rotation="pca")


def skewed_scores(seed=0, n_items=N_ITEMS):
    drawn = np.random.default_rng(seed).exponential(size=(n_items, len(WEIGHTS)))
    return drawn - drawn.mean(0)


def make_fit(item_factors, user_factors, item_ids=ITEMS):
    item_factors, user_factors = np.float32(item_factors), np.float32(user_factors)
    biases = np.zeros(len(user_factors), np.float32), np.zeros(len(item_factors), np.float32)
    return LatentFactors(np.arange(len(user_factors)), item_ids, user_factors, item_factors, *biases)


def synthetic_fit(seed, scores, n_factors=6, noise=0.05):
    random = np.random.default_rng(seed)
    rotation = ortho_group.rvs(n_factors, random_state=seed)
    items = random.normal(0, noise, (len(scores), n_factors))
    items[:, : len(WEIGHTS)] += scores * WEIGHTS
    return make_fit(items @ rotation, random.normal(size=(N_USERS, n_factors)) @ rotation)


def synthetic_fits(seeds, **options):
    return [synthetic_fit(seed, skewed_scores(), **options) for seed in seeds]


def half_fit(seed, scores, item_ids=ITEMS, **options):
    """A fit on half of the users, of which only what the item loadings need is kept."""
    fit = synthetic_fit(seed, scores, **options)
    return ItemFactors(item_ids, fit.item_factors, fit.user_covariance)


def rotated(fit, seed):
    rotation = ortho_group.rvs(fit.item_factors.shape[1], random_state=seed)
    return make_fit(fit.item_factors @ rotation, fit.user_factors @ rotation)


def correlations(left, right):
    return np.corrcoef(left, right, rowvar=False)[: left.shape[1], left.shape[1] :]


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def fits(world):
    config = CollabConfig(n_factors=6, epochs=5, batch_size=256, learning_rate=2e-2, weight_decay=0.05, n_seeds=4)
    return seed_fits(fit_recommender(world.ratings, config))


def count_ratings(world):
    return world.ratings["item_id"].value_counts()


def test_synthetic_factors_are_recovered_from_ratings_and_no_more_axes_are_stable(world, fits):
    factors = extract_factors(fits, count_ratings(world), PRINCIPAL)
    partner, strength = match_axes(world.true_factors.to_numpy(), factors.scores.to_numpy())
    assert partner.tolist() == [0, 1, 2]
    assert (strength > 0.9).all()
    assert factors.axes["stable"].all()
    axes = extract_factors(fits, count_ratings(world), FactorConfig(n_axes=6, rotation="pca")).axes
    assert axes["stable"].tolist() == [True, True, True, False, False, False]


def test_raw_axes_are_the_first_fits_own_and_differ_from_seed_to_seed_where_principal_axes_agree(world, fits):
    def diagonal(rotation):
        config = FactorConfig(n_axes=3, rotation=rotation)
        first, second = (extract_factors(half, count_ratings(world), config).scores for half in (fits[:2], fits[2:]))
        return np.diag(correlations(first.to_numpy(), second.to_numpy()))

    assert (diagonal("pca") > 0.97).all()
    assert np.abs(diagonal("none")).mean() < 0.8
    factors = extract_factors(fits, count_ratings(world), FactorConfig(rotation="none"))
    np.testing.assert_allclose(np.abs(np.diag(correlations(factors.scores, fits[0].item_factors))), 1, atol=1e-5)
    assert not factors.axes["stable"].all()


def test_rotating_a_fit_changes_no_score():
    fits = synthetic_fits(range(4))
    changed = [fits[0], rotated(fits[1], 5), rotated(fits[2], 6), rotated(fits[3], 7)]
    plain, other = (extract_factors(group, FREQUENT, CONFIG) for group in (fits, changed))
    np.testing.assert_allclose(plain.scores, other.scores, atol=1e-4)
    null = ["stability_null", "stability_null_95", "stability_p"]
    pd.testing.assert_frame_equal(plain.axes.drop(columns=null), other.axes.drop(columns=null), atol=1e-5)


def test_axes_come_in_the_order_of_the_variance_they_explain_and_two_runs_agree_in_their_signs():
    axes = extract_factors(synthetic_fits(range(4)), FREQUENT, FactorConfig(n_axes=6)).axes
    assert list(axes.index) == ["1", "2", "3", "4", "5", "6"]
    assert axes["explained"].is_monotonic_decreasing
    assert 0.97 < axes["explained"].iloc[:3].sum() < axes["explained"].sum() <= 1 + 1e-9
    first, second = (extract_factors(synthetic_fits(seeds), FREQUENT, CONFIG).scores for seeds in ((0, 1), (2, 3)))
    assert (np.diag(correlations(first, second)) > 0.99).all()


def test_varimax_finds_skewed_factors_that_principal_axes_mix():
    alike = [synthetic_fit(seed, skewed_scores() / WEIGHTS) for seed in range(4)]
    strength = {
        rotation: match_axes(skewed_scores(), extract_factors(alike, FREQUENT, config).scores.to_numpy())[1]
        for rotation, config in (("varimax", CONFIG), ("pca", PRINCIPAL))
    }
    assert (strength["varimax"] > 0.95).all()
    assert strength["pca"].min() < 0.9


def test_frequently_rated_items_influence_the_axes_more():
    n_ratings = pd.Series(np.where(np.arange(N_ITEMS) < 10, 10_000, 30), index=ITEMS)
    config = CONFIG.model_copy(update={"rotation": "pca"})
    weighted, alike = (
        extract_factors(synthetic_fits(range(2)), n_ratings, config.model_copy(update={"rating_weight": power})).scores
        for power in (1, 0)
    )

    def mean_product(scores):
        product = scores.iloc[:10].T @ scores.iloc[:10] / 10
        return np.abs(product.to_numpy()[np.triu_indices(3, 1)]).mean()

    assert mean_product(weighted) < 0.1 * mean_product(alike)


def test_the_table_of_the_axes_holds_their_properties():
    factors = extract_factors(synthetic_fits(range(4)), FREQUENT, CONFIG)
    assert list(factors.axes.columns) == [
        *("rotation", "explained", "stability", "stability_null", "stability_null_95", "stability_p", "stable"),
        *("people", "people_null_95", "people_full", "shared"),
        *("positive_items", "negative_items", "positive_share", "negative_share"),
    ]
    assert factors.axes["rotation"].tolist() == ["varimax"] * 3
    assert (factors.axes["stability_null"] < factors.axes["stability_null_95"]).all()
    assert (factors.axes["stability_null_95"] < factors.axes["stability"]).all()


def test_scores_have_unit_deviation_and_poles_are_counted_over_the_frequently_rated_items():
    n_ratings = pd.Series(np.where(np.arange(N_ITEMS) % 3, 30, 29), index=ITEMS)
    factors = extract_factors(synthetic_fits(range(2)), n_ratings, CONFIG.model_copy(update={"pole_from": 1.5}))
    assert factors.scores.shape == (N_ITEMS, 3)
    assert (factors.scores.dtypes == np.float32).all()
    scores, axes = factors.scores[n_ratings >= 30], factors.axes
    np.testing.assert_allclose(scores.std(ddof=0), 1, rtol=1e-5)
    np.testing.assert_allclose(scores.mean(), 0, atol=1e-6)
    assert axes["positive_items"].tolist() == (scores >= 1.5).sum().tolist()
    assert axes["negative_items"].tolist() == (scores <= -1.5).sum().tolist()
    np.testing.assert_allclose(axes["positive_share"], axes["positive_items"] / 80)
    np.testing.assert_allclose(axes["negative_share"], axes["negative_items"] / 80)
    assert (axes["positive_items"] > axes["negative_items"]).all()


def test_the_longer_tail_of_the_frequently_rated_items_is_the_positive_one():
    fits = synthetic_fits(range(2))
    upside_down = [make_fit(-fit.item_factors, fit.user_factors) for fit in fits]
    for group in (fits, upside_down):
        scores = extract_factors(group, FREQUENT, CONFIG).scores.to_numpy()
        assert (scores.max(0) > -scores.min(0)).all()
    scores = np.repeat([[-3.0], [0.0], [3.0]], [10, 100, 10], axis=0) + np.random.default_rng(0).normal(
        0, 0.1, (120, 3)
    )
    fits = [synthetic_fit(seed, scores * [1, 0.1, 0.1], noise=0.01) for seed in range(2)]
    for tail in (slice(0, 10), slice(110, 120)):
        n_ratings = FREQUENT.copy()
        n_ratings.iloc[tail] = 500
        factors = extract_factors(fits, n_ratings, FactorConfig(n_axes=1, rating_weight=0))
        assert (factors.scores.iloc[tail, 0] > 2).all()


def test_a_rarely_rated_item_has_scores_but_no_influence():
    outlier = skewed_scores()
    outlier[4] += 100
    n_ratings = FREQUENT.copy()
    n_ratings[ITEMS[4]] = 2
    plain, other = (
        extract_factors([synthetic_fit(seed, scores) for seed in range(2)], n_ratings, CONFIG).scores
        for scores in (skewed_scores(), outlier)
    )
    np.testing.assert_allclose(plain.drop(ITEMS[4]), other.drop(ITEMS[4]), atol=1e-5)
    assert other.loc[ITEMS[4]].abs().max() > 10


def test_axes_of_noise_are_unstable():
    random = np.random.default_rng(0)
    fits = [make_fit(random.normal(size=(N_ITEMS, 6)), random.normal(size=(N_USERS, 6))) for _ in range(4)]
    axes = extract_factors(fits, FREQUENT, FactorConfig(n_axes=6)).axes
    assert axes["stability"].max() < 0.6
    assert not axes["stable"].any()


def test_a_factor_that_only_one_half_of_the_users_has_is_not_shared():
    # All users care for four factors, but only those with an even id for the last.
    random = np.random.default_rng(0)
    items = random.exponential(size=(100, 5)) * (random.random((100, 5)) < 0.4)
    items -= items.mean(0)
    tastes = random.normal(size=(400, 5))
    tastes[1::2, 4] = 0
    stars = 3 + 0.6 * tastes @ items.T + random.normal(0, 0.2, (400, 100))
    users, rated = np.nonzero(random.random(stars.shape) < 0.7)
    ratings = pd.DataFrame({"user_id": users, "item_id": rated, "rating": stars[users, rated].clip(1, 5)})

    def fit(chosen, seed):
        options = {"n_factors": 6, "epochs": 6, "batch_size": 256, "learning_rate": 2e-2, "weight_decay": 0.05}
        return seed_fits(fit_recommender(ratings[chosen], CollabConfig(**options, n_seeds=2, seed=seed)))

    pair = fit(users % 2 == 0, 10), fit(users % 2 == 1, 20)
    config = FactorConfig(n_axes=5, rating_weight=0, n_rotations=100)
    factors = extract_factors(fit(users >= 0, 0), ratings["item_id"].value_counts(), config, [pair])
    partner, strength = match_axes(items, factors.scores.to_numpy())
    assert strength.min() > 0.8
    axes = factors.axes.iloc[partner]
    assert axes["shared"].tolist() == [True] * 4 + [False]
    assert axes["people"].iloc[:4].min() > 0.9
    assert axes["people_full"].iloc[4] < 0.6


def test_people_are_the_mean_over_the_pairs_and_shared_takes_the_bound_and_more_than_chance():
    fits = synthetic_fits(range(2))
    pairs = [
        tuple([half_fit(seed, skewed_scores(), noise=noise)] for seed in seeds)
        for noise, seeds in ((0.6, (10, 11)), (0.9, (12, 13)))
    ]
    one, other, both = (extract_factors(fits, FREQUENT, CONFIG, some).axes for some in (pairs[:1], pairs[1:], pairs))
    np.testing.assert_allclose(both["people"], (one["people"] + other["people"]) / 2)
    assert not np.allclose(one["people"], other["people"])
    # A mean over pairs varies less by chance than one pair does.
    assert (both["people_null_95"] < (one["people_null_95"] + other["people_null_95"]) / 2).all()
    np.testing.assert_allclose(both["people_full"], 2 * both["people"] / (1 + both["people"]))
    between = both["people_full"].median()
    bounded = extract_factors(fits, FREQUENT, CONFIG.model_copy(update={"shared_from": between}), pairs).axes
    above_chance = both["people"] > both["people_null_95"]
    assert bounded["shared"].equals((both["people_full"] >= between) & above_chance)
    # A single axis cannot be rotated, so chance reaches what is measured.
    alone = extract_factors(fits, FREQUENT, FactorConfig(n_axes=1), pairs).axes
    assert alone["people"].iloc[0] == pytest.approx(alone["people_null_95"].iloc[0])
    assert not alone["shared"].iloc[0]


def test_halves_of_noise_share_nothing():
    random = np.random.default_rng(0)
    halves = [[half_fit(seed, random.normal(size=(N_ITEMS, 3)))] for seed in range(4)]
    axes = extract_factors(synthetic_fits(range(2)), FREQUENT, CONFIG, [tuple(halves[:2]), tuple(halves[2:])]).axes
    assert axes["people"].max() < 0.3
    assert not axes["shared"].any()
    assert axes["stable"].all()


def test_an_item_that_a_half_lacks_is_left_out_of_its_pair():
    outlying = skewed_scores()
    outlying[5] += 30
    whole = [half_fit(10, outlying)]
    without = [half_fit(11, np.delete(skewed_scores(), 5, 0), np.delete(ITEMS, 5))]
    fits, n_ratings = synthetic_fits(range(2)), FREQUENT.copy()
    axes = extract_factors(fits, n_ratings, PRINCIPAL, [(whole, without)]).axes
    n_ratings.iloc[5] = 0
    expected = extract_factors(fits, n_ratings, PRINCIPAL, [(whole, without)]).axes
    np.testing.assert_allclose(axes["people"], expected["people"], atol=0.05)
    assert axes["people"].min() > 0.9


def test_without_halves_nothing_is_known_of_other_people():
    axes = extract_factors(synthetic_fits(range(2)), FREQUENT, CONFIG).axes
    assert axes[["people", "people_null_95", "people_full"]].isna().all(axis=None)
    assert not axes["shared"].any()


@pytest.mark.parametrize("n_frequent", [0, 2, 3])
def test_three_items_suffice_and_fewer_are_refused(n_frequent):
    n_ratings = pd.Series(np.where(np.arange(N_ITEMS) < n_frequent, 30, 29), index=ITEMS)
    if n_frequent < 3:
        message = f"{n_frequent} items with 30 ratings or more; expected: at least 3;.*lower --factors.min-ratings"
        with pytest.raises(NotEnoughData, match=message):
            extract_factors(synthetic_fits(range(2)), n_ratings, CONFIG)
    else:
        factors = extract_factors(synthetic_fits(range(2)), n_ratings, CONFIG)
        assert list(factors.axes.index) == ["1", "2"]
        assert np.isfinite(factors.scores.to_numpy()).all()


def test_one_fit_shows_no_stability_so_that_all_its_factors_are_used():
    axes = extract_factors(synthetic_fits([0]), FREQUENT, CONFIG).axes
    assert axes[STABILITY].isna().all(axis=None)
    assert axes["stable"].all()


def test_raw_axes_keep_their_names_their_order_and_their_sign():
    (fit,) = synthetic_fits([0])
    names = [f"d{number}" for number in range(fit.item_factors.shape[1])]
    named = ItemFactors(fit.item_ids, fit.item_factors, fit.user_covariance, names)
    found = extract_factors([named], FREQUENT, CONFIG.model_copy(update={"rotation": "none"}))
    assert list(found.axes.index) == list(found.scores) == names
    correlations = [np.corrcoef(found.scores[name], fit.item_factors[:, at])[0, 1] for at, name in enumerate(names)]
    assert correlations == pytest.approx([1] * len(names), abs=1e-6)
