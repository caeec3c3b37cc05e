from collections import Counter

import numpy as np
import pytest
from fastai.text.core import SpacyTokenizer, TokenizeWithRules, defaults

from latentflix.datasets import DataSetConfig, load_data_set
from latentflix.tokens import build_vocabulary, numericalize, padding_id, tokenize

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
    "a long word of many letters": "antidisestablishmentarianism" * 300,
    "repeated characters": "soooooooo goooood!!!!!! ----- ....",
    "repeated words": "no no no no no, very very very very good",
    "capitals": "THIS IS ALL CAPS AND I SHOUT A LOT",
    "capitals within": "McDonald eBay iPod USA Usa",
    "contractions": "can't won't I'm IT'S it's they've rock'n'roll",
    "addresses": "http://a.b/c?d=e&f=g mail a@b.com #hash @me",
    "numbers": "1,000.50 $5 10km 3rd 8/10 1990s 12:30",
    "quotation marks": "“quoted” ‘single’ «french» … — –",
    "special tokens in the text": "xxbos xxmaj hello xxrep 3 a xxunk",
    "slashes and signs": "a/b\\c {d} [e] (f) _g_ *h* ~i~ ###",
    "accents": "naïve Café Misérables e\u0301tude",
    "another script": "日本語 テスト Привет мир",
    "faces": ":-) ;) :D (: (((",
}


@pytest.fixture(scope="module")
def texts():
    reviews = load_data_set(DataSetConfig(name="imdb_reviews"))["reviews"]
    return list(reviews["text"].sample(300, random_state=0))


@pytest.fixture(scope="module")
def fastai():
    return TokenizeWithRules(SpacyTokenizer())


def test_reviews_get_fastais_tokens(texts, fastai):
    expected = [list(tokens) for tokens in fastai(texts)]
    assert sum(map(len, expected)) > 80_000
    for text, tokens in zip(texts, expected, strict=True):
        assert tokenize(text) == tokens


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_texts_get_fastais_tokens(text, fastai):
    (expected,) = fastai([text])
    assert tokenize(text) == list(expected)


def test_a_sentence_is_split_and_marked():
    tokens = tokenize("I LOVED it. Sooooo good<br />Really!")
    assert " ".join(tokens) == "xxbos i xxup loved it . s xxrep 5 o good \n xxmaj really !"


def test_a_vocabulary_starts_with_fastais_special_tokens():
    assert defaults.text_spec_tok == SPECIAL
    assert build_vocabulary([["film"]], 100, 1) == [*SPECIAL, "film"]


def test_a_vocabulary_goes_from_frequent_to_rare():
    tokenized = [["a", "b", "b"], ["c", "c", "c", "b"], ["c", "d"]]
    assert build_vocabulary(tokenized, 100, 1) == [*SPECIAL, "c", "b", "a", "d"]


def test_a_vocabulary_leaves_out_what_is_rarer_than_asked():
    tokenized = [["a", "b", "b"], ["c", "c", "c", "b"], ["c", "d"]]
    assert build_vocabulary(tokenized, 100, 3) == [*SPECIAL, "c", "b"]


def test_a_vocabulary_has_no_more_tokens_than_asked():
    tokenized = [["a", "b", "b"], ["c", "c", "c", "b"], ["c", "d"]]
    assert build_vocabulary(tokenized, len(SPECIAL) + 1, 1) == [*SPECIAL, "c"]


def test_a_special_token_in_the_texts_gets_one_id_only():
    vocabulary = build_vocabulary([["xxmaj", "xxmaj", "film", "xxunk"]], 100, 1)
    assert vocabulary == [*SPECIAL, "film"]


def test_a_vocabulary_of_reviews_holds_their_most_frequent_tokens(texts):
    tokenized = [tokenize(text) for text in texts]
    counts = Counter(token for tokens in tokenized for token in tokens)
    vocabulary = build_vocabulary(tokenized, 1000, 2)
    assert len(vocabulary) == len(set(vocabulary)) == 1000
    frequencies = [counts[token] for token in vocabulary[len(SPECIAL) :]]
    assert frequencies == sorted(frequencies, reverse=True)
    left_out = set(counts) - set(vocabulary)
    assert max(counts[token] for token in left_out) <= frequencies[-1]


def test_tokens_become_their_places_in_the_vocabulary():
    ids = {token: number for number, token in enumerate([*SPECIAL, "film", "good"])}
    found = numericalize(["good", "film", "xxmaj"], ids)
    assert found.tolist() == [10, 9, 8]
    assert found.dtype == np.int64


def test_an_unknown_token_becomes_xxunk():
    ids = {token: number for number, token in enumerate(["film", *SPECIAL])}
    assert numericalize(["film", "unheard"], ids).tolist() == [0, ids["xxunk"]]


def test_no_tokens_become_no_ids():
    found = numericalize([], {"xxunk": 0})
    assert (found.shape, found.dtype) == ((0,), np.int64)


def test_the_padding_token_is_found_wherever_it_stands():
    assert padding_id(SPECIAL) == 1
    assert padding_id(["film", "good", "xxpad"]) == 2
