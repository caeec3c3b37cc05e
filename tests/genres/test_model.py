from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from latentflix.data.splits import TEST
from latentflix.errors import ModelError
from latentflix.genres.model import GenreConfig, TrainedGenres, predict_genres, train_genres
from tests.support.factories.genres import QUICK, WORDS, WordEncoder, embed, make_plots, prepare, save, train_small

PREPARED = prepare()
PLOTS = PREPARED.plot_summaries


@pytest.fixture(scope="module")
def trained():
    return train_small()


def test_genres_of_unread_plots_are_predicted(trained):
    unread = PLOTS["part"] == TEST
    has_genre = PREPARED.has_genre[unread]
    assert average_precision_score(has_genre, trained.probabilities[unread], average="macro") > 0.98
    predicted = trained.probabilities[unread].to_numpy() >= trained.model.thresholds.each
    assert (predicted == has_genre.to_numpy()).mean() > 0.95


def test_nothing_is_learned_from_or_chosen_on_test_plots(trained):
    test = (PLOTS["part"] == TEST).to_numpy()
    flipped = PREPARED.has_genre ^ test[:, None]
    again = train_genres(PLOTS, flipped, [embed(PLOTS["plot"])], QUICK)
    assert again.probabilities.equals(trained.probabilities)
    assert again.model.thresholds.each.tolist() == trained.model.thresholds.each.tolist()


def test_a_model_predicts_the_same_as_when_it_was_trained_and_when_it_was_saved(trained, store):
    predicted, _ = predict_genres(list(PLOTS["plot"]), trained.model, WordEncoder())
    np.testing.assert_allclose(predicted, trained.probabilities, atol=1e-5)
    model = store.read_field(save(trained.model, store), TrainedGenres, "model")
    plots = list(make_plots(20, seed=1)["plot"])
    saved, loaded = (predict_genres(plots, each, WordEncoder())[0] for each in (trained.model, model))
    assert saved.equals(loaded)
    assert model.thresholds.shared == trained.model.thresholds.shared
    assert model.thresholds.each.tolist() == trained.model.thresholds.each.tolist()
    assert model.genres == list(PREPARED.has_genre)


def test_thresholds_that_do_not_fit_the_genres_are_refused(trained):
    with pytest.raises(ModelError, match="found: 3 thresholds; expected: 1, one for each genre"):
        replace(trained.model, genres=["Western"])


def test_the_best_trial_on_validation_is_used_and_every_loss_and_resampling_tried_by_default():
    blind_config, blind = embed(["word1"] * len(PLOTS), long_texts="head")
    tried = QUICK.model_copy(update={"losses": ("plain", "focal"), "n_seeds": 1})
    trained = train_genres(PLOTS, PREPARED.has_genre, [(blind_config, blind), embed(PLOTS["plot"])], tried)
    trials = trained.trials
    assert trials["reading"].tolist() == ["head", "head", "chunks", "chunks"]
    assert trials["chosen"].sum() == 1
    assert trials.loc[trials["chosen"], "average_precision"].item() == trials["average_precision"].max()
    assert trained.model.embedding.long_texts == "chunks"
    assert len(GenreConfig().losses) * len(GenreConfig().resampling) == 8


def test_a_plot_without_words_gets_no_probabilities_and_leaves_the_others_as_they_are(trained):
    predicted, notes = predict_genres([" ", WORDS["Horror"]], trained.model, WordEncoder())
    assert predicted.iloc[0].isna().all()
    alone, _ = predict_genres([WORDS["Horror"]], trained.model, WordEncoder())
    np.testing.assert_allclose(predicted.iloc[1], alone.iloc[0], atol=1e-6)
    assert predicted.iloc[1].idxmax() == "Horror"
    assert notes == ["no text", ""]


def test_a_plot_in_words_that_the_encoder_does_not_know_is_noted_and_still_predicted(trained):
    predicted, notes = predict_genres(["幽霊 の 話", "ghost crypt 話"], trained.model, WordEncoder())
    assert notes == ["the model does not know most of the words: is it another language?", ""]
    assert predicted.notna().all(axis=None)
