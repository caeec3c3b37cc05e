import re

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config
from fastai.text.models.core import get_language_model
from latentflix.text.predictions import PredictionConfig, predict_held_out, predict_reviews
from sklearn.metrics import roc_auc_score

from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.errors import ModelError, NotEnoughData, TrainingError
from latentflix.factors.labels import indicator_matrix
from latentflix.reviews.join import ReviewConfig, join_reviews
from latentflix.text.classifier import (
    RANDOM_SPLIT,
    RATE_DECAY,
    WINDOW,
    ClassifierBatches,
    ClassifierConfig,
    assign_folds,
    backward_name,
    build_classifier,
    frequent_labels,
    held_out_masks,
    n_outputs,
    read_reviews,
    reverse,
    train_classifier,
    train_classifiers,
    unfreezing_steps,
)
from latentflix.text.language_model import LanguageModel, LanguageModelConfig, model_weights, train_language_model
from latentflix.text.token_corpus import TokenCorpusConfig, tokenize_corpus
from tests.support.synthetic_world import make_world

PADDING = 1
SIZES = {"emb_sz": 8, "n_hid": 12, "n_layers": 2}
NO_EPOCHS = {f"{step}_epochs": 0 for step in ("frozen", "last_two", "last_three", "all")}
VOCABULARY = ["xxunk", "xxpad", "xxbos", *(f"w{number}" for number in range(47))]


def draw_reviews(lengths, seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(2, len(VOCABULARY), length) for length in lengths]


def draw_labels(seed=0, n_items=60, n_labels=6):
    """Items with one to eight reviews each, and the labels of each review's item."""
    random = np.random.default_rng(seed)
    items = pd.Series(np.repeat(random.permutation(1000)[:n_items], random.integers(1, 9, n_items)))
    carried = pd.DataFrame(random.random((n_items, n_labels)) < np.linspace(0.15, 0.6, n_labels), items.unique())
    return items.sample(frac=1, random_state=seed, ignore_index=True), carried


def indicators_of(items, carried):
    return carried.loc[items].to_numpy(np.float32)


def untrained_language_model(seed=0):
    torch.manual_seed(seed)
    model = get_language_model(AWD_LSTM, len(VOCABULARY), {**awd_lstm_lm_config, **SIZES})
    return LanguageModel(model_weights(model), VOCABULARY)


def tiny_config(**changes):
    return ClassifierConfig(**{**NO_EPOCHS, "batch_size": 8, **changes})


def train_tiny(reviews=None, indicators=None, **changes):
    reviews = draw_reviews(range(5, 35)) if reviews is None else reviews
    indicators = np.float32(np.arange(60).reshape(30, 2) % 3 == 0) if indicators is None else indicators
    held_out = np.arange(30) % 5 == 0
    return train_classifier("0", reviews, indicators, held_out, untrained_language_model(), tiny_config(**changes))


@pytest.mark.parametrize("seed", range(5))
def test_no_item_is_split_and_every_fold_has_its_share(seed):
    items, carried = draw_labels(seed)
    folds = assign_folds(items, indicators_of(items, carried), 4, seed)
    assert folds.index.is_unique
    assert set(folds.index) == set(items)
    assert folds.value_counts().sort_index().index.tolist() == [0, 1, 2, 3]
    assert folds.value_counts().between(12, 18).all()
    assert items.map(folds).value_counts(normalize=True).between(0.17, 0.34).all()


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_spread_evenly_over_the_folds(seed):
    items, carried = draw_labels(seed)
    folds = assign_folds(items, indicators_of(items, carried), 4, seed)
    counts = carried.groupby(folds).sum()
    assert (counts.max() - counts.min()).max() <= 4
    assert (counts.min() >= 1).all()


def test_a_rare_label_reaches_every_fold():
    items = pd.Series(np.repeat(np.arange(40), 2))
    carried = pd.DataFrame({"common": True, "rare": np.arange(40) % 10 == 0})
    folds = assign_folds(items, indicators_of(items, carried), 4, 0)
    assert sorted(folds[carried["rare"]]) == [0, 1, 2, 3]


