from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, spearmanr

from latentflix.factors.crossfit import CrossFit
from latentflix.factors.documents import Documents
from latentflix.factors.inference import EvaluationConfig, score_positions
from latentflix.factors.network import NetworkPositions

N, AXES = 120, pd.Index(["1", "2"], name="axis")
CONFIG = EvaluationConfig(bootstraps=400, permutations=200)


def make(signal=(1.0, 0.0), n_repeats=3, seed=0):
    """Positions, and what readers predict of them: the position times `signal`, and noise."""
    random = np.random.default_rng(seed)
    index = pd.Index(np.arange(1, N + 1), name="item_id")
    truth = random.normal(size=(N, 2))
    predicted = np.stack([truth * signal + random.normal(size=(N, 2)) for _ in range(n_repeats)]).astype(np.float32)
    weaker = predicted + 2 * random.normal(size=predicted.shape).astype(np.float32)
    null = random.normal(0, 0.09, (200, 2)).astype(np.float32)
    fit = CrossFit(
        item_ids=index.to_numpy(np.int32),
        folds=np.stack([random.permutation(N) % 5 for _ in range(n_repeats)]),
        held_out={"words": weaker, "topics": weaker, "stacked": predicted, "metadata": weaker},
        beyond=np.stack([np.broadcast_to(truth, predicted.shape), predicted]),
        null=null,
        null_words=null / 1.5,
        reviews=pd.DataFrame(),
    )
    items = pd.DataFrame({"weight": 1.0, "group": np.arange(N), "ratings": np.arange(N)}, index)
    return fit, Documents(pd.DataFrame(), items, [], 0), pd.DataFrame(truth, index, AXES)


def score(fit, documents, positions, network=None, stable=(True, True), without=None):
    return score_positions(fit, documents, positions, pd.Series(stable, AXES), network, CONFIG, without)


@pytest.fixture(scope="module")
def made():
    return make()


@pytest.fixture(scope="module")
def scores(made):
    return score(*made)


def test_a_score_is_the_mean_over_repeats_of_the_correlation_within_folds(made, scores):
    fit, _, positions = made
    for at, axis in enumerate(AXES):
        by_repeat = []
        for predicted, folds in zip(fit.held_out["stacked"], fit.folds, strict=True):
            within = [spearmanr(predicted[folds == f, at], positions.to_numpy()[folds == f, at])[0] for f in range(5)]
            by_repeat.append(np.mean(within))
        assert scores.axes.loc[axis, "rho"] == pytest.approx(np.mean(by_repeat), abs=1e-6)


def test_a_factor_holds_if_chance_hardly_reaches_its_score(scores):
    assert scores.axes["holds"].tolist() == [True, False]
    assert scores.axes.loc["1", ["p", "p_max", "q"]].tolist() == [1 / 201, 1 / 201, 2 / 201]
    assert scores.axes.loc["2", "p"] > 0.05
    assert scores.axes.loc["2", "p_max"] >= scores.axes.loc["2", "p"]
    assert scores.summary()["factors_that_hold"] == 1


def test_intervals_cover_the_true_correlation_about_as_often_as_they_say():
    # Spearman's correlation of two normal variables whose Pearson's is the root of a half.
    true = 6 / np.pi * np.arcsin(np.sqrt(0.5) / 2)
    covered = []
    for seed in range(20):
        axes = score(*make((1.0, 1.0), n_repeats=1, seed=seed)).axes
        covered += list((axes["rho_low"] <= true) & (true <= axes["rho_high"]))
    assert 33 <= sum(covered) <= 40


def test_readers_stand_beside_the_judge_with_its_lead_over_each(scores):
    assert scores.readers.index.tolist() == ["stacked", "words", "topics", "metadata"]
    lead = scores.readers.loc["words"]
    judge = scores.readers.loc["stacked"]
    assert lead["difference"] == pytest.approx(judge["mean_rho"] - lead["mean_rho"])
    assert 0 < lead["difference_low"] < lead["difference"] < lead["difference_high"]
    assert np.isnan(judge["difference"])
    assert scores.axes.loc["1", "difference_words"] == pytest.approx(
        scores.axes.loc["1", "rho"] - scores.axes.loc["1", "rho_words"]
    )


def test_a_single_reader_of_words_is_the_judge_and_has_no_lead_to_make_up():
    fit, documents, positions = make()
    judge, yardstick = fit.held_out["stacked"], fit.held_out["metadata"]
    alone = {"words": judge, "stacked": judge, "metadata": yardstick}
    scores = score(CrossFit(**{**vars(fit), "held_out": alone}), documents, positions)
    assert scores.readers.loc["words", ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert scores.axes["rho_words"].equals(scores.axes["rho"].rename("rho_words"))


def test_means_are_over_stable_factors_and_verdicts_over_all(made):
    scores = score(*made, stable=(False, True))
    assert scores.readers.loc["stacked", "mean_rho"] == pytest.approx(scores.axes.loc["2", "rho"])
    assert scores.axes.loc["1", "holds"]


def test_the_null_of_the_network_is_as_much_wider_as_that_of_readers_that_learn_anew(made):
    positions = made[2]
    assert score(*made).inflation == pytest.approx(1.5)
    table = positions[["1"]] + np.random.default_rng(3).normal(size=(N, 1)) * 4
    network = NetworkPositions(table, pd.Series(0, positions.index), pd.DataFrame())
    scores = score(*made, network=network)
    rho = spearmanr(table["1"], positions["1"])[0]
    assert scores.axes.loc["1", "rho_network"] == pytest.approx(rho, abs=1e-6)
    # Of 120 items the null has a deviation of 1 / sqrt(119).
    assert scores.axes.loc["1", "network_p"] == pytest.approx(norm.sf(rho * np.sqrt(119) / 1.5), abs=0.03)
    assert scores.axes.loc["2", ["rho_network", "network_p"]].isna().all()
    assert scores.readers.loc["network", "mean_rho"] == pytest.approx(rho, abs=1e-6)
    assert scores.summary()["mean_rho_network"] == pytest.approx(rho, abs=1e-6)


def test_what_words_add_is_scored_against_what_is_left(made, scores):
    assert scores.axes["beyond"].tolist() == pytest.approx(scores.axes["rho"].tolist())
    assert scores.summary()["mean_rho_beyond_metadata"] == pytest.approx(scores.axes["beyond"].mean())


def test_without_permutations_nothing_holds():
    fit, documents, positions = make()
    fit = CrossFit(**{**vars(fit), "null": fit.null[:0], "null_words": fit.null[:0]})
    assert not score(fit, documents, positions).axes["holds"].any()


def test_what_a_kind_of_text_adds_is_the_paired_difference_with_its_interval(made):
    fit, documents, positions = made
    parts = pd.DataFrame({"item_id": [1, 1, 2], "kind": ["review", "review", "plot"]})
    without = {"review": fit.held_out["words"], "plot": fit.held_out["stacked"]}
    scores = score(fit, replace(documents, parts=parts), positions, stable=(True, False), without=without)
    assert scores.kinds[["items", "parts"]].to_numpy().tolist() == [[1, 2], [1, 1]]
    review, plot = scores.kinds.loc["review"], scores.kinds.loc["plot"]
    judge, words = scores.readers.loc["stacked"], scores.readers.loc["words"]
    assert review["mean_rho_without"] == words["mean_rho"]
    assert review[["difference", "difference_low", "difference_high"]].tolist() == (
        words[["difference", "difference_low", "difference_high"]].tolist()
    )
    assert review["difference_low"] > 0
    assert plot["mean_rho_without"] == judge["mean_rho"]
    assert plot[["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert score(*made).kinds.empty
