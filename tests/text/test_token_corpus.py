import errno
import hashlib
import multiprocessing
import os
import resource
import signal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fastai.text.core import SpacyTokenizer, TokenizeWithRules, defaults

from latentflix.artifacts import Handle, Store
from latentflix.errors import ArtifactError, DataError, TrainingError
from latentflix.text.cleaning import text_id
from latentflix.text.token_corpus import TokenCorpus, TokenCorpusConfig, _processes, stream_texts, tokenize_corpus
from latentflix.text.tokenizer import tokenize
from tasks.text import tokenize as tokenize_reviews
from tests.support.factories.artifacts import put
from tests.support.factories.corpus import make_corpus

N_SPECIAL = len(defaults.text_spec_tok)
EVERYTHING = 10**9
BAD = {
    "nothing": "",
    "blanks": " \n\t ",
    "one word": "good",
    "a megabyte": "word " * 200_000,
    "a megabyte without a blank": "wörter" * 170_000,
    "a megabyte of brackets": ")(" * 500_000,
    "NUL": "a\x00b \x00 c",
    "half of a pair": "one \ud800 two \udfff",
    "HTML": "<br /><b>bold</b> &amp; <script>alert(1)</script>",
    "emoji": "😀😀😀 👩\u200d👧 ☺",
    "another script": "これは良い映画です。 Очень хороший фильм.",
    "badly decoded": "caf\ufffd\ufffd \x92s \xe2\x80\x99",
}


def tokens_of(corpus, row):
    (ids,) = corpus.texts([row], EVERYTHING, EVERYTHING)
    return [corpus.vocabulary[number] for number in ids]


def store_corpus(store, reviews):
    """Run the stage on these reviews."""
    inputs = {"reviews": (put(store, "datasets", "reviews", tables={"reviews": reviews}),)}
    return tokenize_reviews.run(store, inputs, TokenCorpusConfig())


@pytest.fixture(scope="module")
def reviews(imdb_reviews):
    return imdb_reviews.sample(300, random_state=1).reset_index(drop=True)


@pytest.fixture(scope="module")
def stored(reviews, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("artifacts"))
    return store, store_corpus(store, reviews)


def test_every_token_of_a_stored_corpus_is_fastais_and_counted(stored, reviews):
    corpus = TokenCorpus.load(*stored)
    expected = list(TokenizeWithRules(SpacyTokenizer())(list(reviews["text"])))
    assert sum(map(len, expected)) == len(corpus.ids) > 80_000
    for row, tokens in enumerate(expected):
        assert tokens_of(corpus, row) == list(tokens)
    np.testing.assert_array_equal(np.bincount(corpus.ids, minlength=len(corpus.vocabulary)), corpus.counts)
    assert (np.diff(corpus.counts[N_SPECIAL:]) <= 0).all()
    assert len(set(corpus.vocabulary)) == len(corpus.vocabulary)


def test_an_artifact_has_memory_mapped_arrays_and_no_other_files(stored):
    store, handle = stored
    before = pa.total_allocated_bytes()
    ids = store.map_array(handle, "ids")
    assert pa.total_allocated_bytes() - before < ids.nbytes / 10
    assert not ids.flags.owndata
    assert not ids.flags.writeable
    assert ids.dtype == np.int32
    assert store.find_problem(handle) is None
    names = {"ids.arrow", "offsets.arrow", "counts.arrow", "vocabulary.json", "texts.parquet", "manifest.json"}
    assert {path.name for path in store.path(handle).iterdir()} == names


def test_an_altered_array_is_refused(store, reviews):
    handle = store_corpus(store, reviews.head(3))
    path = store.path(handle) / "ids.arrow"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ArtifactError, match="altered by hand"):
        TokenCorpus.load(store, handle)


def test_the_vocabulary_is_sorted_by_frequency_and_alphabet_after_the_special_tokens():
    corpus = make_corpus(["pear fig fig", "apple pear plum fig"])
    assert corpus.vocabulary == [*defaults.text_spec_tok, "fig", "pear", "apple", "plum"]
    assert corpus.counts.tolist() == [0, 0, 2, 0, 0, 0, 0, 0, 0, 3, 2, 1, 1]


def test_one_array_serves_every_vocabulary_size():
    corpus = make_corpus(["pear fig fig apple", "pear"])
    large, small = (corpus.texts([0], size, EVERYTHING)[0] for size in (N_SPECIAL + 3, N_SPECIAL + 1))
    assert [corpus.vocabulary[number] for number in large] == ["xxbos", "pear", "fig", "fig", "apple"]
    assert [corpus.vocabulary[number] for number in small] == ["xxbos", "xxunk", "fig", "fig", "xxunk"]
    assert large.dtype == np.int64