def test_dealing_depends_on_the_seed_only():
    items, carried = draw_labels()
    shuffled = items.sample(frac=1, random_state=9, ignore_index=True)
    one = assign_folds(items, indicators_of(items, carried), 4, 1)
    pd.testing.assert_series_equal(one, assign_folds(shuffled, indicators_of(shuffled, carried), 4, 1))
    assert not one.equals(assign_folds(items, indicators_of(items, carried), 4, 2))


def test_two_items_for_each_fold_suffice_and_fewer_are_refused():
    items = pd.Series(range(8))
    assert assign_folds(items, np.ones((8, 1)), 4, 0).value_counts().tolist() == [2, 2, 2, 2]
    with pytest.raises(NotEnoughData, match="found: 7 items with reviews; expected: at least 8, two for each fold"):
        assign_folds(items[:7], np.ones((7, 1)), 4, 0)


def test_every_review_is_held_out_by_one_fold_together_with_its_item():
    items, carried = draw_labels()
    folds = assign_folds(items, indicators_of(items, carried), 3, 0)
    masks = held_out_masks(items, folds, ClassifierConfig(n_folds=3))
    assert list(masks) == ["0", "1", "2", RANDOM_SPLIT]
    assert (sum(masks[name].astype(int) for name in "012") == 1).all()
    for name in "012":
        assert set(items[masks[name]]) == set(folds.index[folds == int(name)])
        assert not set(items[masks[name]]) & set(items[~masks[name]])


def test_a_random_split_holds_out_as_many_reviews_but_splits_items():
    items, carried = draw_labels()
    folds = assign_folds(items, indicators_of(items, carried), 3, 0)
    mask = held_out_masks(items, folds, ClassifierConfig(n_folds=3))[RANDOM_SPLIT]
    assert mask.sum() == len(items) // 3
    assert len(set(items[mask]) & set(items[~mask])) > 10
    assert RANDOM_SPLIT not in held_out_masks(items, folds, ClassifierConfig(n_folds=3, random_split=False))


@pytest.mark.parametrize(("part", "kept"), [("first", [2, 6, 4, 5]), ("last", [2, 4, 5, 7])])
def test_texts_are_read_up_to_their_token_limit(part, kept):
    config = ClassifierConfig.model_construct(max_tokens=4, part=part)
    ids = read_reviews(["w3 w1 w2 w4", "w5 nothing"], VOCABULARY, config)
    assert [review.tolist() for review in ids] == [kept, [2, 8, 0]]


