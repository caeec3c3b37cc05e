import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from latentflix.errors import NotEnoughData, NotFound
from latentflix.factors.documents import Documents
from latentflix.factors.meanings import scores
from latentflix.factors.meanings.scores import MeaningConfig, best_factors
from latentflix.factors.meanings.similarity import Likeness, WordSimilarity
from tests.support.factories.meanings import make_planted

QUICK = MeaningConfig(permutations=400, bootstraps=200)


@pytest.fixture(scope="module")
def planted():
    return make_planted()


class Given:
    """Likeness that a test gives."""

    name = "given"

    def __init__(self, values):
        self.values = values

    def compare(self, _):
        return Likeness(self.values)


def make_items(n_items, weight=1.0, groups=None):
    ids = pd.Index(range(n_items), name="item_id")
    groups = range(n_items) if groups is None else groups
    return Documents(pd.DataFrame(), pd.DataFrame({"group": groups, "ratings": 50, "weight": weight}, ids), [], 0)


def phrase_of(world, label):
    return " ".join(world.words[tuple(label)][:3])


def test_planted_words_say_where_items_stand_on_their_factor_and_on_no_other(planted):
    world, documents, positions = planted
    words = WordSimilarity.read(documents)
    phrase = phrase_of(world, "A+")
    own, opposite, other = (
        scores.test_meaning(documents, positions, *label, phrase, words, QUICK) for label in ("A+", "A-", "B+")
    )
    assert own.rho > 0.6
    assert own.rho_low < own.rho < own.rho_high
    assert own.p == 1 / 401
    assert own.auc > 0.85
    assert (own.label, own.by, own.items, own.phrase) == ("A+", "words", 60, phrase)
    assert 3 <= own.items_at_pole <= 15
    assert opposite.rho == pytest.approx(-own.rho)
    assert opposite.p == 1
    assert abs(other.rho) < 0.3
    assert other.p > 0.02
    assert scores.test_meaning(documents, positions, "A", "+", f" {phrase}\n", words, QUICK) == own


def test_the_factor_that_a_phrase_fits_best_is_found(planted):
    world, documents, positions = planted
    words = WordSimilarity.read(documents)
    for label in ("A+", "A-", "B+", "B-"):
        best = best_factors(documents, positions, phrase_of(world, label), words, QUICK)
        assert best.index[0] == label
        first = best.iloc[0]
        assert first["p_max"] == 1 / 401
        assert first["rho_low"] < first["rho"] < first["rho_high"]
        assert sorted(best["axis"]) == ["A", "B"]
        assert (best["p_max"] >= best["p"]).all()


def test_rho_and_auc_are_those_of_scipy_and_scikit_learn_with_ties_and_weights():
    random = np.random.default_rng(0)
    values, position = random.integers(0, 5, 40).astype(float), random.normal(size=40)
    repeats = random.integers(1, 4, 40)
    positions = pd.DataFrame({"1": position})
    score = scores.test_meaning(make_items(40, repeats), positions, "1", "-", "x", Given(values), QUICK)
    many, towards = np.repeat(values, repeats), np.repeat(-position, repeats)
    assert score.rho == pytest.approx(spearmanr(many, towards).statistic)
    far = towards > towards.mean() + towards.std()
    assert score.auc == pytest.approx(roc_auc_score(far, many))
    assert score.items_at_pole == (-position > towards.mean() + towards.std()).sum()


def test_p_is_small_in_as_many_trials_of_noise_as_it_says():
    random = np.random.default_rng(1)
    items = make_items(60, random.uniform(0.2, 1, 60), np.repeat(range(40), [1] * 20 + [2] * 20)[:60])
    config = MeaningConfig(permutations=99, bootstraps=20)
    position = pd.DataFrame(random.normal(size=(60, 10)), columns=[str(axis) for axis in range(10)])
    found = [best_factors(items, position, "x", Given(random.normal(size=60)), config) for _ in range(150)]
    alone = np.mean([(table["p"] <= 0.05).mean() for table in found])
    assert 0.03 < alone < 0.075
    assert 0.01 < np.mean([table["p_max"].min() <= 0.05 for table in found]) < 0.1


def test_a_phrase_that_all_items_are_equally_like_is_refused():
    positions = pd.DataFrame({"1": np.arange(20.0)})
    with pytest.raises(NotEnoughData, match="equally like the phrase, so it says nothing.*found: x"):
        best_factors(make_items(20), positions, "x", Given(np.ones(20)), QUICK)


def test_a_factor_on_which_all_items_stand_alike_has_no_score():
    positions = pd.DataFrame({"1": np.ones(20), "2": np.arange(20.0)})
    score = scores.test_meaning(make_items(20), positions, "1", "+", "x", Given(np.arange(20.0)), QUICK)
    assert np.isnan([score.rho, score.rho_low, score.p, score.auc]).all()
    assert list(best_factors(make_items(20), positions, "x", Given(np.arange(20.0)), QUICK).index) == ["2+"]


@pytest.mark.parametrize(("axis", "pole", "message"), [("9", "+", "no such factor"), ("1", "up", "no such pole")])
def test_what_does_not_exist_is_refused(axis, pole, message):
    with pytest.raises(NotFound, match=f"{message}; found: (9|up); expected: (a number from 1 to 1|[+] or -)"):
        scores.test_meaning(make_items(20), pd.DataFrame({"1": range(20)}), axis, pole, "x", Given(np.ones(20)), QUICK)


def test_too_few_items_are_refused():
    with pytest.raises(NotEnoughData, match="too few items to test a phrase on; found: 7 items"):
        best_factors(make_items(7), pd.DataFrame({"1": range(7)}), "x", Given(np.ones(7)), QUICK)
