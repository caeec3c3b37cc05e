import pytest

from latentflix.datasets import DataSetConfig, load_data_set
from latentflix.plain_text import plain_text
from latentflix.tokens import tokenize


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
