import re

import numpy as np
import pandas as pd
import pytest
import torch
from latentflix.text.predictions import PredictionConfig, predict_held_out, predict_reviews

from latentflix.errors import ModelError
from latentflix.text.classifier import RANDOM_SPLIT, ClassifierConfig, build_classifier, read_reviews
from latentflix.text.language_model import model_weights

VOCABULARY = ["xxunk", "xxpad", "xxbos", *(f"w{number}" for number in range(47))]
SIZES = {"emb_sz": 8, "n_hid": 12, "n_layers": 2}
CONFIG = ClassifierConfig()


def make_weights(seed=0):
    """A classifier that nobody trained, lively enough to tell reviews apart."""
    torch.manual_seed(seed)
    model = build_classifier(len(VOCABULARY), 3, SIZES, CONFIG)
    for parameter in model.parameters():
        parameter.data *= 2
    return model_weights(model)


def stubborn_weights(logit):
    """A classifier that says the same of every review."""
    weights = make_weights()
    weights["1.layers.1.0.weight"] = np.zeros_like(weights["1.layers.1.0.weight"])
    weights["1.layers.1.0.bias"] = np.ones_like(weights["1.layers.1.0.bias"])
    last = weights["1.layers.1.2.weight"]
    return weights | {"1.layers.1.2.weight": np.full_like(last, logit / last.shape[1])}


def draw_reviews(lengths, seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(2, len(VOCABULARY), length) for length in lengths]


def predict(reviews, batch_size=4, weights=None, vocabulary=VOCABULARY):
    weights = make_weights() if weights is None else weights
    return predict_reviews(weights, reviews, vocabulary, CONFIG, PredictionConfig(batch_size=batch_size))


def test_the_order_given_is_the_order_returned_whatever_the_lengths():
    reviews = draw_reviews([40, 3, 65, 12, 70, 8, 25, 51, 2, 60])
    order = [7, 2, 9, 0, 4, 1, 8, 3, 6, 5]
    probabilities = predict(reviews)
    assert len(np.unique(probabilities.round(5), axis=0)) == len(reviews)
    np.testing.assert_allclose(predict([reviews[row] for row in order]), probabilities[order], atol=1e-6)


@pytest.mark.parametrize("lengths", [[40, 3, 65, 12, 70], [300, 90, 5, 200, 128, 73, 72, 71, 144, 60, 31]])
@pytest.mark.parametrize("batch_size", [2, 4, 64])
def test_reviews_read_in_batches_say_what_they_say_one_by_one(lengths, batch_size):
    reviews = draw_reviews(lengths)
    one_by_one = np.concatenate([predict([review]) for review in reviews])
    np.testing.assert_allclose(predict(reviews, batch_size), one_by_one, atol=1e-5)


def test_probabilities_are_what_fastais_model_says_of_a_review():
    review = draw_reviews([30])[0]
    model = build_classifier(len(VOCABULARY), 3, SIZES, CONFIG)
    model.load_state_dict({name: torch.tensor(weight) for name, weight in make_weights().items()}, strict=False)
    with torch.no_grad():
        expected = torch.sigmoid(model.eval()(torch.tensor(review)[None])[0])
    probabilities = predict([review])
    np.testing.assert_allclose(probabilities, expected.numpy(), atol=1e-6)
    assert probabilities.dtype == np.float32


def test_the_same_review_gets_the_same_probabilities_each_time():
    reviews = draw_reviews([30, 20, 10])
    np.testing.assert_array_equal(predict(reviews), predict(reviews))


def test_no_reviews_have_no_probabilities():
    assert predict([]).shape == (0, 3)


def test_an_empty_text_is_read_as_a_beginning_only():
    reviews = read_reviews(["", "w3 w4 w5"], VOCABULARY, CONFIG)
    assert reviews[0].tolist() == [VOCABULARY.index("xxbos")]
    probabilities = predict(reviews)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    np.testing.assert_allclose(probabilities[:1], predict(reviews[:1]), atol=1e-6)


def test_weights_of_another_vocabulary_are_refused():
    expected = re.escape("where: 0.module.encoder.weight; found: (50, 8); expected: (51, 8)")
    with pytest.raises(ModelError, match=expected):
        predict(draw_reviews([5]), vocabulary=[*VOCABULARY, "more"])


def test_weights_of_no_classifier_are_refused():
    weights = {name: weight for name, weight in make_weights().items() if not name.startswith("1.")}
    with pytest.raises(ModelError, match="not the weights of a classifier"):
        predict(draw_reviews([5]), weights=weights)


def tokens_of(reviews):
    return read_reviews(reviews["text"], VOCABULARY, CONFIG)


def held_out_case():
    reviews = pd.DataFrame({"review_id": list("edcba"), "text": ["w1 w2", "w3", "w4 w5 w6", "w7 w8", "w9 w9 w2"]})
    masks = {"0": [1, 0, 1, 0, 0], "1": [0, 1, 0, 1, 1], RANDOM_SPLIT: [0, 0, 1, 1, 0]}
    return reviews, pd.DataFrame(masks, index=reviews["review_id"]).astype(bool)


def test_what_is_said_of_a_review_comes_from_classifiers_that_held_it_out():
    reviews, held_out = held_out_case()
    classifiers = {name: stubborn_weights(logit) for name, logit in (("0", -10), ("1", 10), (RANDOM_SPLIT, 0))}
    table = predict_held_out(
        *(classifiers, held_out.loc[list("abcde")], reviews["review_id"], tokens_of(reviews), VOCABULARY),
        *(["x", "y", "z"], CONFIG, PredictionConfig()),
    )
    assert list(table.columns) == ["classifier", "review_id", "x", "y", "z"]
    said = table.groupby("classifier")["review_id"].agg("".join).to_dict()
    assert said == {"0": "ec", "1": "dba", RANDOM_SPLIT: "cb"}
    assert table["x"].tolist() == pytest.approx([0, 0, 1, 1, 1, 0.5, 0.5], abs=1e-3)


def test_each_row_is_about_the_review_it_names():
    reviews, held_out = held_out_case()
    weights = {name: make_weights(seed) for seed, name in enumerate(held_out.columns)}
    labels = ["x", "y", "z"]
    table = predict_held_out(
        *(weights, held_out, reviews["review_id"], tokens_of(reviews), VOCABULARY),
        *(labels, CONFIG, PredictionConfig(batch_size=2)),
    )
    texts = reviews.set_index("review_id")["text"]
    assert len(table) == 7
    for row in table.to_dict("records"):
        alone = predict(read_reviews([texts[row["review_id"]]], VOCABULARY, CONFIG), weights=weights[row["classifier"]])
        assert [row[label] for label in labels] == pytest.approx(alone[0].tolist(), abs=1e-5)
