import numpy as np
import pandas as pd
import pytest
from latentflix.text.predictions import PredictionConfig

from latentflix.errors import ModelError
from latentflix.sentiment.classifier import NETWORK
from latentflix.sentiment.model import (
    BOTH,
    SentimentConfig,
    SentimentPredictor,
    choose_predictor,
    restore_sentiment,
)
from latentflix.sentiment.tfidf import BASELINE, WORDS
from latentflix.text.cleaning import NO_TEXT, NOT_UTF8, UNKNOWN_WORDS
from tests.support.factories.sentiment import small_model

GOOD = "Word1 superb wonderful word2 great charming."
BAD = "Word1 dull awful word2 boring terrible."
AWKWARD = {
    "one word": "superb",
    "long": f"{GOOD} " * 25_000,
    "one endless word": "x" * 2**20,
    "another language": "これは映画の感想です。とても良かった。",
    "html": f"<br /><p>{GOOD}</p>&amp;&#39;<script>alert(1)</script>",
    "emoji": f"🎬🍿 {GOOD} 👍🏽",
    "nul": f"nul \x00 {GOOD}",
    "half a surrogate pair": f"\ud83d {GOOD}",
    "capitals": "A" * 5000 + "a",
    "repeats": "so " * 5000,
}


def predict(texts, predictor=BOTH, batch_size=64, **options):
    model = small_model(predictor, **options).model
    return SentimentPredictor(model, PredictionConfig(batch_size=batch_size)).predict(texts)


def planted_logits(network=1.0, words=1.0, n_items=150, seed=0):
    """Logits of which each part sees the truth as well as its factor says, independently of the other."""
    random = np.random.default_rng(seed)
    index = pd.Index([f"r{number}" for number in range(4 * n_items)], name="review_id")
    reviews = pd.DataFrame({"positive": random.random(len(index)) < 0.5}, index)
    reviews["film"] = [f"f{number // 4}" for number in range(len(index))]
    reviews["part"] = np.where(np.arange(len(index)) < 3 * n_items, "valid", "test")
    sign = np.where(reviews["positive"], 1, -1)
    logits = {
        name: 3 * (sign * factor + random.normal(size=len(index)))
        for name, factor in ((NETWORK, network), (WORDS, words))
    }
    logits[BASELINE] = random.normal(size=len(index))
    return pd.DataFrame(logits, index), reviews


@pytest.mark.parametrize(
    ("network", "words", "best"), [(1.0, 1.0, BOTH), (2.0, 0.0, (NETWORK, BOTH)), (0.0, 2.0, (WORDS, BOTH))]
)
def test_the_predictor_that_knows_most_is_chosen(network, words, best):
    logits, reviews = planted_logits(network, words)
    chosen = choose_predictor(logits, reviews, SentimentConfig())
    assert chosen.predictor in best
    trials = chosen.trials.set_index("predictor").drop(index=BASELINE)
    assert trials["log_loss"].idxmin() == chosen.predictor
    worst = trials["log_loss"].idxmax()
    assert worst == {(1.0, 1.0): worst, (2.0, 0.0): WORDS, (0.0, 2.0): NETWORK}[network, words]


def test_a_part_that_knows_nothing_does_not_always_win_by_being_one_more():
    chosen = [choose_predictor(*planted_logits(0.0, 1.0, seed=seed), SentimentConfig()).predictor for seed in range(8)]
    assert chosen.count(WORDS) >= 4
    assert NETWORK not in chosen


def test_the_baseline_is_never_chosen_however_good_it_is():
    logits, reviews = planted_logits(0.5, 0.5)
    logits[BASELINE] = np.where(reviews["positive"], 9.0, -9.0)
    chosen = choose_predictor(logits, reviews, SentimentConfig())
    assert chosen.trials.set_index("predictor")["log_loss"].idxmin() == BASELINE
    assert chosen.predictor == BOTH


def test_bold_logits_become_probabilities_that_hold():
    logits, reviews = planted_logits(n_items=1000)
    chosen = choose_predictor(logits * 10, reviews, SentimentConfig())
    test = reviews["part"] == "test"
    said, truth = chosen.probabilities.loc[test, BOTH], reviews.loc[test, "positive"]
    confident = said > 0.9
    assert truth[confident].mean() == pytest.approx(said[confident].mean(), abs=0.03)


