import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from latentflix.factors.classifiers import (
    ClassifierConfig,
    Classifiers,
    PredictionConfig,
    choose_reviews,
    fold_configs,
    merge_classifiers,
    predict_held_out,
    train_classifiers,
)
from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.factors.labels import indicator_matrix
from latentflix.text.classifier import backward_name, build_classifier, predict_proba, read_reviews, reverse
from latentflix.text.language_model import LanguageModelConfig, model_weights, train_language_model
from tests.support.factories.classifiers import draw_labels
from tests.support.factories.corpus import SIZES, VOCABULARY, draw_reviews, make_corpus, untrained_language_model
from tests.support.synthetic_world import join_world, make_world

NO_EPOCHS = {f"{step}_epochs": 0 for step in ("frozen", "last_two", "last_three", "all")}
CONFIG = ClassifierConfig()
NO_GROUPS = pd.Series(dtype="int64")


def untrained_weights(seed=0):
    torch.manual_seed(seed)
    return model_weights(build_classifier(len(VOCABULARY), 3, SIZES, CONFIG))


def constant_weights(logit):
    """A classifier that predicts the same for every review."""
    weights = untrained_weights()
    weights["1.layers.1.0.weight"] = np.zeros_like(weights["1.layers.1.0.weight"])
    weights["1.layers.1.0.bias"] = np.ones_like(weights["1.layers.1.0.bias"])
    last = weights["1.layers.1.2.weight"]
    return weights | {"1.layers.1.2.weight": np.full_like(last, logit / last.shape[1])}


def predict(weights, config=CONFIG):
    """What classifiers predict for five reviews, of which each holds some out; and the tokens of each review."""
    texts = {"e": "w1 w2", "d": "w3", "c": "w4 w5 w6", "b": "w7 w8", "a": "w9 w9 w2"}
    tokens = read_reviews(list(texts.values()), VOCABULARY, config)
    masks = {"0": [1, 0, 1, 0, 0], "1": [0, 1, 0, 1, 1], RANDOM_SPLIT: [0, 0, 1, 1, 0]}
    held_out = pd.DataFrame(masks, index=pd.Index(list(texts), name="review_id")).astype(bool)
    classifiers = Classifiers(list("xyz"), pd.DataFrame(), weights, pd.Series(), held_out, pd.DataFrame())
    others = (held_out.loc[sorted(texts)], pd.Series(list(texts)), tokens, VOCABULARY, config)
    table = predict_held_out(classifiers, *others, PredictionConfig(batch_size=2))
    return table, dict(zip(texts, tokens, strict=True))


def test_a_review_is_predicted_by_the_classifiers_that_held_it_out():
    table, _ = predict({"0": constant_weights(-10), "1": constant_weights(10), RANDOM_SPLIT: constant_weights(0)})
    assert list(table.columns) == ["classifier", "review_id", "x", "y", "z"]
    predicted = table.groupby("classifier")["review_id"].agg("".join).to_dict()
    assert predicted == {"0": "ec", "1": "dba", RANDOM_SPLIT: "cb"}
    assert table["x"].tolist() == pytest.approx([0, 0, 1, 1, 1, 0.5, 0.5], abs=1e-3)


def test_each_row_is_about_the_review_it_names():
    weights = {name: untrained_weights(seed) for seed, name in enumerate(["0", "1", RANDOM_SPLIT])}
    table, tokens = predict(weights)
    assert len(table) == 7
    for row in table.to_dict("records"):
        alone = predict_proba(weights[row["classifier"]], [tokens[row["review_id"]]], VOCABULARY, CONFIG)
        assert [row[label] for label in "xyz"] == pytest.approx(alone[0].tolist(), abs=1e-5)


