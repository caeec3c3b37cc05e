from dataclasses import replace

import numpy as np
import pytest

from latentflix.artifacts import Handle, Store
from latentflix.config import StageConfig
from latentflix.factors.crossfit import cross_fit
from latentflix.factors.documents import DocumentConfig, gather_documents
from latentflix.factors.reader_model import (
    NO_FACTOR_WORD,
    ReaderModel,
    expected_positions,
    fit_reader,
    note_text,
    predict_positions,
    read_texts,
    speaking_words,
)
from latentflix.factors.readers.metadata import circumstances_reader, metadata_reader
from latentflix.factors.readers.registry import Readers, ReadersConfig
from latentflix.factors.readers.ridge import KernelRidge, fit_ridge
from latentflix.factors.readers.tfidf import WordReader, WordsConfig
from latentflix.text.cleaning import UNKNOWN_WORDS
from tests.support.factories.run import READER
from tests.support.synthetic_world import join_world, make_world, read_items


@pytest.fixture(scope="module")
def world():
    return make_world(n_items=100, corpus_reviews=20)


@pytest.fixture(scope="module")
def documents(world):
    return gather_documents(join_world(world), read_items(world), DocumentConfig(min_ratings=1))


@pytest.fixture(scope="module")
def words(documents):
    return WordReader.read(documents, WordsConfig(), mask=False)


@pytest.fixture(scope="module")
def positions(world, documents):
    return world.true_factors.loc[documents.items.index]


@pytest.fixture(scope="module")
def review_positions(world, documents, words, positions):
    items = read_items(world)
    others = metadata_reader(items, positions.index, items["ratings"]), circumstances_reader(items, positions.index)
    config = ReadersConfig(n_repeats=1, permutations=0)
    return cross_fit(documents, positions, Readers(words, [], *others), config).reviews


@pytest.fixture(scope="module")
def model(documents, words, positions, review_positions):
    return fit_reader(words, positions, documents.items["weight"].to_numpy(), documents.parts, review_positions)


def test_a_weight_for_each_word_predicts_what_a_weight_for_each_item_does(documents, words, positions, model):
    everything, weights = np.arange(len(positions)), documents.items["weight"].to_numpy()
    vocabulary = words.learn(everything)
    learned = words.features(everything, vocabulary)
    ridge = KernelRidge.decompose((learned @ learned.T).toarray().astype(float), weights)
    texts = list(documents.parts["text"][:20])
    kernel = (words.text_features(texts, vocabulary) @ learned.T).toarray().astype(float)
    expected = fit_ridge(ridge, positions.to_numpy(float)).predict(ridge.project(kernel))
    np.testing.assert_allclose(predict_positions(model, texts), expected, atol=1e-4)
    assert expected.std() > 0.1


def test_a_text_of_the_words_of_a_pole_stands_on_its_side_and_those_words_speak_for_it(world, model):
    for axis, pole in world.words:
        text = " ".join(world.words[axis, pole][:3])
        expected = expected_positions(model, read_texts(model, [text]))[0]
        assert model.axes[np.abs(expected).argmax()] == axis
        assert (expected[model.axes.index(axis)] > 0) == (pole == "+")
        assert note_text(model, text) == ""
        spoken = {word for term in speaking_words(model, text, axis) for word in term.split()}
        assert spoken == set(world.words[axis, pole][:3])


def test_reviews_stand_about_their_mean_in_their_standard_deviations(documents, model, review_positions):
    # Those of a reader that has learned from their items, so further out than held-out ones.
    read = read_texts(model, list(documents.parts["text"]))
    assert np.abs(read.mean(0)).max() < 0.2
    assert (read.std(0) > 0.9).all()
    np.testing.assert_allclose(model.means[1], review_positions.mean(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.deviations[1], review_positions.std(ddof=0), rtol=1e-4)
    assert model.lengths[0] < model.lengths[1]


def test_what_reviews_say_of_their_items_is_measured_by_item(model, positions, review_positions, documents):
    item_ids = documents.parts.set_index("part_id")["item_id"].loc[review_positions.index]
    # Every item has as many reviews as any other.
    for place, axis in enumerate(model.axes):
        expected = np.corrcoef(review_positions[axis], positions.loc[item_ids, axis])[0, 1]
        assert model.correlations[place] == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(expected_positions(READER, np.array([[2.0, -2.0]])), [[1, -0.5]])


def test_a_text_is_compared_with_texts_of_its_length():
    # Of a sentence of four words the mean of factor 1 is 0.5 and the deviation 0.5; of a review of forty 0 and 1.
    (short,) = read_texts(READER, ["machine war"])
    assert short == pytest.approx([(3 / 2**0.5 + 0.5 - 0.5) / 0.5, 0])
    long = replace(READER, lengths=np.array([0.5, 2], np.float32))
    assert read_texts(long, ["machine war"])[0] == pytest.approx([3 / 2**0.5 + 0.5, 0])


def test_words_and_pairs_that_share_a_word_are_named_once():
    assert speaking_words(READER, "a machine at war with love", "1") == ["machine", "war"]
    assert speaking_words(READER, "a machine at war with love", "1", count=1) == ["machine"]
    assert speaking_words(READER, "a machine at war with love", "2") == ["at war"]
    assert speaking_words(READER, "love", "1") == ["love"]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("The machine is at war", ""),
        ("", NO_FACTOR_WORD),
        ("The, with!", NO_FACTOR_WORD),
        ("Quel film magnifique", UNKNOWN_WORDS),
        ("これは映画 12", UNKNOWN_WORDS),
    ],
)
def test_a_text_of_which_nothing_can_be_said_gets_a_note(text, note):
    assert note_text(READER, text) == note


def test_proper_names_are_left_out_and_are_no_unknown_words(world, documents, positions, review_positions):
    name = world.words["A", "+"][0]
    masked = type(documents)(documents.parts, documents.items, [name], 0)
    reader = WordReader.read(masked, WordsConfig(), mask=True)
    weights = documents.items["weight"].to_numpy()
    model = fit_reader(reader, positions, weights, documents.parts, review_positions)
    assert model.proper_names == [name]
    assert name not in {word for term in model.words for word in term.split()}
    assert note_text(model, name) == NO_FACTOR_WORD


def test_a_factor_of_which_no_word_says_anything_has_all_texts_at_the_mean(
    documents, words, positions, review_positions
):
    flat, weights = review_positions.assign(A=0.0), documents.items["weight"].to_numpy()
    model = fit_reader(words, positions.assign(A=0.0), weights, documents.parts, flat)
    read = read_texts(model, list(documents.parts["text"][:5]))
    assert np.isfinite(read).all()
    np.testing.assert_allclose(read[:, 0], 0, atol=1e-4)
    assert expected_positions(model, read)[:, 0] == pytest.approx(0)


def test_it_is_written_and_read_without_change(model, tmp_path):
    store = Store(tmp_path)
    with store.new(Handle(stage="reader", key="k"), {}, StageConfig()) as artifact:
        artifact.write(model)
    again = store.read(Handle(stage="reader", key="k"), ReaderModel)
    texts = ["some text", *model.words[:3]]
    np.testing.assert_array_equal(read_texts(again, texts), read_texts(model, texts))
    assert again.words == model.words
