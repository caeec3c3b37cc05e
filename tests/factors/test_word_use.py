import numpy as np
import pytest

from latentflix.factors.word_use import count_use, find_terms, standardise

TERMS = ["war", "love story", "hero"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("A war, then War again.", ["war", "War"]),
        ("wars and warfare", []),
        ("a Love story", ["Love story"]),
        ("a love of the story", ["love of the story"]),
        ("a love. story", []),
        ("a love big story", []),
        ("war hero", ["war", "hero"]),
        ("", []),
    ],
)
def test_terms_are_found_as_whole_words_one_after_the_other_within_a_sentence(written, found):
    assert [written[start:end] for (start, end), _ in find_terms(written, TERMS)] == found


def use_of(texts, items, proper_names=(), **changes):
    limits = {"min_items": 1, "max_share": 1, "max_terms": 10_000} | changes
    return count_use(texts, np.array(items), max(items) + 1, proper_names, **limits)


def test_each_review_that_uses_a_term_counts_once():
    texts = ["A war! War of wars.", "the long war", "Peace at last?", "no word of it"]
    use = use_of(texts, [0, 0, 1, 3])
    table = dict(zip(use.terms.tolist(), use.counts.toarray().T.tolist(), strict=True))
    # "last" and "of" are English stop words; an item may have no review.
    assert table == {
        "war": [2, 0, 0, 0],
        "wars": [1, 0, 0, 0],
        "war wars": [1, 0, 0, 0],
        "long": [1, 0, 0, 0],
        "long war": [1, 0, 0, 0],
        "peace": [0, 1, 0, 0],
        "word": [0, 0, 0, 1],
    }
    assert use.n_reviews.tolist() == [2, 1, 0, 1]


def test_what_is_counted_is_what_is_found():
    texts = ["The hero, Zorro, isn't in love: a story of WAR. Don't go!", "An ever so small İstanbul love story.", "?"]
    use = use_of(texts, [0, 1, 2])
    for text, counts in zip(texts, use.counts.toarray(), strict=True):
        assert {term for _, term in find_terms(text, use.terms.tolist())} == set(use.terms[counts > 0])
    assert "don" not in use.terms
    assert "isn" not in use.terms


def test_a_proper_name_is_never_part_of_a_term():
    use = use_of(["Zorro rides", "zorro the brave hero", "A brave Zorro"], [0, 1, 2], ["zorro"])
    assert set(use.terms) == {"rides", "brave", "hero", "brave hero"}


def test_a_term_needs_enough_items_and_the_most_used_are_kept():
    texts = ["war hero"] * 5 + ["war"] * 2 + ["love"]
    items = [0, 0, 0, 0, 1, 2, 3, 4]
    assert use_of(texts, items, min_items=2).terms.tolist() == ["war", "hero", "war hero"]
    assert use_of(texts, items, min_items=3).terms.tolist() == ["war"]
    assert use_of(texts, items, max_terms=2).terms.tolist() == ["war", "hero"]
    assert use_of(texts, items, min_items=9).counts.shape == (5, 0)


def test_a_word_that_most_reviews_use_counts_in_pairs_only():
    texts = ["a horror film", "good films", "a film", "another film", "funny"]
    assert set(use_of(texts, [0, 1, 2, 3, 4], max_share=0.5).terms) == {
        *("horror", "good", "funny"),
        *("horror film", "good films"),
    }


def test_few_reviews_are_drawn_towards_the_share_of_all():
    texts = ["war"] * 10 + ["rest"] * 10 + ["war"]
    use = use_of(texts, [0] * 10 + [1] * 10 + [2])
    weights = np.full(3, 1 / 3)
    share = 11 / 21
    expected = np.array([(10 + 5 * share) / 15, 5 * share / 15, (1 + 5 * share) / 6])
    war = use.standardise(5, weights)[:, use.terms.tolist().index("war")]
    assert war == pytest.approx(standardise(expected[:, None], weights)[:, 0])
    assert war.mean() == pytest.approx(0, abs=1e-6)
    assert 0 < war[2] < war[0]


def test_an_item_without_reviews_is_as_all_are():
    use = use_of(["war", "peace", "war"], [0, 1, 3])
    assert use.standardise(10, np.full(4, 0.25)).shape == (4, 2)
    drawn = use.standardise(10, np.array([0, 0, 1, 0]))
    assert drawn[2] == pytest.approx(0)


def test_a_constant_is_standardised_to_zero():
    assert standardise(np.ones((4, 1)), np.full(4, 0.25)).tolist() == [[0]] * 4
