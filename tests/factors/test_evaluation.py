import warnings

import numpy as np
import pandas as pd
import pytest

from latentflix.factors.evaluation import _Trials
from latentflix.factors.evaluation import evaluate_predictions as evaluate
from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.factors.inference import EvaluationConfig
from latentflix.metrics import grouped_auc

QUICK = EvaluationConfig(permutations=200, bootstraps=200)
LABELS = ["1+", "1-"]


def make_case(signal=1.0, n_items=60, n_folds=3, n_reviews=2, seed=0, random_split=False):
    """Arguments of `evaluate`: items on one axis, and predictions that know of it as much as `signal`."""
    random = np.random.default_rng(seed)
    items = pd.Index(random.permutation(500)[:n_items], name="item_id")
    scores = pd.DataFrame({"1": random.normal(size=n_items)}, index=items)
    item_labels = pd.DataFrame({"item_id": items, "label": np.where(scores["1"] > 0, *LABELS)})
    folds = pd.Series(np.arange(n_items) % n_folds, index=items, name="fold")
    item_ids = pd.Series(np.repeat(items, n_reviews), index=[f"r{row}" for row in range(n_items * n_reviews)])

    def predict(amount, classifiers):
        leaning = amount * scores.loc[item_ids, "1"].to_numpy() + (1 - amount) * random.normal(size=len(item_ids))
        table = pd.DataFrame({"classifier": classifiers, "review_id": item_ids.index})
        return table.assign(**{"1+": 1 / (1 + np.exp(-leaning)), "1-": 1 / (1 + np.exp(leaning))})

    predictions = predict(signal, item_ids.map(folds).astype(str).to_numpy())
    if random_split:
        predictions = pd.concat([predictions, predict(1.0, RANDOM_SPLIT)], ignore_index=True)
    return {
        "predictions": predictions,
        "baseline": predict(0.5, item_ids.map(folds).astype(str).to_numpy()),
        "item_ids": item_ids,
        "folds": folds,
        "item_labels": item_labels,
        "labels": LABELS,
        "inflation": 1.0,
        "config": QUICK,
    }


def test_permutations_keep_items_in_their_folds():
    groups = np.random.default_rng(0).integers(0, 4, 50)
    trials = _Trials.draw(groups, 1.0, QUICK)
    assert trials.orders.shape == (200, 50)
    assert (np.sort(trials.orders, axis=1) == np.arange(50)).all()
    assert (groups[trials.orders] == groups).all()
    assert len(np.unique(trials.orders, axis=0)) == 200


def test_perfect_predictions_are_far_from_chance():
    evaluation = evaluate(**make_case(signal=1.0))
    for label in LABELS:
        row = evaluation.labels.loc[label]
        assert row["auc"] == row["average_precision"] == 1
        assert max(row["auc_p"], row["average_precision_p"]) < 1e-6
    assert evaluation.overall["auc"] == 1
    assert evaluation.overall["auc_p"] < 1e-6


def test_p_values_of_random_predictions_are_uniform():
    p_values = np.array([evaluate(**make_case(signal=0.0, seed=seed)).overall["auc_p"] for seed in range(40)])
    assert 0.35 < p_values.mean() < 0.65
    assert (p_values < 0.05).mean() <= 0.15
    assert p_values.max() > 0.85


def test_the_null_is_chance():
    evaluation = evaluate(**make_case(signal=0.6))
    for table in (evaluation.labels.to_dict("index").values(), [evaluation.overall]):
        for row in table:
            assert row["auc_null"] == pytest.approx(0.5, abs=0.02)
            assert 0.02 < row["auc_null_sd"] < 0.12
            assert row["average_precision_null"] == pytest.approx(row["prevalence"], abs=0.1)


def test_a_null_of_classifiers_that_cannot_learn_anew_is_widened():
    case = make_case(signal=0.4)
    plain, wider = (evaluate(**case | {"inflation": inflation}).overall for inflation in (1.0, 1.5))
    assert wider["auc"] == plain["auc"]
    assert wider["auc_null_sd"] == pytest.approx(1.5 * plain["auc_null_sd"])
    assert wider["auc_p"] > plain["auc_p"]


def test_folds_whose_base_rates_differ_do_not_move_the_null():
    case = make_case(signal=0.0, seed=3)
    fold = case["item_ids"].map(case["folds"]).to_numpy()
    tilted = case["predictions"].assign(**{"1+": case["predictions"]["1+"] * 0.1 - fold})
    evaluation = evaluate(**case | {"predictions": tilted})
    plain = evaluate(**case)
    assert evaluation.labels.loc["1+", "auc"] == pytest.approx(plain.labels.loc["1+", "auc"])
    assert evaluation.labels.loc["1+", "auc_null"] == pytest.approx(plain.labels.loc["1+", "auc_null"])