def test_test_labels_are_nothing_to_the_choice():
    logits, reviews = planted_logits()
    swapped = reviews.assign(positive=reviews["positive"] ^ (reviews["part"] == "test"))
    one, other = (choose_predictor(logits, table, SentimentConfig()) for table in (reviews, swapped))
    pd.testing.assert_frame_equal(one.trials, other.trials)
    pd.testing.assert_frame_equal(one.probabilities, other.probabilities)


@pytest.mark.parametrize("predictor", [NETWORK, WORDS, BOTH])
@pytest.mark.parametrize("backward", [False, True])
def test_texts_get_what_the_stages_said_of_them(predictor, backward):
    small = small_model(predictor, backward)
    said = small.chosen.probabilities[predictor]
    told, notes = predict(list(small.reviews.loc[said.index, "text"]), predictor, backward=backward)
    np.testing.assert_allclose(told, said, atol=1e-4)
    assert set(notes) == {""}


@pytest.mark.parametrize("name", list(AWKWARD))
def test_an_awkward_text_is_predicted_and_shifts_no_other(name):
    plain, _ = predict([GOOD, BAD])
    told, notes = predict([GOOD, AWKWARD[name], BAD])
    np.testing.assert_allclose(told[[0, 2]], plain, atol=1e-5)
    assert plain[0] > 0.5 > plain[1]
    assert 0 <= told[1] <= 1
    assert notes[0] == notes[2] == ""


@pytest.mark.parametrize("name", ["one word", "long", "html", "emoji", "nul", "half a surrogate pair"])
def test_what_is_around_the_words_does_not_hide_the_mood(name):
    assert predict([AWKWARD[name]])[0][0] > 0.5


def test_a_text_of_unknown_words_is_noted():
    assert predict([AWKWARD["another language"]])[1] == [UNKNOWN_WORDS]


@pytest.mark.parametrize(("text", "note"), [("", NO_TEXT), (" \n\t", NO_TEXT), (None, NO_TEXT), (b"caf\xe9", NOT_UTF8)])
def test_a_text_that_cannot_be_read_is_refused_by_row(text, note):
    told, notes = predict([GOOD, text, BAD, text])
    assert np.isnan(told).tolist() == [False, True, False, True]
    assert notes == ["", note, "", note]
    np.testing.assert_allclose(told[[0, 2]], predict([GOOD, BAD])[0], atol=1e-5)


def test_the_order_given_is_the_order_returned_whatever_the_batch():
    random = np.random.default_rng(0)
    texts = [" ".join(f"word{number}" for number in random.integers(0, 200, length)) for length in range(1, 90)]
    shuffled = random.permutation(len(texts))
    told, _ = predict(texts, batch_size=7)
    again, _ = predict([texts[row] for row in shuffled], batch_size=64)
    np.testing.assert_allclose(again, told[shuffled], atol=1e-5)
    assert len(np.unique(told.round(4))) > 20


def test_nothing_to_tell_is_no_error():
    told, notes = predict([])
    assert told.shape == (0,)
    assert notes == []


def changed(**arrays):
    model = small_model(BOTH).model
    return {**model.arrays(), **arrays}, model.names()


def test_a_vocabulary_of_another_encoder_is_refused():
    arrays, names = changed()
    names["vocabulary"] = [*names["vocabulary"], "more"]
    with pytest.raises(ModelError, match="weights do not fit the model; where: 0.module.encoder.weight"):
        SentimentPredictor(restore_sentiment(arrays, names))


def test_weights_of_another_size_are_refused():
    layer = "network/0.module.rnns.0.weight_hh_l0_raw"
    arrays, names = changed()
    arrays[layer] = arrays[layer][:, :-1]
    with pytest.raises(ModelError, match="weights do not fit the model; where: 0.module.rnns.0"):
        SentimentPredictor(restore_sentiment(arrays, names))


def test_a_model_that_lacks_a_part_is_refused():
    arrays, names = changed()
    without = {name: array for name, array in arrays.items() if not name.startswith("network/")}
    with pytest.raises(ModelError, match="not the weights of a model of sentiment; found: mixture, words"):
        restore_sentiment(without, names)
    with pytest.raises(ModelError, match="a mixture of 3 numbers for both"):
        restore_sentiment({**arrays, "mixture": np.ones(2)}, names)


def test_words_that_do_not_fit_are_refused():
    arrays, names = changed()
    arrays["words/coefficients"] = arrays["words/coefficients"][:, :-1]
    with pytest.raises(ModelError, match="weights of words do not fit their names; where: coefficients"):
        restore_sentiment(arrays, names)
