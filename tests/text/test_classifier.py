import re

import numpy as np
import pytest
import torch

from latentflix.errors import ModelError, TrainingError
from latentflix.text.classifier import (
    RATE_DECAY,
    FineTuningConfig,
    build_classifier,
    pooled_states,
    predict_proba,
    read_reviews,
    restore_classifier,
    train_classifier,
    unfreezing_steps,
)
from latentflix.text.language_model import LanguageModel, model_weights
from tests.support.factories.corpus import SIZES, VOCABULARY, draw_reviews, untrained_language_model

NO_EPOCHS = {f"{step}_epochs": 0 for step in ("frozen", "last_two", "last_three", "all")}
CONFIG = FineTuningConfig()


REVIEWS, INDICATORS = draw_reviews(range(5, 35)), np.float32(np.arange(60).reshape(30, 2) % 3 == 0)


def train_tiny(reviews=REVIEWS, indicators=INDICATORS, after_step=lambda *_: None, **changes):
    held_out, config = np.arange(30) % 5 == 0, FineTuningConfig(**{**NO_EPOCHS, "batch_size": 8, **changes})
    return train_classifier("0", reviews, indicators, held_out, untrained_language_model(), config, after_step)


def make_weights(seed=0, n_labels=3):
    """A classifier that nobody trained, with large weights, so that reviews have different predictions."""
    torch.manual_seed(seed)
    model = build_classifier(len(VOCABULARY), n_labels, SIZES, CONFIG)
    for parameter in model.parameters():
        parameter.data *= 2
    return model_weights(model)


def predict(reviews, batch_size=4, weights=None, vocabulary=VOCABULARY):
    return predict_proba(make_weights() if weights is None else weights, reviews, vocabulary, CONFIG, batch_size)


@pytest.mark.parametrize(("part", "kept"), [("first", [2, 6, 4, 5]), ("last", [2, 4, 5, 7])])
def test_texts_are_truncated(part, kept):
    config = FineTuningConfig.model_construct(max_tokens=4, part=part)
    ids = read_reviews(["w3 w1 w2 w4", "w5 nothing"], VOCABULARY, config)
    assert [review.tolist() for review in ids] == [kept, [2, 8, 0]]


@pytest.mark.parametrize(
    ("step", "learned"),
    [("frozen", set()), ("last_two", {"1"}), ("last_three", {"0", "1"}), ("all", {"0", "1", "encoder"})],
)
def test_layers_learn_only_when_their_turn_has_come(step, learned):
    before = untrained_language_model().weights
    fresh, _ = train_tiny()
    weights, history = train_tiny(**{f"{step}_epochs": 1})
    changed = {
        name
        for name in before
        if name.startswith("0.") and not np.array_equal(weights[f"0.module{name[1:]}"], before[name])
    }
    assert {name.split(".")[2] if "rnns" in name else name.split(".")[1] for name in changed} == learned
    assert not np.array_equal(weights["1.layers.1.2.weight"], fresh["1.layers.1.2.weight"])
    assert len(history) == 1


def test_each_step_of_unfreezing_is_recorded_and_reported():
    steps = []

    def report(step, model):
        steps.append((step, {name: array.copy() for name, array in model_weights(model).items()}))

    weights, history = train_tiny(after_step=report, frozen_epochs=2, last_two_epochs=1, all_epochs=2)
    assert list(history.columns) == ["classifier", "step", "train_loss", "valid_loss"]
    assert history["step"].tolist() == ["head", "head", "last two", "all", "all"]
    assert set(history["classifier"]) == {"0"}
    assert history[["train_loss", "valid_loss"]].gt(0).all(axis=None)
    assert [step for step, _ in steps] == ["head", "last two", "all"]
    for name, array in weights.items():
        np.testing.assert_array_equal(array, steps[-1][1][name])
    assert any((steps[0][1][name] != steps[1][1][name]).any() for name in weights)


def test_same_seed_gives_the_same_classifier():
    one, again, other = (train_tiny(frozen_epochs=1, seed=seed)[0] for seed in (0, 0, 1))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not np.array_equal(one["1.layers.0.2.weight"], other["1.layers.0.2.weight"])


def test_held_out_reviews_give_the_validation_loss_only():
    changed = [review if row % 5 else review[::-1].copy() for row, review in enumerate(REVIEWS)]
    flipped = np.where((np.arange(30) % 5 == 0)[:, None], 1 - INDICATORS, INDICATORS)
    one, history = train_tiny(all_epochs=1)
    other, other_history = train_tiny(changed, flipped, all_epochs=1)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert history["train_loss"].tolist() == other_history["train_loss"].tolist()
    assert history["valid_loss"].tolist() != other_history["valid_loss"].tolist()


