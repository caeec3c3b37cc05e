import numpy as np
import pytest

from latentflix.factors.word_families import SAME_USE, belong_together, group_families


def families_of(*terms, alike=()):
    agreement = np.eye(len(terms))
    for one, other in alike:
        agreement[terms.index(one), terms.index(other)] = agreement[terms.index(other), terms.index(one)] = SAME_USE
    return [[terms[member] for member in family] for family in group_families(terms, agreement)]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (["horror", "horror film", "horror movies", "gore"], [["horror", "horror film", "horror movies"], ["gore"]]),
        (["horror film", "horror", "horror movies"], [["horror film", "horror", "horror movies"]]),
        (["horror film", "horror films"], [["horror film", "horror films"]]),
        (["black comedy", "romantic comedy"], [["black comedy"], ["romantic comedy"]]),
        (["joke", "jokes"], [["joke", "jokes"]]),
        (["funny", "funniest", "fun"], [["funny", "funniest"], ["fun"]]),
        (["comedy", "comedies", "comes"], [["comedy", "comedies"], ["comes"]]),
        (["class", "clas"], [["class"], ["clas"]]),
        (["bad", "bad movie", "movie", "bad guys", "guys"], [["bad", "bad movie", "bad guys"], ["movie"], ["guys"]]),
        ([], []),
    ],
)
def test_terms_with_a_word_in_common_are_a_family_and_the_strongest_comes_first(terms, expected):
    assert families_of(*terms) == expected


def test_terms_that_the_same_items_use_are_a_family():
    alike = [("scary", "gore"), ("gore", "blood")]
    # Of the same use as the strongest; agreement does not pass from one to the next.
    assert families_of("scary", "gore", "blood", alike=alike) == [["scary", "gore"], ["blood"]]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("jokes", "joke", True),
        ("based on a book", "book", True),
        ("based on a book", "based on a true story", False),
        ("true story", "based on a true story", True),
        ("story", "book", False),
    ],
)
def test_terms_belong_together_if_all_words_of_one_are_in_the_other(one, other, expected):
    assert belong_together(one, other) == belong_together(other, one) == expected
