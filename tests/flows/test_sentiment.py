"""The sentiment flow on reviews whose words decide: in a folder like the archive, and in a data set with links."""

import re
from pathlib import Path

import pandas as pd
import pytest

import latentflix.data.datasets
import tasks.sentiment
from flows.sentiment import sentiment
from latentflix.artifacts import Store, file_sha256
from latentflix.data.download import DataSet, SourceFile
from latentflix.sentiment.predictor import SentimentPredictor
from latentflix.settings import SentimentSettings
from tests.support.factories.sentiment import QUICK, make_links, make_reviews, write_archive
from tests.support.synthetic_run import Run

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


def run(folder: Path, **changed: object) -> Run:
    settings = SentimentSettings.model_validate({**SMALL, "artifacts_dir": folder / "artifacts", **changed})
    return Run(sentiment(settings), Store(settings.artifacts_dir))


@pytest.fixture(scope="module")
def archive(prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("archive")
    reviews = make_reviews(n_films=80)
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
    data_set = DataSet("labelled", "none", "nowhere", (source,))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(latentflix.data.datasets.DATA_SETS, "imdb_reviews", data_set)
        monkeypatch.setattr(tasks.sentiment, "review_links", lambda: make_links(reviews))
        return run(folder, data_dir=folder)


def test_the_test_half_of_the_archive_is_scored(archive: Run) -> None:
    reviews = archive.table("sentiment_reviews", "reviews")
    test = reviews[reviews["part"] == "test"]
    assert set(test["film"]) == {f"tt{film:07d}" for film in range(60, 80)}
    assert archive.result.headline["test_reviews"] == len(test) == 80
    assert reviews.groupby("film")["part"].nunique().max() == 1
    assert set(archive.result.seconds) == STAGES | {"sentiment_source"}


def test_reviews_of_the_data_set_are_split_by_their_films(joined: Run) -> None:
    reviews = joined.table("sentiment_reviews", "reviews")
    assert reviews["film"].nunique() == 60
    assert reviews.groupby("film")["part"].nunique().max() == 1
    assert set(joined.result.seconds) == STAGES | {"datasets"}


@pytest.mark.parametrize("name", ["archive", "joined"])
def test_the_sentiment_is_predicted(name: str, request: pytest.FixtureRequest) -> None:
    headline = request.getfixturevalue(name).result.headline
    assert headline["accuracy"] > 0.9
    assert headline["low"] <= headline["accuracy"] <= headline["high"]
    assert headline["accuracy"] == headline[f"{headline['predictor']}_accuracy"]


def test_the_language_model_reads_no_held_out_review(archive: Run) -> None:
    reviews = archive.table("sentiment_reviews", "reviews")
    unread = set(archive.table("sentiment_reviews", "unread")["text_id"])
    assert unread == set(reviews.loc[reviews["part"] != "train", "review_id"])
    n_train = (reviews["part"] == "train").sum()
    assert archive.store.manifest(archive.handle("language_model")).metrics["texts"] == n_train


def test_the_predictor_was_chosen_on_validation(archive: Run) -> None:
    trials = archive.table("sentiment", "trials").set_index("predictor")
    assert trials.loc[archive.result.headline["predictor"], "chosen"]
    assert trials["log_loss"].idxmin() == archive.result.headline["predictor"]


def test_the_page_names_every_stage_and_shows_reviews_as_text(archive: Run) -> None:
    page = Path(archive.result.report).read_text(encoding="utf-8")
    assert STAGES - {"sentiment_page"} <= set(re.findall(r"<summary>(\w+)", page))
    assert archive.result.sentence.startswith("80 reviews of 20 unseen films")


def test_a_second_run_takes_everything_from_the_cache(archive: Run) -> None:
    folder = archive.store.root.parent
    again = run(folder, sentiment_source={"path": folder / "aclImdb"})
    assert set(again.result.cached.values()) == {True}


def test_the_stored_model_predicts_what_the_flow_predicted(archive: Run) -> None:
    reviews = archive.table("sentiment_reviews", "reviews").set_index("review_id")
    test = reviews.index[reviews["part"] == "test"]
    probabilities = archive.table("sentiment", "probabilities").loc[test, archive.result.headline["predictor"]]
    predicted = SentimentPredictor.load(archive.store.root).predict(list(reviews.loc[test, "text"]))
    expected = pd.Series(probabilities.to_numpy(), name="probability")
    pd.testing.assert_series_equal(predicted["probability"], expected, atol=1e-4)