@pytest.mark.parametrize("shuffle", [None, np.random.default_rng(0)])
@pytest.mark.parametrize(("n_reviews", "batch_size"), [(1, 4), (9, 4), (33, 8), (7, 100)])
def test_batches_hold_every_review_once_with_its_labels(n_reviews, batch_size, shuffle):
    lengths = np.random.default_rng(1).integers(1, 200, n_reviews)
    reviews, labels = draw_reviews(lengths), np.float32(np.arange(n_reviews)[:, None])
    batches = ClassifierBatches(reviews, labels, batch_size, PADDING, shuffle)
    seen = {}
    for tokens, rows in batches:
        assert len(tokens) == len(rows) <= batch_size
        seen |= {int(row): line[line != PADDING].tolist() for row, line in zip(rows[:, 0], tokens, strict=True)}
    assert seen == {row: review.tolist() for row, review in enumerate(reviews)}
    assert len(list(batches)) == len(batches) == -(-n_reviews // batch_size)


def test_padding_ahead_of_a_review_is_whole_windows_and_the_longest_stands_first():
    reviews = draw_reviews([10, 500, 72, 73, 150, 300])
    ((tokens, labels),) = ClassifierBatches(reviews, np.float32(np.arange(6)[:, None]), 8, PADDING)
    assert labels[:, 0].tolist() == [1, 5, 4, 3, 2, 0]
    for line in tokens:
        inside = np.flatnonzero(line.numpy() != PADDING)
        assert inside[0] % WINDOW == 0
        assert inside[-1] - inside[0] + 1 == len(inside)
        assert tokens.shape[1] - inside[-1] <= WINDOW


def test_only_shuffled_batches_change_from_epoch_to_epoch():
    reviews, labels = draw_reviews(range(1, 65)), np.zeros((64, 1), np.float32)
    for shuffle in (None, np.random.default_rng(0)):
        batches = ClassifierBatches(reviews, labels, 8, PADDING, shuffle)
        one, other = (np.concatenate(batches.order()).tolist() for _ in range(2))
        assert (one == other) is (shuffle is None)
        assert sorted(one) == sorted(other) == list(range(64))


def test_reviews_of_a_batch_are_of_similar_length():
    lengths = np.random.default_rng(0).integers(1, 300, 400)
    batches = ClassifierBatches(draw_reviews(lengths), np.zeros((400, 1)), 16, PADDING, np.random.default_rng(0))
    spreads = [np.ptp(lengths[rows]) for rows in batches.order()]
    assert np.mean(spreads) < 0.25 * np.ptp(lengths)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(
    "lengths",
    [
        [20, 18, 9, 3],
        [72, 72, 71, 1],
        [80, 8],
        [76, 75, 74, 72, 71, 70],
        [74, 70, 2],
        [200, 140, 128],
        [300, 290, 250, 230],
        [300, 216, 144, 72, 5, 1],
        [289, 288, 217, 145, 144, 143, 73, 71, 30],
    ],
)
def test_a_review_says_the_same_in_a_padded_batch_as_alone(lengths, shuffled):
    torch.manual_seed(0)
    model = build_classifier(len(VOCABULARY), 3, SIZES, ClassifierConfig()).eval()
    for parameter in model.parameters():
        parameter.data *= 2
    reviews, rows = draw_reviews(lengths), np.arange(len(lengths), dtype=np.float32)[:, None]

    def read(chosen, shuffle=None):
        batch = ClassifierBatches(chosen, rows[: len(chosen)], len(lengths), PADDING, shuffle)
        ((tokens, order),) = batch
        with torch.no_grad():
            return model(tokens)[0][order[:, 0].argsort()]

    alone = torch.cat([read([review]) for review in reviews])
    assert alone.std(0).min() > 1e-3
    together = read(reviews, np.random.default_rng(0) if shuffled else None)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("epochs", "learned"),
    [
        ({"frozen_epochs": 1}, set()),
        ({"last_two_epochs": 1}, {"1"}),
        ({"last_three_epochs": 1}, {"0", "1"}),
        ({"all_epochs": 1}, {"0", "1", "encoder"}),
    ],
)
def test_layers_learn_only_when_their_turn_has_come(epochs, learned):
    before = untrained_language_model().weights
    fresh, _ = train_tiny()
    weights, history = train_tiny(**epochs)
    changed = {
        name
        for name in before
        if name.startswith("0.") and not np.array_equal(weights[f"0.module{name[1:]}"], before[name])
    }
    assert {name.split(".")[2] if "rnns" in name else name.split(".")[1] for name in changed} == learned
    assert not np.array_equal(weights["1.layers.1.2.weight"], fresh["1.layers.1.2.weight"])
    assert len(history) == 1


def test_history_names_classifier_step_and_losses():
    _, history = train_tiny(frozen_epochs=2, last_two_epochs=1, all_epochs=1)
    assert list(history.columns) == ["classifier", "step", "train_loss", "valid_loss"]
    assert history["step"].tolist() == ["head", "head", "last two", "all"]
    assert set(history["classifier"]) == {"0"}
    assert history[["train_loss", "valid_loss"]].gt(0).all(axis=None)


def test_same_seed_gives_the_same_classifier():
    one, again, other = (train_tiny(frozen_epochs=1, seed=seed)[0] for seed in (0, 0, 1))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not np.array_equal(one["1.layers.0.2.weight"], other["1.layers.0.2.weight"])


def test_held_out_reviews_are_watched_but_not_learned_from():
    reviews, indicators = draw_reviews(range(5, 35)), np.float32(np.arange(60).reshape(30, 2) % 3 == 0)
    changed = [review if row % 5 else review[::-1].copy() for row, review in enumerate(reviews)]
    flipped = np.where((np.arange(30) % 5 == 0)[:, None], 1 - indicators, indicators)
    one, history = train_tiny(reviews, indicators, all_epochs=1)
    other, other_history = train_tiny(changed, flipped, all_epochs=1)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert history["train_loss"].tolist() == other_history["train_loss"].tolist()
    assert history["valid_loss"].tolist() != other_history["valid_loss"].tolist()


