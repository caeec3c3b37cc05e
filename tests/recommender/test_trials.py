import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from latentflix.data.splits import SplitConfig
from latentflix.recommender.fit import fit_and_score
from latentflix.recommender.model import CollabConfig, Recommender
from latentflix.recommender.ranking import MEASURES
from latentflix.recommender.trials import TrialConfig, chosen_sentence, compare_trials, trial_configs

TRIALS = (
    ("bias", 0.1, 0.95, 0.91),
    ("neural", 0.1, 0.93, 0.92),
    ("bias", 0.4, 0.90, 0.94),
    ("neural", 0.4, 0.96, 0.90),
)


def make_recommender(model, weight_decay, valid_loss=((1.0, 4.0), (0.25, 0.25))):
    names = ("embeds.0.weight", "embeds.1.weight") if model == "neural" else ("u_weight.weight", "i_weight.weight")
    return Recommender(
        config=CollabConfig(model=model, weight_decay=weight_decay, n_seeds=2),
        scale=(1.0, 5.0),
        y_range=(0.0, 5.5),
        user_ids=np.arange(5),
        item_ids=np.arange(7),
        weights={names[0]: np.zeros((2, 6, 3)), names[1]: np.zeros((2, 8, 4))},
        valid_loss=np.array(valid_loss, np.float32),
        seconds=1.5,
    )


def compare(chosen_by="rmse"):
    scores = [
        {"rmse": rmse, "ensemble_rmse": averaged, "ensemble_mae": 0.7, "best_epoch": 2, "seconds": 1.5, "held_out": 10}
        for *_, rmse, averaged in TRIALS
    ]
    recommenders = [make_recommender(model, weight_decay) for model, weight_decay, *_ in TRIALS]
    return compare_trials(recommenders, scores, TrialConfig(chosen_by=chosen_by))


def chosen(trials):
    return dict(trials.loc[trials["chosen"], ["model", "weight_decay"]].itertuples(index=False))


def test_every_model_is_tried_with_every_weight_decay():
    collab = CollabConfig(epochs=3, n_seeds=32, seed=5, split=SplitConfig(share=0.2))
    configs = trial_configs(collab, TrialConfig(models=("dot", "neural"), weight_decays=(0.0, 0.3), n_seeds=4))
    tried = [(one.model, one.weight_decay) for one in configs]
    assert tried == [("dot", 0.0), ("dot", 0.3), ("neural", 0.0), ("neural", 0.3)]
    changed = {"model", "weight_decay", "n_seeds"}
    assert all(one.model_dump(exclude=changed) == collab.model_dump(exclude=changed) for one in configs)
    assert {one.n_seeds for one in configs} == {4}


@pytest.mark.parametrize(
    "given", [{"weight_decays": (0.1, -0.1)}, {"weight_decays": ()}, {"models": ()}, {"models": ("svd",)}]
)
def test_impossible_trials_are_refused(given):
    with pytest.raises(ValidationError):
        TrialConfig(**given)


@pytest.mark.parametrize(
    ("score", "expected"), [("rmse", {"bias": 0.4, "neural": 0.1}), ("ensemble_rmse", {"bias": 0.1, "neural": 0.4})]
)
def test_the_trial_with_the_lowest_score_is_chosen_for_each_model(score, expected):
    assert chosen(compare(score).trials) == expected


def test_trials_are_sorted_and_say_how_large_their_embeddings_are_and_which_are_chosen():
    trials = compare().trials
    assert trials["rmse"].tolist() == [0.90, 0.93, 0.95, 0.96]
    sizes = trials[["users", "user_width", "items", "item_width", "n_seeds"]]
    assert sizes.drop_duplicates().to_numpy().tolist() == [[6, 3, 8, 4, 2]]
    assert chosen_sentence(trials) == (
        "bias 0.900 RMSE (0.940 averaged over 2 seeds; weight decay 0.4, epoch 2, 2 s); "
        "neural 0.930 RMSE (0.920 averaged over 2 seeds; weight decay 0.1, epoch 2, 2 s)"
    )


def test_a_curve_is_the_mean_error_over_the_seeds_that_have_not_stopped():
    curves = compare().curves
    assert len(curves) == 2 * len(TRIALS)
    of_one = curves[(curves["model"] == "neural") & (curves["weight_decay"] == 0.4)]
    assert of_one[["epoch", "rmse"]].to_numpy().tolist() == [[1, 1.5], [2, 0.5]]
    stopped = make_recommender("bias", 0.1, [[1.0, 4.0], [0.25, np.nan]])
    score = {"rmse": 1, "ensemble_rmse": 1, "ensemble_mae": 1, "best_epoch": 1, "seconds": 1}
    assert compare_trials([stopped], [score], TrialConfig()).curves["rmse"].tolist() == [1.5, 0.5]


def test_a_weight_decay_that_suppresses_the_factors_is_not_chosen(ratings):
    collab = CollabConfig(n_factors=6, epochs=12, batch_size=256, learning_rate=2e-2)
    config = TrialConfig(models=("dot_range", "bias"), weight_decays=(20.0, 0.05))
    fits = [fit_and_score(ratings, one) for one in trial_configs(collab, config)]
    compared = compare_trials(*zip(*fits, strict=True), config)
    trials, curves = compared.trials, compared.curves
    assert chosen(trials) == {"dot_range": 0.05, "bias": 0.05}
    best = trials.groupby("weight_decay")["rmse"].min()
    assert best[0.05] < 0.6 * best[20.0]
    for trial in trials.itertuples():
        own = curves[(curves["model"] == trial.model) & (curves["weight_decay"] == trial.weight_decay)]
        assert own["rmse"].min() == pytest.approx(trial.rmse, rel=0.02)
        assert pd.Index(own["epoch"]).is_monotonic_increasing


def ranked(regularization, ndcg):
    config = CollabConfig(model="als", n_seeds=2, als={"regularization": regularization})
    names = ("u_weight.weight", "i_weight.weight")
    recommender = Recommender(
        config=config,
        scale=(0.0, 1.0),
        y_range=(0.0, 1.0),
        user_ids=np.arange(5),
        item_ids=np.arange(7),
        weights={names[0]: np.zeros((2, 6, 3)), names[1]: np.zeros((2, 8, 3))},
        valid_loss=np.empty((0, 2), np.float32),
        seconds=1.5,
    )
    return recommender, dict.fromkeys(MEASURES, 0.1) | {"ndcg": ndcg, "recall": 0.3, "best_epoch": 15, "seconds": 1.5}


def test_als_is_tried_with_every_regularization():
    collab = CollabConfig(model="als", n_factors=9, n_seeds=32, als={"alpha": 3})
    configs = trial_configs(collab, TrialConfig(regularizations=(0.5, 2), n_seeds=4))
    assert [(one.model, one.als.regularization, one.als.alpha) for one in configs] == [("als", 0.5, 3), ("als", 2, 3)]
    assert {(one.n_factors, one.n_seeds) for one in configs} == {(9, 4)}


def test_the_regularization_with_the_highest_ndcg_is_chosen():
    recommenders, scores = zip(ranked(0.1, 0.2), ranked(1, 0.25), ranked(10, 0.22), strict=True)
    found = compare_trials(recommenders, scores, TrialConfig())
    assert found.trials["regularization"].tolist() == [1, 10, 0.1]
    assert found.trials["chosen"].tolist() == [True, False, False]
    assert found.curves.empty
    assert chosen_sentence(found.trials) == (
        "als recall 0.300 and NDCG 0.250 at 10, popularity 0.100 and 0.100 (regularization 1, 2 s)"
    )