@pytest.mark.parametrize(
    ("at_most", "min_frequency", "expected"),
    [(100, 1, N_SPECIAL + 3), (100, 2, N_SPECIAL + 2), (100, 3, N_SPECIAL), (N_SPECIAL + 1, 1, N_SPECIAL + 1)],
)
def test_a_vocabulary_has_no_rarer_and_no_more_tokens_than_asked(at_most, min_frequency, expected):
    assert make_corpus(["pear fig fig apple", "pear"]).vocabulary_size(at_most, min_frequency) == expected


def test_texts_are_truncated():
    corpus = make_corpus(["one two three", "four"])
    assert [len(text) for text in corpus.texts([0, 1], EVERYTHING, 3)] == [3, 2]
    assert corpus.lengths(np.array([1, 0])).tolist() == [2, 4]


def test_reviews_are_found_by_their_text_and_a_missing_one_is_named():
    corpus = make_corpus(["one", "two", "one", "three"])
    ids = [text_id(text) for text in ("three", "one")]
    assert ids[1] == hashlib.sha256(b"one").hexdigest()
    assert corpus.rows(ids).tolist() == [3, 0]
    assert corpus.rows_excluding(ids).tolist() == [1]
    with pytest.raises(DataError, match="where: text_id nobody; 1 such reviews of 2"):
        corpus.rows([text_id("one"), "nobody"])


def test_odd_texts_keep_their_places():
    texts = [text for bad in BAD.values() for text in (bad, f"neighbour of {len(bad)}")]
    corpus = make_corpus(texts)
    assert len(corpus.offsets) == len(texts) + 1
    for row in range(1, len(texts), 2):
        assert tokens_of(corpus, row) == tokenize(f"neighbour of {len(texts[row - 1])}")
    for row, (name, text) in enumerate(BAD.items()):
        found = tokens_of(corpus, 2 * row)
        assert found[0] == "xxbos", name
        assert (len(found) == 1) == (not text.strip()), name
    assert tokens_of(corpus, 2 * list(BAD).index("half of a pair")) == tokenize("one \ufffd two \ufffd")


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([["one", "two"], [nothing, "four"]], r"where: row 2 \(counting from 0\); found: (None|nan|7)")
        for nothing in (None, np.nan, 7)
    ]
    + [([], "found: 0 texts")],
)
def test_a_row_without_text_is_named_and_a_corpus_of_nothing_refused(chunks, expected):
    with pytest.raises(DataError, match=expected):
        tokenize_corpus(2 * len(chunks), chunks, TokenCorpusConfig())


def test_texts_are_streamed_in_their_order(tmp_path):
    texts = [f"text {number}" for number in range(1234)]
    pd.DataFrame({"text": texts, "positive": 1}).to_parquet(tmp_path / "reviews.parquet")
    n_texts, chunks = stream_texts(tmp_path / "reviews.parquet")
    read = list(chunks)
    assert n_texts == 1234
    assert max(map(len, read)) <= 500
    assert [text for chunk in read for text in chunk] == texts


def test_processes_take_few_chunks_ahead_and_return_them_in_order():
    taken = []

    def chunks():
        for number in range(40):
            taken.append(number)
            yield [f"text {number}"] * 3

    with _processes(2) as run:
        tokenized = run(chunks())
        first = next(tokenized)
        assert len(taken) == 2 * 2 + 1
        places = [distinct[2] for distinct, *_ in (first, *tokenized)]
    assert places == [str(number) for number in range(40)]


def test_a_killed_process_is_reported(monkeypatch):
    def chunks():
        for number in range(1000):
            if number == 6:
                os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
            yield [f"text {number}"] * 200

    with pytest.raises(TrainingError, match=r"expected: 2 processes"):
        tokenize_corpus(200_000, chunks(), TokenCorpusConfig(processes=2))


def test_a_full_disk_is_named_as_the_cause(tmp_path):
    # Python ignores the signal that a process gets at this limit.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError) as error:
            tokenize_corpus(
                1, [[" ".join(f"word{number}" for number in range(2000))]], TokenCorpusConfig(processes=1), tmp_path
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.errno == errno.EFBIG


def test_the_number_of_processes_does_not_change_the_artifact():
    inputs = {"reviews": (Handle(stage="datasets", key="a"),)}
    assert len({tokenize_reviews.handle(inputs, TokenCorpusConfig(processes=number)) for number in (None, 1, 4)}) == 1
