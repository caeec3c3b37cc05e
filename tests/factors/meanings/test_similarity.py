import numpy as np
import pandas as pd
import pytest

from latentflix.errors import DataError, NotFound
from latentflix.factors.documents import Documents
from latentflix.factors.meanings.similarity import SentenceSimilarity, WordSimilarity, split_phrase

TEXTS = {
    1: ["I laughed out loud. A COMEDY!", "A laugh-out-loud comedy."],
    2: ["Loud, and no laugh in it.", "It is dull."],
    3: ["A war.", "Another war: it’s bleak."],
}


@pytest.fixture(scope="module")
def documents():
    rows = [
        (item, "review", f"{item}{place}", text) for item, texts in TEXTS.items() for place, text in enumerate(texts)
    ]
    items = pd.DataFrame({"group": [0, 1, 2], "ratings": 20, "weight": 1.0}, index=pd.Index(TEXTS, name="item_id"))
    return Documents(pd.DataFrame(rows, columns=["item_id", "kind", "part_id", "text"]), items, [], 0)


def test_words_and_pairs_of_a_phrase_are_looked_for_as_they_are_written(documents):
    found = WordSimilarity.read(documents).compare("Laugh-out-loud comedy of Zanzibar")
    assert found.known == ("laugh", "loud", "comedy", "laugh out loud", "loud comedy")
    assert found.unknown == ("zanzibar",)
    assert found.values.argmax() == 0
    assert found.values[1] > found.values[2]


def test_a_word_is_found_whatever_its_case_and_apostrophe_but_not_within_another(documents):
    words = WordSimilarity.read(documents)
    assert words.compare("It's").known == ("it's",)
    assert words.compare("Comedy").values.argmax() == 0
    with pytest.raises(NotFound, match="no text of this run uses a word of the phrase; found: aug"):
        words.compare("aug")


def test_how_often_a_word_is_used_is_a_share_of_the_reviews_drawn_towards_that_of_all(documents):
    (rarity, value) = np.log(7 / 2), WordSimilarity.read(documents).compare("war").values
    expected = (np.array([0, 0, 2]) + 10 * 2 / 6) / (2 + 10)
    assert value == pytest.approx(rarity * expected)


@pytest.mark.parametrize("phrase", ["", "  ", "?!", "\n", "a"])
def test_an_empty_phrase_is_refused(documents, phrase):
    for similarity in (WordSimilarity.read(documents), SentenceSimilarity(np.eye(3), lambda _: (np.ones(3), 0.0))):
        with pytest.raises(DataError, match=r"the phrase has no word; found: .*expected: a phrase of a few words"):
            similarity.compare(phrase)


@pytest.mark.parametrize(("phrase", "message"), [("the of", "only words that every text uses"), ("zyx", "no text")])
def test_a_phrase_without_a_known_word_is_refused(documents, phrase, message):
    with pytest.raises(NotFound, match=f"{message}.*found: {phrase}; expected: a phrase"):
        WordSimilarity.read(documents).compare(phrase)


def test_sentences_are_compared_by_the_cosine_with_the_mean_of_an_items_reviews(documents):
    vectors = np.array([[1, 0], [0, 1], [0, 2], [0, 1], [3, 4]], np.float32)
    similarity = SentenceSimilarity.read(
        documents, pd.Series(["10", "11", "20", "21", "30"]), vectors, lambda _: (np.array([2.0, 0.0]), 0.0)
    )
    assert similarity.compare("a phrase").values == pytest.approx([np.sqrt(0.5), 0, 0.6])
    unknown = SentenceSimilarity(similarity.vectors, lambda _: (np.ones(2), 0.9))
    with pytest.raises(NotFound, match="does not know the words of the phrase"):
        unknown.compare("喜剧片")


def test_a_phrase_is_split_into_words_in_lower_case():
    assert split_phrase("Don’t look_now, Amélie 2!") == ["don't", "look", "now", "amélie"]