@pytest.mark.parametrize("signal", [0.3, 0.6])
def test_intervals_contain_the_score_and_more_confidence_makes_them_wider(signal):
    evaluation = evaluate(**make_case(signal))
    for row in (*evaluation.labels.to_dict("index").values(), evaluation.overall):
        for name in ("auc", "average_precision"):
            assert 0 <= row[f"{name}_low"] < row[name] < row[f"{name}_high"] <= 1
    configs = [QUICK.model_copy(update={"confidence": confidence}) for confidence in (0.5, 0.99)]
    narrow, wide = (evaluate(**make_case(signal) | {"config": config}).overall for config in configs)
    assert wide["auc_low"] < narrow["auc_low"] < narrow["auc_high"] < wide["auc_high"]


def test_an_item_is_scored_by_the_mean_over_its_reviews_and_counts_once():
    case = make_case(0.4)
    evaluation = evaluate(**case)
    mean = case["predictions"].set_index("review_id")["1+"].groupby(case["item_ids"]).mean()
    y_true = case["item_labels"].set_index("item_id")["label"].eq("1+").loc[mean.index].to_numpy(float)
    (expected,) = grouped_auc(mean.to_numpy(), case["folds"].loc[mean.index].to_numpy(), y_true[None], np.ones((1, 60)))
    assert evaluation.labels.loc["1+", "auc"] == pytest.approx(expected)
    assert evaluation.overall["auc"] == pytest.approx(evaluation.labels["auc"].mean())
    counts = case["item_labels"]["label"].value_counts()[LABELS]
    assert evaluation.labels["items"].to_dict() == counts.to_dict()
    assert evaluation.labels["prevalence"].tolist() == pytest.approx((counts / 60).tolist())
    assert evaluation.labels["axis"].tolist() == ["1", "1"]
    assert (evaluation.overall["items"], evaluation.overall["reviews"]) == (60, 120)


def test_the_order_of_the_tables_does_not_matter_and_the_same_seed_gives_the_same_scores():
    case = make_case(0.5)
    names = ("predictions", "baseline", "item_ids", "item_labels")
    shuffled = case | {name: case[name].sample(frac=1, random_state=number) for number, name in enumerate(names)}
    first, second = evaluate(**case), evaluate(**shuffled)
    pd.testing.assert_frame_equal(first.labels, second.labels)
    first, again = evaluate(**case), evaluate(**case)
    other = evaluate(**case | {"config": QUICK.model_copy(update={"seed": 1})})
    assert first.overall == again.overall
    assert first.overall["auc"] == other.overall["auc"]
    assert first.overall["auc_low"] != other.overall["auc_low"]


def test_the_baseline_is_scored_on_the_same_items():
    case = make_case(1.0)
    evaluation = evaluate(**case)
    own = evaluate(**case | {"predictions": case["baseline"]})
    for name in ("auc", "average_precision"):
        assert evaluation.labels[f"words_{name}"].tolist() == pytest.approx(own.labels[name].tolist())
    assert 0.5 < evaluation.overall["words_auc"] < 1


def test_a_random_split_is_scored_apart_and_shows_its_leak_or_has_no_score():
    overall = evaluate(**make_case(signal=0.0, random_split=True)).overall
    assert overall["review_auc_random"] == 1
    assert overall["review_auc_grouped"] == pytest.approx(0.5, abs=0.15)
    assert overall["words_review_auc_random"] is None
    assert overall["auc"] < 0.7
    without = evaluate(**make_case()).overall
    assert (without["review_auc_random"], without["review_auc_grouped"]) == (None, 1)


def test_a_label_without_a_positive_has_no_score_and_does_not_count_in_the_mean():
    case = make_case(0.5)
    extra = {name: case[name].assign(**{"2+": 0.5, "2-": 0.5}) for name in ("predictions", "baseline")}
    case |= extra | {"labels": [*LABELS, "2+", "2-"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        evaluation = evaluate(**case)
    row = evaluation.labels.loc["2+"]
    assert row["items"] == 0
    assert row[["auc", "auc_low", "auc_high", "average_precision", "words_auc"]].isna().all()
    assert np.isnan(row["auc_p"])
    assert evaluation.overall["auc"] == pytest.approx(evaluation.labels.loc[LABELS, "auc"].mean())
