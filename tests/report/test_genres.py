import re

import pandas as pd
import pytest

from latentflix.artifacts import Manifest
from latentflix.genres.evaluation import COMBINED, TFIDF, GenreEvaluationConfig, evaluate_genres
from latentflix.report.genres import GenrePageConfig, GenrePageInputs, build_genre_page, genre_sentence
from latentflix.report.rendering import PAGE
from tests.support.factories.genres import make_methods

FILMS = pd.DataFrame(
    {
        "title": ["Alien & <Co> (1979)", "Heat (1995)", "Solaris (1972)"],
        "genres": [["Horror", "Sci-Fi"], ["Crime"], []],
        "predicted": [["Horror", "Slasher"], ["Drama"], ["Science Fiction", "Drama"]],
        "has_genre": [True, True, False],
        "true_positives": [3, 50, 0],
        "false_negatives": [4, 50, 0],
        "false_positives": [5, 50, 2],
        "part": ["test", "train", "test"],
    }
)


def make_manifest(stage, **metrics):
    return Manifest(
        stage=stage, key="key", inputs={}, config={}, files={}, metrics=metrics, versions={}, made_at="", seconds=1.0
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    findings = GenrePageInputs(
        evaluation=evaluate_genres(*make_methods(), 20, GenreEvaluationConfig(bootstraps=20)),
        trials=pd.DataFrame(
            [["slices", "focal", True, 0.345, 7, True]],
            columns=["reading", "loss", "resampled", "average_precision", "best_epoch", "chosen"],
        ),
        left_out=pd.DataFrame({"plot_id": [3, 4], "reason": ["no plot", "no genre"]}),
        rare=pd.DataFrame({"films": [2]}, index=pd.Index(["Biopic"], name="genre")),
        films=FILMS,
        ambiguous=11,
        threshold=0.3,
        manifests=[
            make_manifest("plot_summaries", plots=900, genres=3, parts={"train": 300, "valid": 300, "test": 300})
        ],
    )
    return folder, findings, build_genre_page(folder, findings, GenrePageConfig(left_out=1))


def test_the_headline_is_that_of_the_evaluation(page):
    _, findings, figures = page
    assert figures["macro_f1"] == findings.evaluation.score(COMBINED, "each", "macro_f1")
    assert figures["tfidf_micro_f1"] == findings.evaluation.score(TFIDF, "shared", "micro_f1")
    assert genre_sentence(figures).startswith(f"900 plots, 3 genres; micro F1 {figures['micro_f1']:.3f}, macro F1")


def test_every_picture_on_the_page_is_there(page):
    folder, _, _ = page
    pictures = re.findall(r'src="([^"]+)"', (folder / PAGE).read_text(encoding="utf-8"))
    assert sorted(pictures) == ["calibration.png", "confusion.png", "genres.png", "thresholds.png"]
    assert all((folder / picture).stat().st_size > 1000 for picture in pictures)


def test_only_films_whose_plots_were_held_out_are_shown(page):
    text = (page[0] / PAGE).read_text(encoding="utf-8")
    assert "Alien &amp; &lt;Co&gt; (1979)</td><td>Horror, Sci-Fi</td><td>Horror, Slasher" in text
    assert "Heat (1995)" not in text
    assert "3 films of MovieLens have a plot; 11 more were left out" in text
    assert "3 agree, 4 are missed, 5 are added" in text


def test_what_was_left_out_is_named_and_counted(page):
    text = (page[0] / PAGE).read_text(encoding="utf-8")
    assert "2 rows: row 3, no plot." in text
    assert "Biopic 2" in text


def test_all_scores_and_the_trial_that_was_taken_are_in_the_tables(page):
    folder, findings, _ = page
    text = (folder / PAGE).read_text(encoding="utf-8")
    assert all(f"<td>{score:.3f} [" in text for score in findings.evaluation.scores["score"])
    assert "<b>slices</b></td><td>focal</td><td>yes</td><td>0.345</td><td>7</td>" in text


def test_films_that_movielens_knows_no_genre_of_get_those_of_their_plots(page):
    text = (page[0] / PAGE).read_text(encoding="utf-8")
    assert "MovieLens names no genre of 1 of the films" in text
    assert "Solaris (1972)</td><td>Science Fiction, Drama</td>" in text
