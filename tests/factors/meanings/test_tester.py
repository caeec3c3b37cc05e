import logging
from importlib.util import find_spec

import numpy as np
import pytest

from latentflix.errors import ArtifactError, DataError
from latentflix.factors.meanings import tester as tester_module
from latentflix.factors.meanings.history import history_path
from latentflix.factors.meanings.scores import MeaningConfig
from latentflix.factors.meanings.tester import MeaningTester
from latentflix.runs import choose_run
from tests.support.factories.artifacts import put
from tests.support.factories.meanings import NAMES, make_planted, write_planted_run
from tests.support.factories.run import write_run
from tests.support.synthetic_world import join_world

QUICK = MeaningConfig(permutations=200, bootstraps=50)


@pytest.fixture(scope="module")
def planted():
    return make_planted()


@pytest.fixture
def run(store, planted):
    return write_planted_run(store, *planted[:2])


def words_of(planted, label):
    return " ".join(planted[0].words[tuple(label)][:3])


def test_a_phrase_is_tested_beside_the_name_of_the_pole_and_counted(store, run, planted):
    tester = MeaningTester.load(store, run, config=QUICK)
    first = tester.test("A", "+", words_of(planted, "A+"))
    assert first.score.rho > 0.6
    assert (first.name.name, first.name.rho) == (NAMES["A+"], None)
    assert first.name.words == tuple(planted[0].words["A", "+"])
    assert (first.count.number, first.count.tested) == (1, 1)
    assert tester.test("B", "-", words_of(planted, "A+")).count.number == 2
    best = MeaningTester.load(store, run, config=QUICK).best(words_of(planted, "B-"))
    assert (best.factors[0]["label"], best.names[0].name) == ("B-", NAMES["B-"])
    assert best.count.number == 3
    assert tester.test("A", "+", words_of(planted, "A+")).count.number == 1
    assert len(history_path(store, run).read_text().splitlines()) == 4


def test_a_phrase_that_cannot_be_tested_is_not_counted(store, run):
    with pytest.raises(DataError):
        MeaningTester.load(store, run).test("A", "+", "")
    assert not history_path(store, run).exists()


def test_a_meaning_that_cannot_be_written_down_is_tested_all_the_same(store, run, planted, caplog):
    (store.root / "meanings").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        result = MeaningTester.load(store, run, config=QUICK).test("A", "+", words_of(planted, "A+"))
    assert (result.count.number, result.score.rho > 0.6) == (1, True)
    assert "cannot be counted" in caplog.text


def test_sentence_vectors_are_compared_where_the_run_has_them(store, planted, monkeypatch):
    world, documents, positions = planted
    own = positions.loc[join_world(world)["item_id"], "A"].to_numpy()
    vectors = np.stack([1 + own / 10, np.ones(len(own))], 1).astype(np.float32)
    run = write_planted_run(store, world, documents, embeddings=vectors)
    monkeypatch.setattr(tester_module, "_encoder", lambda *_: lambda _: (np.array([1.0, 0.0]), 0.0))
    result = MeaningTester.load(store, run, config=QUICK).test("A", "+", "any phrase")
    assert (result.score.by, result.score.known) == ("sentences", ())
    assert result.score.rho > 0.99
    assert MeaningTester.load(store, run, "words").similarity.name == "words"
    monkeypatch.setattr(tester_module, "find_spec", lambda _: None)
    assert MeaningTester.load(store, run).similarity.name == "words"


def test_an_encoder_that_cannot_be_loaded_is_an_error_only_if_it_was_asked_for(store, planted, monkeypatch, caplog):
    assert find_spec("sentence_transformers")
    world, documents, _ = planted
    vectors = np.ones((len(join_world(world)), 2), np.float32)
    run = write_planted_run(store, world, documents, embeddings=vectors)

    def fail(*_):
        raise DataError("no wheel")

    monkeypatch.setattr(tester_module, "_encoder", fail)
    with caplog.at_level(logging.WARNING):
        assert MeaningTester.load(store, run).similarity.name == "words"
    assert "phrases are compared by words; no wheel" in caplog.text
    with pytest.raises(DataError, match="no wheel"):
        MeaningTester.load(store, run, "sentences")


def test_a_run_without_what_is_needed_is_an_error(store, run):
    with pytest.raises(ArtifactError, match="no sentence vectors.*where: run bbb.*expected: a run with --readers"):
        MeaningTester.load(store, run, "sentences")
    put(store, "report", "c" * 20)
    with pytest.raises(ArtifactError, match="the run has no documents to test a phrase on; where: run ccc.*hint|what"):
        MeaningTester.load(store, choose_run(store, "c"))
    write_run(store)
    with pytest.raises(ArtifactError, match="has no documents.*what to do: start it again with latentflix run"):
        MeaningTester.load(store, choose_run(store, "aaa"))