def test_a_backward_model_gives_each_classifier_a_second_one_and_their_mean_counts_wherever_they_were_trained():
    items, has_label = draw_labels(n_items=8)
    reviews = pd.DataFrame({"review_id": [f"r{row}" for row in range(len(items))], "item_id": items})
    tokens = draw_reviews(np.arange(len(items)) % 20 + 3)
    item_labels = has_label.stack().loc[lambda holds: holds].reset_index()
    item_labels = item_labels.set_axis(["item_id", "label", "_"], axis=1)[["item_id", "label"]]
    changes = {**NO_EPOCHS, "frozen_epochs": 1, "batch_size": 8, "n_folds": 2, "random_split": False, "min_items": 1}
    config = ClassifierConfig(**changes)
    models = untrained_language_model(0), untrained_language_model(1)
    given = (reviews, tokens, item_labels, [2, 3], NO_GROUPS, models[0], config, models[1])
    trained = train_classifiers(*given)
    parts = [train_classifiers(*given, names=[each.classifier]) for each in fold_configs(config)]
    assert [list(part.weights) for part in parts] == [["0", "0_backward"], ["1", "1_backward"]]
    merged = merge_classifiers(parts)
    for name, weights in trained.weights.items():
        for parameter, values in weights.items():
            np.testing.assert_array_equal(merged.weights[name][parameter], values)
    pd.testing.assert_frame_equal(merged.history, trained.history)
    assert list(trained.weights) == ["0", "0_backward", "1", "1_backward"]
    assert list(trained.held_out) == ["0", "1"]
    arguments = (trained, trained.held_out, reviews["review_id"], tokens, VOCABULARY, config, PredictionConfig())
    for name, table in predict_held_out(*arguments).groupby("classifier"):
        chosen = [tokens[int(review_id[1:])] for review_id in table["review_id"]]
        forward = predict_proba(trained.weights[name], chosen, VOCABULARY, config)
        backward = predict_proba(trained.weights[backward_name(name)], reverse(chosen), VOCABULARY, config)
        np.testing.assert_allclose(table[[2, 3]], (forward + backward) / 2, atol=1e-6)
        assert (forward != backward).any()


@pytest.fixture(scope="module")
def world_outcome():
    """Classifiers trained on a synthetic world, its reviews, their predictions, and what is true."""
    world = make_world(n_items=60, n_factors=2, reviews_per_item=8, n_filler_words=60, words_per_pole=4, word_share=0.4)
    reviews = join_world(world)
    leaning = np.sign(world.true_factors).stack()
    item_labels = pd.DataFrame(
        [(item_id, factor + ("+" if sign > 0 else "-")) for (item_id, factor), sign in leaning.items()],
        columns=["item_id", "label"],
    )
    labels = ["A+", "A-", "B+", "B-"]
    language = LanguageModelConfig(
        embedding_size=32, n_layers=1, batch_size=16, max_tokens=20_000, epochs=2, rate_steps=0
    )
    corpus = make_corpus(list(world.reviews["text"]))
    language_model = train_language_model(corpus, corpus.rows_excluding(reviews["review_id"]), language).model
    epochs = {**NO_EPOCHS, "frozen_epochs": 2, "all_epochs": 7}
    config = ClassifierConfig(n_folds=2, batch_size=16, all_learning_rate=1e-2, **epochs)
    tokens = corpus.texts(corpus.rows(reviews["review_id"]), len(language_model.vocabulary), config.max_tokens)
    trained = train_classifiers(reviews, tokens, item_labels, labels, NO_GROUPS, language_model, config)
    predictions = predict_held_out(
        *(trained, trained.held_out, reviews["review_id"], tokens, language_model.vocabulary),
        *(config, PredictionConfig()),
    )
    y_true = pd.DataFrame(
        indicator_matrix(item_labels, reviews["item_id"], labels), reviews["review_id"], pd.Index(labels)
    )
    return trained, reviews, predictions, y_true


def test_planted_words_are_predicted_for_reviews_of_unseen_items(world_outcome):
    _, _, predictions, y_true = world_outcome
    for _, table in predictions[predictions["classifier"] != RANDOM_SPLIT].groupby("classifier"):
        for label in y_true.columns:
            assert roc_auc_score(y_true.loc[table["review_id"], label], table[label]) > 0.8


def test_every_classifier_comes_with_what_was_held_out_from_it_and_with_losses_that_fall(world_outcome):
    trained, reviews, _, _ = world_outcome
    assert list(trained.weights) == list(trained.held_out.columns) == ["0", "1", RANDOM_SPLIT]
    assert trained.held_out.index.tolist() == reviews["review_id"].tolist()
    fold = reviews["item_id"].map(trained.folds).to_numpy()
    np.testing.assert_array_equal(trained.held_out["1"], fold == 1)
    assert trained.history["classifier"].unique().tolist() == ["0", "1", RANDOM_SPLIT]
    for _, history in trained.history.groupby("classifier"):
        assert history["train_loss"].iloc[-1] < 0.8 * history["train_loss"].iloc[0]


def test_at_most_so_many_reviews_of_an_item_are_read_as_many_as_it_has():
    table = pd.DataFrame({"review_id": list("abcdefg"), "item_id": [1, 2, 1, 1, 3, 2, 1]})
    chosen = choose_reviews(table, [1, 2], ClassifierConfig(max_reviews_per_item=2))
    assert chosen.to_numpy().tolist() == [["a", 1], ["b", 2], ["c", 1], ["f", 2]]
    assert chosen.index.tolist() == [0, 1, 2, 3]
    assert choose_reviews(table, [1, 2], ClassifierConfig())["review_id"].tolist() == list("abcdfg")
