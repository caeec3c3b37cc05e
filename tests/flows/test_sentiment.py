"""Labelled reviews to page: a planted mood, in a folder laid out as the archive is and in a data set with links."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import tasks.sentiment_reviews

import latentflix.data.datasets
from flows.command_line import FlowResult
from flows.sentiment import sentiment
from latentflix.artifacts import Handle, Store, file_sha256
from latentflix.data.download import DataSet, SourceFile
from latentflix.sentiment.predictor import SentimentPredictor
from latentflix.settings import SentimentSettings
from tests.support.factories.sentiment import QUICK, make_links, make_reviews, write_archive

STAGES = {
    *("sentiment_reviews", "token_corpus", "language_model", "sentiment_classifier", "sentiment_tfidf", "sentiment"),
    *("sentiment_evaluation", "sentiment_page"),
}
SMALL = {
    "language_model": {
        "embedding_size": 32,
        "vocabulary_size": 1000,
        "max_tokens": 4000,
        "batch_size": 8,
        "sequence_length": 20,
        "rate_steps": 0,
        "sentences": 0,
    },
    "sentiment_classifier": QUICK.model_dump(),
    "sentiment_evaluation": {"bootstraps": 50},
}


@dataclass(frozen=True)
class Run:
    outcome: FlowResult
    store: Store

    def handle(self, stage: str) -> Handle:
        (folder,) = (self.store.root / stage).glob("[!.]*")
        return Handle(stage=stage, key=folder.name)


def run(folder: Path, **changed: object) -> Run:
    settings = SentimentSettings.model_validate({**SMALL, "artifacts_dir": folder / "artifacts", **changed})
    return Run(sentiment(settings), Store(settings.artifacts_dir))


@pytest.fixture(scope="module")
def archive(prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("archive")
    reviews = make_reviews(n_items=80)
    test = reviews["tconst"] >= "tt0000060"
    halves = {"train": reviews[~test], "test": reviews[test]}
    rows = {half: list(table.itertuples(index=False, name=None)) for half, table in halves.items()}
    write_archive(folder / "aclImdb", rows)
    return run(folder, sentiment_source={"path": folder})


@pytest.fixture(scope="module")
def joined(prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("joined")
    reviews = make_reviews()
    table = reviews[["text", "positive"]].astype({"positive": int})
    (folder / "reviews").write_text("the file")
    known_hash = f"sha256:{file_sha256(folder / 'reviews')}"
    source = SourceFile("reviews", "nowhere", known_hash, lambda _: {"reviews": table})
    planted = DataSet("planted", "none", "nowhere", (source,))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(latentflix.data.datasets.DATA_SETS, "imdb_reviews", planted)
        monkeypatch.setattr(tasks.sentiment_reviews, "review_links", lambda: make_links(reviews))
        return run(folder, data_dir=folder)


def test_the_archives_own_test_half_is_what_is_scored(archive: Run) -> None:
    reviews = archive.store.read_table(archive.handle("sentiment_reviews"), "reviews")
    test = reviews[reviews["part"] == "test"]
    assert set(test["film"]) == {f"tt{film:07d}" for film in range(60, 80)}
    assert archive.outcome.headline["test_reviews"] == len(test) == 80
    assert reviews.groupby("film")["part"].nunique().max() == 1
    assert set(archive.outcome.seconds) == STAGES | {"sentiment_source"}


def test_reviews_of_the_data_set_are_split_by_their_films(joined: Run) -> None:
    reviews = joined.store.read_table(joined.handle("sentiment_reviews"), "reviews")
    assert reviews["film"].nunique() == 60
    assert reviews.groupby("film")["part"].nunique().max() == 1
    assert set(joined.outcome.seconds) == STAGES | {"datasets"}


@pytest.mark.parametrize("name", ["archive", "joined"])
def test_the_planted_mood_is_told(name: str, request: pytest.FixtureRequest) -> None:
    headline = request.getfixturevalue(name).outcome.headline
    assert headline["accuracy"] > 0.9
    assert headline["low"] <= headline["accuracy"] <= headline["high"]
    assert headline["accuracy"] == headline[f"{headline['predictor']}_accuracy"]


def test_the_language_model_reads_no_review_that_is_held_out(archive: Run) -> None:
    reviews = archive.store.read_table(archive.handle("sentiment_reviews"), "reviews")
    unread = set(archive.store.read_table(archive.handle("sentiment_reviews"), "unread")["text_id"])
    assert unread == set(reviews.loc[reviews["part"] != "train", "review_id"])
    n_train = (reviews["part"] == "train").sum()
    assert archive.store.manifest(archive.handle("language_model")).metrics["texts"] == n_train


def test_the_predictor_was_chosen_on_validation(archive: Run) -> None:
    trials = archive.store.read_table(archive.handle("sentiment"), "trials").set_index("predictor")
    assert trials.loc[archive.outcome.headline["predictor"], "chosen"]
    assert trials["log_loss"].idxmin() == archive.outcome.headline["predictor"]


def test_the_page_names_every_stage_and_shows_reviews_as_text(archive: Run) -> None:
    page = Path(archive.outcome.report).read_text(encoding="utf-8")
    assert STAGES - {"sentiment_page"} <= set(re.findall(r"<summary>(\w+)", page))
    assert archive.outcome.sentence.startswith("80 reviews of 20 unseen films")


def test_a_second_run_takes_everything_from_the_cache(archive: Run) -> None:
    folder = archive.store.root.parent
    again = run(folder, sentiment_source={"path": folder / "aclImdb"})
    assert set(again.outcome.cached.values()) == {True}


def test_the_model_that_was_kept_tells_what_the_flow_told(archive: Run) -> None:
    handle = archive.handle("sentiment")
    probabilities = archive.store.read_table(handle, "probabilities")[archive.outcome.headline["predictor"]]
    texts = archive.store.read_table(archive.handle("sentiment_reviews"), "reviews").set_index("review_id")["text"]
    told = SentimentPredictor.load(archive.store.root).predict(list(texts.loc[probabilities.index]))
    expected = pd.Series(probabilities.to_numpy(), name="probability")
    pd.testing.assert_series_equal(told["probability"], expected, atol=1e-4)
