import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.metrics import average_precision_score

from latentflix.data.splits import TEST
from latentflix.errors import ModelError
from latentflix.genres.model import GenreConfig, predict_genres, restore_genres, train_genres
from tests.support.factories.genres import QUICK, WORDS, WordEncoder, embed, make_plots, prepare

PREPARED = prepare()


@pytest.fixture(scope="module")
def trained():
    return train_genres(PREPARED.plots, PREPARED.carried, [embed(PREPARED.plots["plot"])], QUICK)


def test_planted_genres_of_unread_plots_are_told(trained):
    unread = PREPARED.plots["part"] == TEST
    truth = PREPARED.carried[unread]
    assert average_precision_score(truth, trained.probabilities[unread], average="macro") > 0.98
    given = trained.probabilities[unread].to_numpy() >= trained.model.thresholds.each
    assert (given == truth.to_numpy()).mean() > 0.95


def test_nothing_is_learned_from_or_chosen_on_test_plots(trained):
    plots, carried = PREPARED.plots.copy(), PREPARED.carried.copy()
    test = (plots["part"] == TEST).to_numpy()
    carried[test] = ~carried[test]
    again = train_genres(plots, carried, [embed(plots["plot"])], QUICK)
    assert again.probabilities.equals(trained.probabilities)
    assert again.model.thresholds.each.tolist() == trained.model.thresholds.each.tolist()


def test_saved_and_read_again_the_model_gives_the_same_answers(trained, tmp_path):
    save_file(trained.model.arrays(), tmp_path / "model.safetensors")
    model = restore_genres(load_file(tmp_path / "model.safetensors"), trained.model.names())
    plots = list(make_plots(20, seed=1)["plot"])
    told, again = (predict_genres(plots, each, WordEncoder())[0] for each in (trained.model, model))
    assert told.equals(again)
    assert model.thresholds.shared == trained.model.thresholds.shared
    assert model.thresholds.each.tolist() == trained.model.thresholds.each.tolist()
    assert model.genres == list(PREPARED.carried)


def test_asked_again_the_model_says_what_it_said_when_it_was_trained(trained):
    told, _ = predict_genres(list(PREPARED.plots["plot"]), trained.model, WordEncoder())
    np.testing.assert_allclose(told, trained.probabilities, atol=1e-5)


def test_weights_that_do_not_fit_their_names_are_refused(trained):
    names = {**trained.model.names(), "genres": ["Western"]}
    with pytest.raises(ModelError, match=r"found: \(3, \d+\); expected: \(1, \d+\)"):
        restore_genres(trained.model.arrays(), names)


def test_the_best_of_what_is_tried_on_validation_is_taken():
    blind_config, blind = embed(["word1"] * len(PREPARED.plots), reading="start")
    tried = QUICK.model_copy(update={"losses": ("plain", "focal"), "n_seeds": 1})
    trained = train_genres(
        PREPARED.plots, PREPARED.carried, [(blind_config, blind), embed(PREPARED.plots["plot"])], tried
    )
    trials = trained.trials
    assert trials["reading"].tolist() == ["start", "start", "slices", "slices"]
    assert trials["chosen"].sum() == 1
    assert trials.loc[trials["chosen"], "average_precision"].item() == trials["average_precision"].max()
    assert trained.model.embedding.reading == "slices"


def test_a_plot_without_words_gets_no_probabilities_and_disturbs_no_other(trained):
    told, notes = predict_genres([" ", WORDS["Horror"]], trained.model, WordEncoder())
    assert told.iloc[0].isna().all()
    alone, _ = predict_genres([WORDS["Horror"]], trained.model, WordEncoder())
    np.testing.assert_allclose(told.iloc[1], alone.iloc[0], atol=1e-6)
    assert told.iloc[1].idxmax() == "Horror"
    assert notes == ["no plot", ""]


def test_a_plot_in_words_that_the_encoder_does_not_know_is_noted_and_still_told(trained):
    told, notes = predict_genres(["幽霊 の 話", "ghost crypt 話"], trained.model, WordEncoder())
    assert notes == ["the model does not know most of the words: is it another language?", ""]
    assert told.notna().all(axis=None)


def test_every_loss_and_resampling_is_tried_unless_said_otherwise():
    assert len(GenreConfig().losses) * len(GenreConfig().resampling) == 8
