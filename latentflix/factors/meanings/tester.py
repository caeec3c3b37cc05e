"""Phrases tested on a finished run, and counted."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd

from latentflix.artifacts import Handle, Store
from latentflix.errors import ArtifactError, DataError, DependencyError
from latentflix.factors.documents import Documents
from latentflix.factors.meanings.history import (
    Count,
    TestedMeaning,
    add_meaning,
    count_meanings,
    history_path,
    read_meanings,
)
from latentflix.factors.meanings.scores import MeaningConfig, MeaningScore, best_factors, test_meaning
from latentflix.factors.meanings.similarity import SentenceSimilarity, Similarity, WordSimilarity
from latentflix.runs import PROGRAM, Run, trace_stage

logger = logging.getLogger(__name__)

By = Literal["words", "sentences"]
_TESTS = "tests"
_SHOWN_WORDS = 8
_SHOWN_FACTORS = 5


@dataclass(frozen=True)
class NameScore:
    """The name of a pole, its best words, and how well these say where items stand; rho None if that was not tested."""

    label: str
    name: str
    words: tuple[str, ...]
    rho: float | None = None
    rho_low: float | None = None
    rho_high: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class PhraseResult:
    """A phrase tested on one factor."""

    score: MeaningScore
    name: NameScore
    count: Count


@dataclass(frozen=True)
class BestResult:
    """A phrase tested on all factors. factors: the best, as rows of `best_factors`, and the names of their poles."""

    phrase: str
    by: str
    factors: tuple[dict[str, str | float], ...]
    names: tuple[NameScore, ...]
    count: Count


@dataclass(frozen=True)
class MeaningTester:
    """Tests phrases on a run, and keeps count of them. history: the file of those that were tested."""

    documents: Documents
    positions: pd.DataFrame
    similarity: Similarity
    names: dict[str, str]
    terms: pd.DataFrame
    name_tests: pd.DataFrame
    by_models: tuple[TestedMeaning, ...]
    history: Path
    config: MeaningConfig

    @classmethod
    def load(
        cls,
        store: Store,
        run: Run,
        by: By | None = None,
        config: MeaningConfig | None = None,
        data_dir: Path | None = None,
    ) -> Self:
        """Load what a run knows.

        Args:
            by: what phrases are compared by; None: sentence vectors if the run has them and they can be made here.
            data_dir: a folder with data sets that were fetched by hand, the sentence transformer among them.

        Raises:
            ArtifactError: the run has no documents or positions, was altered, or has no sentence vectors to compare by.
            DependencyError: sentence vectors are asked for, and the package is missing.
        """
        documents = store.read(_find(store, run, "documents"), Documents)
        positions = store.read_table(_find(store, run, "factors"), "scores")
        names = run.handle("names")
        return cls(
            documents,
            positions,
            _similarity(store, run, documents, by, data_dir),
            store.read_json(names, "names"),
            store.read_table(names, "terms"),
            read_name_tests(store, names),
            tuple(_tested_by_models(store, run)),
            history_path(store, run),
            config or MeaningConfig(),
        )

    def test(self, axis: str, pole: str, phrase: str) -> PhraseResult:
        """Test a phrase on a factor, towards a pole. Raises as `scores.test_meaning`."""
        score = test_meaning(self.documents, self.positions, axis, pole, phrase, self.similarity, self.config)
        meaning = TestedMeaning(
            phrase=score.phrase, axis=score.axis, pole=pole, by=score.by, rho=_known(score.rho), p=_known(score.p)
        )
        return PhraseResult(score, self._name(score.label), self._count(meaning))

    def best(self, phrase: str) -> BestResult:
        """Find the factors that a phrase fits best. Raises as `scores.test_meaning`."""
        table = best_factors(self.documents, self.positions, phrase, self.similarity, self.config)
        phrase, first = " ".join(phrase.split()), table.iloc[0]
        meaning = TestedMeaning(
            phrase=phrase,
            axis="",
            pole=str(table.index[0]),
            by=self.similarity.name,
            rho=float(first["rho"]),
            p=float(first["p_max"]),
        )
        best = table.head(_SHOWN_FACTORS)
        rows = [{str(name): value for name, value in row.items()} for row in best.reset_index().to_dict("records")]
        return BestResult(
            phrase, self.similarity.name, tuple(rows), tuple(map(self._name, best.index)), self._count(meaning)
        )

    def _name(self, label: str) -> NameScore:
        words = tuple(self.terms.loc[self.terms["label"] == label, "term"].head(_SHOWN_WORDS))
        tested = {}
        if label in self.name_tests.index:
            tested = {name: _known(self.name_tests.loc[label, name]) for name in ("rho", "rho_low", "rho_high", "p")}
        return NameScore(label, self.names.get(label, ""), words, **tested)

    def _count(self, meaning: TestedMeaning) -> Count:
        """Add a meaning to those that were tested; if that fails, warn and count it all the same."""
        try:
            add_meaning(self.history, meaning)
        except ArtifactError as error:
            logger.warning("%s", error)
        return count_meanings([*self.by_models, *read_meanings(self.history)], meaning)


def read_name_tests(store: Store, names: Handle) -> pd.DataFrame:
    """How well the words of each name say where unseen items stand: index label; empty if that was not tested."""
    if f"{_TESTS}.parquet" not in store.manifest(names).files:
        return pd.DataFrame(columns=["rho", "rho_low", "rho_high", "p"])
    return store.read_table(names, _TESTS)


def _find(store: Store, run: Run, stage: str) -> Handle:
    found = trace_stage(store, run, stage)
    if not found:
        raise ArtifactError(
            f"the run has no {stage} to test a phrase on",
            where=f"run {run.key}",
            found=", ".join(run.handles),
            expected=f"an artifact of the stage {stage}",
            hint=f"start it again with {PROGRAM}",
        )
    return found[-1]


def _tested_by_models(store: Store, run: Run) -> list[TestedMeaning]:
    """The phrases of a language model that the run itself has tested."""
    return [
        TestedMeaning(
            phrase=row["phrase"],
            axis=row["label"][:-1],
            pole=row["label"][-1],
            by=WordSimilarity.name,
            rho=row["rho"],
            p=row["p"],
            tested_at=store.manifest(handle).made_at,
            tested_by=store.read_json(handle, "model"),
        )
        for handle in trace_stage(store, run, "llm_names")
        for row in store.read_table(handle, "phrases").dropna(subset=["rho"]).to_dict("records")
    ]


def _similarity(store: Store, run: Run, documents: Documents, by: By | None, data_dir: Path | None) -> Similarity:
    if by == WordSimilarity.name:
        return WordSimilarity.read(documents)
    embedded, reviews = trace_stage(store, run, "embeddings"), trace_stage(store, run, "reviews")
    if by is None and not (embedded and reviews and find_spec("sentence_transformers")):
        return WordSimilarity.read(documents)
    if not (embedded and reviews):
        raise ArtifactError(
            "the run has no sentence vectors to compare a phrase with",
            where=f"run {run.key}",
            expected="a run with --readers.sentences",
            hint="start one, or compare by words",
        )
    try:
        encode = _encoder(store, embedded[-1], data_dir)
    except (DataError, DependencyError) as error:
        if by is not None:
            raise
        logger.warning("phrases are compared by words; %s", error)
        return WordSimilarity.read(documents)
    review_ids = store.read_table(reviews[-1], "reviews")["review_id"]
    vectors = store.read_arrays(embedded[-1], "mean")["mean"]
    return SentenceSimilarity.read(documents, review_ids, vectors, encode)


def _encoder(store: Store, embedded: Handle, data_dir: Path | None) -> Callable[[str], tuple[np.ndarray, float]]:
    """What makes vectors of phrases as those of the reviews were made. It imports PyTorch, so it is imported late."""
    from latentflix.text.sentence_embeddings import EmbeddingConfig, embed_texts, load_encoder

    config = EmbeddingConfig.model_validate({**store.manifest(embedded).config, "data_dir": data_dir})
    encoder = load_encoder(config)

    def encode(phrase: str) -> tuple[np.ndarray, float]:
        made = embed_texts([phrase], encoder, config)
        return made.mean[0], float(made.unknown[0])

    return encode


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
