import pytest

from latentflix.text.cleaning import (
    NO_TEXT,
    NOT_UTF8,
    UNKNOWN_WORDS,
    note_unknown,
    note_unreadable,
    plain_text,
    replace_surrogates,
    text_id,
)
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
def test_markup_is_removed(text, plain):
    assert plain_text(text) == plain


def test_real_reviews_keep_their_tokens(imdb_reviews):
    same = [tokenize(plain_text(text)) == tokenize(text) for text in imdb_reviews["text"][:200]]
    assert sum(same) >= 198


@pytest.mark.parametrize(
    ("text", "note"),
    [("", NO_TEXT), (" \n\t", NO_TEXT), (None, NO_TEXT), (b"caf\xe9", NOT_UTF8), ("good", ""), ("\x00", "")],
)
def test_an_unreadable_text_gets_a_note(text, note):
    assert note_unreadable(text) == note


def test_a_text_of_unknown_words_gets_a_warning():
    assert note_unknown(2 / 3) == UNKNOWN_WORDS
    assert note_unknown(0.5) == ""


def test_halves_of_surrogate_pairs_are_replaced():
    assert replace_surrogates("a \ud83d b \ude00 😀") == "a \ufffd b \ufffd 😀"
    assert text_id("a \ud83d") == text_id("a \ufffd") != text_id("a")