def test_labels_that_are_no_numbers_stop_the_training():
    with pytest.raises(TrainingError, match="the loss of classifier 0, head is NaN or infinite"):
        train_tiny(indicators=np.full((30, 2), np.nan, np.float32), frozen_epochs=1)


def test_an_encoder_of_another_vocabulary_is_refused():
    model = untrained_language_model()
    longer = LanguageModel(model.weights, [*VOCABULARY, "more"])
    expected = re.escape("encoder.weight; found: (50, 8); expected: (51, 8)")
    with pytest.raises(ModelError, match=expected):
        train_classifier("0", draw_reviews([5] * 4), np.zeros((4, 1)), np.arange(4) < 2, longer, tiny_config())


def test_each_step_of_unfreezing_is_told_when_it_is_done():
    told = []

    def listen(step, model):
        told.append((step, {name: array.copy() for name, array in model_weights(model).items()}))

    held_out = np.arange(30) % 5 == 0
    indicators = np.float32(np.arange(60).reshape(30, 2) % 3 == 0)
    config = tiny_config(frozen_epochs=1, last_two_epochs=1, all_epochs=2)
    weights, history = train_classifier(
        "0", draw_reviews(range(5, 35)), indicators, held_out, untrained_language_model(), config, listen
    )
    assert [step for step, _ in told] == ["head", "last two", "all"]
    assert history["step"].tolist() == ["head", "last two", "all", "all"]
    for name, array in weights.items():
        np.testing.assert_array_equal(array, told[-1][1][name])
    assert any((told[0][1][name] != told[1][1][name]).any() for name in weights)


def test_steps_have_the_rates_of_gradual_unfreezing():
    steps = unfreezing_steps(ClassifierConfig())
    assert steps == [
        ("head", -1, 1, 2e-2),
        ("last two", -2, 1, 1e-2),
        ("last three", -3, 1, 5e-3),
        ("all", 0, 2, 1e-3),
    ]
    assert RATE_DECAY == 2.6**4


def test_labels_that_too_few_items_carry_are_named_and_left_out():
    item_labels = pd.DataFrame(
        [(1, "a"), (2, "a"), (3, "a"), (1, "b"), (2, "b"), (9, "b"), (1, "c")], columns=["item_id", "label"]
    )
    read = pd.Series([1, 1, 1, 2, 3])
    labels, rare = frequent_labels(item_labels, read, ["c", "b", "a", "d"], min_items=2)
    assert labels == ["b", "a"]
    assert rare["items"].to_dict() == {"c": 1, "d": 0}
    with pytest.raises(NotEnoughData, match="carry any label; found: a: 3 items, b: 2 items"):
        frequent_labels(item_labels, read, ["a", "b"], min_items=4)


def test_a_backward_model_makes_a_fellow_for_each_classifier_and_both_are_asked():
    items, carried = draw_labels(n_items=8)
    reviews = pd.DataFrame({"review_id": [f"r{row}" for row in range(len(items))], "item_id": items})
    tokens = draw_reviews(np.arange(len(items)) % 20 + 3)
    item_labels = carried.stack().loc[lambda holds: holds].reset_index()
    item_labels = item_labels.set_axis(["item_id", "label", "_"], axis=1)[["item_id", "label"]]
    config = tiny_config(n_folds=2, random_split=False, frozen_epochs=1, min_items=1)
    models = untrained_language_model(0), untrained_language_model(1)
    trained = train_classifiers(reviews, tokens, item_labels, [2, 3], models[0], config, models[1])
    assert list(trained.weights) == ["0", "0_backward", "1", "1_backward"]
    assert list(trained.held_out) == ["0", "1"]
    table = predict_held_out(
        *(trained.weights, trained.held_out, reviews["review_id"], tokens, VOCABULARY),
        *(trained.labels, config, PredictionConfig()),
    )
    for name, said in table.groupby("classifier"):
        chosen = [tokens[int(review_id[1:])] for review_id in said["review_id"]]
        forward = predict_reviews(trained.weights[name], chosen, VOCABULARY, config, PredictionConfig())
        backward = predict_reviews(
            trained.weights[backward_name(name)], reverse(chosen), VOCABULARY, config, PredictionConfig()
        )
        np.testing.assert_allclose(said[[2, 3]], (forward + backward) / 2, atol=1e-6)
        assert (forward != backward).any()


