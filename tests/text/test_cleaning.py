import numpy as np
import pytest

from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.text.cleaning import NO_TEXT, NOT_UTF8, UNKNOWN_WORDS, note_fault, note_unknown, plain_text
from latentflix.text.tokenizer import tokenize


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Good.<br /><br>Very <b>good</b> &amp; long", "Good.\n\nVery  good  & long"),
        ("<script>alert('x')</script>Good<style>p {}</style>", "Good"),
        ("I <3 it, 5 > 3 & a < b", "I <3 it, 5 > 3 & a < b"),
        ("a\x00b\x07c\td\x7f", "a b c\td"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
        ("<img src=x onerror=alert(1)>Good", "Good"),
        ("a&#7;b", "a b"),
        ("review.txt", "review.txt"),
        ("<p></p> ", ""),
    ],
)
def test_words_are_left_of_a_page(text, plain):
    assert plain_text(text) == plain


def test_real_reviews_keep_their_tokens():
    reviews = load_data_set(DataSetConfig(name="imdb_reviews"))["reviews"]["text"][:200]
    same = [tokenize(plain_text(text)) == tokenize(text) for text in reviews]
    assert sum(same) >= 198


@pytest.mark.parametrize(
    ("text", "note"),
    [("", NO_TEXT), (" \n\t", NO_TEXT), (None, NO_TEXT), (b"caf\xe9", NOT_UTF8), ("good", ""), ("\x00", "")],
)
def test_what_cannot_be_read_is_told_why(text, note):
    assert note_fault(text) == note


def test_a_text_most_of_which_is_unknown_gets_a_warning():
    assert note_unknown(np.array([0, 0, 5]), unknown=0) == UNKNOWN_WORDS
    assert note_unknown(np.array([0, 5]), unknown=0) == ""