def test_labels_that_are_nan_stop_the_training():
    with pytest.raises(TrainingError, match="the loss of classifier 0, head is NaN or infinite"):
        train_tiny(indicators=np.full((30, 2), np.nan, np.float32), frozen_epochs=1)


def test_an_encoder_of_another_vocabulary_is_refused():
    model = untrained_language_model()
    longer = LanguageModel(model.weights, [*VOCABULARY, "more"])
    with pytest.raises(ModelError, match=re.escape("encoder.weight; found: (50, 8); expected: (51, 8)")):
        train_classifier("0", draw_reviews([5] * 4), np.zeros((4, 1)), np.arange(4) < 2, longer, CONFIG)


def test_steps_have_the_rates_of_gradual_unfreezing():
    steps = [("head", -1, 1, 2e-2), ("last two", -2, 1, 1e-2), ("last three", -3, 1, 5e-3), ("all", 0, 2, 1e-3)]
    assert unfreezing_steps(CONFIG) == steps
    assert RATE_DECAY == 2.6**4


@pytest.mark.parametrize("n_labels", [1, 7])
def test_the_number_of_labels_is_read_from_the_weights(n_labels):
    reviews = draw_reviews([5, 3])
    assert predict(reviews, weights=make_weights(n_labels=n_labels)).shape == (2, n_labels)
    assert predict([], weights=make_weights(n_labels=n_labels)).shape == (0, n_labels)


def test_weights_of_a_language_model_or_of_another_vocabulary_are_refused():
    with pytest.raises(ModelError, match="these are not the weights of a classifier"):
        restore_classifier(untrained_language_model().weights, VOCABULARY, CONFIG)
    expected = re.escape("where: 0.module.encoder.weight; found: (50, 8); expected: (51, 8)")
    with pytest.raises(ModelError, match=expected):
        predict(draw_reviews([5]), vocabulary=[*VOCABULARY, "more"])


def test_predictions_are_in_the_order_of_the_reviews_and_the_same_each_time():
    reviews = draw_reviews([40, 3, 65, 12, 70, 8, 25, 51, 2, 60])
    order = [7, 2, 9, 0, 4, 1, 8, 3, 6, 5]
    probabilities = predict(reviews)
    assert len(np.unique(probabilities.round(5), axis=0)) == len(reviews)
    np.testing.assert_allclose(predict([reviews[row] for row in order]), probabilities[order], atol=1e-6)
    np.testing.assert_array_equal(predict(reviews), probabilities)


@pytest.mark.parametrize("lengths", [[40, 3, 65, 12, 70], [300, 90, 5, 200, 128, 73, 72, 71, 144, 60, 31]])
@pytest.mark.parametrize("batch_size", [2, 4, 64])
def test_reviews_have_the_same_predictions_in_batches_as_one_by_one(lengths, batch_size):
    reviews = draw_reviews(lengths)
    one_by_one = np.concatenate([predict([review]) for review in reviews])
    np.testing.assert_allclose(predict(reviews, batch_size), one_by_one, atol=1e-5)


def test_probabilities_are_those_of_fastais_model():
    review = draw_reviews([30])[0]
    model = build_classifier(len(VOCABULARY), 3, SIZES, CONFIG)
    model.load_state_dict({name: torch.tensor(weight) for name, weight in make_weights().items()}, strict=False)
    with torch.no_grad():
        expected = torch.sigmoid(model.eval()(torch.tensor(review)[None])[0])
    probabilities = predict([review])
    np.testing.assert_allclose(probabilities, expected.numpy(), atol=1e-6)
    assert probabilities.dtype == np.float32


def test_an_empty_text_is_read_as_xxbos_only():
    reviews = read_reviews(["", "w3 w4 w5"], VOCABULARY, CONFIG)
    assert reviews[0].tolist() == [VOCABULARY.index("xxbos")]
    probabilities = predict(reviews)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    np.testing.assert_allclose(probabilities[:1], predict(reviews[:1]), atol=1e-6)


def test_the_head_of_a_classifier_predicts_from_the_pooled_states():
    weights = make_weights()
    states = pooled_states(weights, REVIEWS, VOCABULARY, CONFIG, batch_size=4)
    assert states.shape == (30, 3 * SIZES["emb_sz"])
    head = restore_classifier(weights, VOCABULARY, CONFIG)[1].layers
    with torch.inference_mode():
        expected = torch.sigmoid(head(torch.from_numpy(states))).numpy()
    np.testing.assert_allclose(predict(REVIEWS), expected, atol=1e-5)