@pytest.mark.parametrize("n_labels", [1, 7])
def test_number_of_labels_is_read_from_the_weights(n_labels):
    weights = model_weights(build_classifier(len(VOCABULARY), n_labels, SIZES, ClassifierConfig()))
    assert n_outputs(weights) == n_labels


def test_weights_of_no_classifier_are_refused():
    with pytest.raises(ModelError, match="these are not the weights of a classifier"):
        n_outputs(untrained_language_model().weights)


@pytest.fixture(scope="module")
def world_outcome():
    """What classifiers trained on a planted world say of its reviews, and what is true."""
    world = make_world(n_items=60, n_factors=2, reviews_per_item=8, n_filler_words=60, words_per_pole=4, word_share=0.4)
    items = read_ratings(world.ratings, world.items, RatingsConfig()).items
    reviews, _ = join_reviews(
        world.reviews, items, items.index.to_series(), world.review_films, world.item_titles, ReviewConfig()
    )
    leaning = np.sign(world.true_factors).stack()
    item_labels = pd.DataFrame(
        [(item_id, factor + ("+" if sign > 0 else "-")) for (item_id, factor), sign in leaning.items()],
        columns=["item_id", "label"],
    )
    labels = ["A+", "A-", "B+", "B-"]
    language = LanguageModelConfig(
        embedding_size=32, n_layers=1, batch_size=16, max_tokens=20_000, epochs=2, rate_steps=0
    )
    texts = list(world.reviews["text"])
    corpus = tokenize_corpus(len(texts), [texts], TokenCorpusConfig())
    language_model = train_language_model(corpus, corpus.rows_excluding(reviews["review_id"]), language).model
    config = ClassifierConfig(
        n_folds=2,
        batch_size=16,
        frozen_epochs=2,
        last_two_epochs=0,
        last_three_epochs=0,
        all_epochs=7,
        all_learning_rate=1e-2,
    )
    tokens = corpus.texts(corpus.rows(reviews["review_id"]), len(language_model.vocabulary), config.max_tokens)
    trained = train_classifiers(reviews, tokens, item_labels, labels, language_model, config)
    predictions = predict_held_out(
        *(trained.weights, trained.held_out, reviews["review_id"], tokens, language_model.vocabulary),
        *(labels, config, PredictionConfig()),
    )
    truth = pd.DataFrame(
        indicator_matrix(item_labels, reviews["item_id"], labels), reviews["review_id"], pd.Index(labels)
    )
    return trained, reviews, predictions, truth


def test_planted_words_are_told_from_reviews_of_unseen_items(world_outcome):
    _, _, predictions, truth = world_outcome
    for _, said in predictions[predictions["classifier"] != RANDOM_SPLIT].groupby("classifier"):
        for label in truth.columns:
            assert roc_auc_score(truth.loc[said["review_id"], label], said[label]) > 0.8


def test_every_classifier_is_kept_with_what_it_has_not_read(world_outcome):
    trained, reviews, _, _ = world_outcome
    assert list(trained.weights) == list(trained.held_out.columns) == ["0", "1", RANDOM_SPLIT]
    assert trained.held_out.index.tolist() == reviews["review_id"].tolist()
    fold = reviews["item_id"].map(trained.folds).to_numpy()
    np.testing.assert_array_equal(trained.held_out["1"], fold == 1)
    assert trained.history["classifier"].unique().tolist() == ["0", "1", RANDOM_SPLIT]


def test_losses_fall(world_outcome):
    for _, history in world_outcome[0].history.groupby("classifier"):
        assert history["train_loss"].iloc[-1] < 0.8 * history["train_loss"].iloc[0]
