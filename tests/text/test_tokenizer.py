import numpy as np
import pytest
from fastai.text.core import SpacyTokenizer, TokenizeWithRules

from latentflix.text.tokenizer import CACHED_WORDS, _split_word, numericalize, padding_id, tokenize, truncate

SPECIAL = ["xxunk", "xxpad", "xxbos", "xxeos", "xxfld", "xxrep", "xxwrep", "xxup", "xxmaj"]
ODD = {
    "nothing": "",
    "a blank": " ",
    "blanks": "     ",
    "a tab": "\t",
    "newlines": "\n\n \n",
    "mixed white space": "\ta \n\n b\t\tc \r\n d  ",
    "blanks before": "   now",
    "blanks after": "now   ",
    "a no-break space": "a\u00a0b \u00a0 c",
    "an ideographic space": "a\u3000b\u2003 c",
    "a next line": "a\x85b\x1cc",
    "a zero width space": "a\u200bb \ufeffc",
    "emoji": "wow 😀😀😀😀 👩\u200d👩\u200d👧 ☺",
    "HTML": "<br /><br />Hi<br/>there &amp; &lt;i&gt; &quot;you&quot; #39; #36;",
    "NUL": "a\x00b \x00",
    "a very long word": "x" * 20_000,
    "a long word of many letters": "antidisestablishmentarianism" * 17,
    "a word thrice at the end": "so it was good good good",
    "a word thrice between tabs": "no\tno\n no. Yes",
    "capitals beside odd blanks": " \n THE\nEnd \tOF It\u00a0ALL \n",
    "repeated characters": "soooooooo goooood!!!!!! ----- ....",
    "repeated words": "no no no no no, very very very very good",
    "capitals": "THIS IS ALL CAPS AND I SHOUT A LOT",
    "capitals within": "McDonald eBay iPod USA Usa",
    "contractions": "can't won't I'm IT'S it's they've rock'n'roll",
    "addresses": "http://a.b/c?d=e&f=g mail a@b.com #hash @me",
    "apostrophes on either side of a blank": "I need a pair'' ''their yours.. ('') ('') :'( ) : )",
    "signs on either side of a blank": "- - - ... ) ( ;-) :) :( '' \") ('' !! ? ' ''s ' ' '",
    "numbers": "1,000.50 $5 10km 3rd 8/10 1990s 12:30",
    "quotation marks": "“quoted” ‘single’ «french» … — –",
    "special tokens in the text": "xxbos xxmaj hello xxrep 3 a xxunk",
    "slashes and signs": "a/b\\c {d} [e] (f) _g_ *h* ~i~ ###",
    "accents": "naïve Café Misérables e\u0301tude",
    "another script": "日本語 テスト Привет мир",
    "faces": ":-) ;) :D (: (((",
}


@pytest.fixture(scope="module")
def fastai():
    return TokenizeWithRules(SpacyTokenizer())


def test_reviews_get_fastais_tokens(imdb_reviews, fastai):
    texts = list(imdb_reviews["text"].sample(300, random_state=0))
    expected = [list(tokens) for tokens in fastai(texts)]
    assert sum(map(len, expected)) > 80_000
    assert [tokenize(text) for text in texts] == expected


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_texts_get_fastais_tokens(text, fastai):
    (expected,) = fastai([text])
    assert tokenize(text) == list(expected)


def test_a_sentence_is_split_and_marked_and_halves_of_surrogate_pairs_are_replaced():
    tokens = tokenize("I LOVED it. Sooooo good<br />Really!")
    assert " ".join(tokens) == "xxbos i xxup loved it . s xxrep 5 o good \n xxmaj really !"
    assert tokenize("a \ud83d b") == ["xxbos", "a", "\ufffd", "b"]


def test_what_is_longer_than_any_word_is_split():
    word = "antidisestablishmentarianism" * 300
    tokens = tokenize(f"a {word} b")
    assert "".join(tokens[2:-1]) == word
    assert {len(token) for token in tokens[2:-2]} == {500}
    assert (tokens[:2], tokens[-1]) == (["xxbos", "a"], "b")


def test_a_megabyte_of_brackets_does_not_take_quadratic_time_and_the_cache_of_words_is_bounded():
    assert len(tokenize(")(" * 500_000)) > 2000
    assert _split_word.cache_info().maxsize == CACHED_WORDS


@pytest.mark.parametrize(
    ("tokens", "expected"), [(["good", "film", "xxmaj"], [10, 9, 8]), (["film", "unheard"], [9, 0]), ([], [])]
)
def test_tokens_become_their_ids_and_unknown_ones_xxunk(tokens, expected):
    found = numericalize(tokens, {token: number for number, token in enumerate([*SPECIAL, "film", "good"])})
    assert found.tolist() == expected
    assert found.dtype == np.int64


def test_a_longer_text_is_truncated_to_its_first_or_last_tokens():
    ids = np.arange(10, 16)
    assert truncate(ids, 4, "first").tolist() == [10, 11, 12, 13]
    assert truncate(ids, 4, "last").tolist() == [10, 13, 14, 15]
    assert truncate(ids, 6, "last").tolist() == truncate(ids, 9, "first").tolist() == ids.tolist()


def test_the_padding_token_is_found_anywhere():
    assert padding_id(SPECIAL) == 1
    assert padding_id(["film", "good", "xxpad"]) == 2


def test_a_number_of_too_many_digits_stands_for_no_character():
    assert tokenize("a &#" + "9" * 5000 + "; b") == tokenize("a \ufffd b")
