import re

import pandas as pd
import pytest

from latentflix.genres.evaluation import COMBINED, TFIDF, GenreEvaluationConfig, evaluate_genres
from latentflix.report.formatting import PAGE
from latentflix.report.genres import GenrePageConfig, build_genre_page, genre_sentence
from tests.support.factories.genres import make_methods
from tests.support.factories.report import make_manifest

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


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The folder of a page, its text, the evaluation that it shows and its figures."""
    folder = tmp_path_factory.mktemp("page")
    parts = dict.fromkeys(("train", "valid", "test"), 300)
    evaluation = evaluate_genres(*make_methods(600), 20, GenreEvaluationConfig(bootstraps=20))
    figures = build_genre_page(
        folder,
        GenrePageConfig(left_out=1),
        evaluation=evaluation,
        trials=pd.DataFrame(
            [["slices", "focal", True, 0.345, 7, True]],
            columns=["reading", "loss", "resampled", "average_precision", "best_epoch", "chosen"],
        ),
        left_out=pd.DataFrame({"plot_id": [3, 4], "reason": ["no plot", "no genre"]}),
        rare=pd.DataFrame({"films": [2]}, index=pd.Index(["Biopic"], name="genre")),
        films=FILMS,
        ambiguous=11,
        threshold=0.3,
        manifests=[make_manifest("plot_summaries", metrics={"plots": 900, "genres": 3, "parts": parts})],
    )
    return folder, (folder / PAGE).read_text(encoding="utf-8"), evaluation, figures


def test_headline_and_tables_have_the_scores_of_the_evaluation_and_the_chosen_trial(page):
    _, text, evaluation, figures = page
    assert figures["macro_f1"] == evaluation.score(COMBINED, "each", "macro_f1")
    assert figures["tfidf_micro_f1"] == evaluation.score(TFIDF, "shared", "micro_f1")
    assert genre_sentence(figures).startswith(f"900 plots, 3 genres; micro F1 {figures['micro_f1']:.3f}, macro F1")
    assert all(f"<td>{score:.3f} [" in text for score in evaluation.scores["score"])
    assert "<b>slices</b></td><td>focal</td><td>yes</td><td>0.345</td><td>7</td>" in text


def test_every_picture_on_the_page_is_there(page):
    pictures = re.findall(r'src="([^"]+)"', page[1])
    assert sorted(pictures) == ["calibration.png", "confusion.png", "genres.png", "thresholds.png"]
    assert all((page[0] / picture).stat().st_size > 1000 for picture in pictures)


@pytest.mark.parametrize(
    "part",
    [
        "Alien &amp; &lt;Co&gt; (1979)</td><td>Horror, Sci-Fi</td><td>Horror, Slasher",
        "3 films of MovieLens have a plot; 11 more were left out",
        "3 agree, 4 are missed, and 5 are added",
        "2 rows: row 3, no plot.",
        "Biopic 2",
        "MovieLens names no genre for 1 of the films",
        "Solaris (1972)</td><td>Science Fiction, Drama</td>",
    ],
)
def test_films_whose_plots_were_held_out_and_what_was_left_out_are_shown(page, part):
    assert part in page[1]
    assert "Heat (1995)" not in page[1]
