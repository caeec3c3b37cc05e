"""The full flow on item vectors and texts of one's own, which are of books: everything comes from csv files."""

import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import latentflix
from flows.command_line import parse_command_line
from flows.full import full
from latentflix.artifacts import Store
from latentflix.cli.main import app
from latentflix.errors import DataError
from latentflix.settings import FullSettings
from tests.support.html import text_of
from tests.support.planted_books import N_TOPICS, make_books, write_books
from tests.support.synthetic_run import Run

BOOKS = make_books()
VECTORS = ("data/vectors0.csv", "data/vectors1.csv")
ARGUMENTS = [
    *("--item-factors.path", ",".join(VECTORS), "--item-factors.users-path", "data/readers0.csv,data/readers1.csv"),
    *("--item-factors.items-path", "data/books.csv", "--texts.path", "data/texts.csv"),
    *("--report.item-noun", "book", "--report.text-noun", "blurb"),
    *("--factors.n-axes", str(N_TOPICS), "--factors.n-rotations", "20"),
    *("--readers.n-repeats", "2", "--readers.permutations", "99"),
]


def settings(folder: Path, *more: str) -> FullSettings:
    arguments = [argument.replace("data/", f"{folder}/") for argument in [*ARGUMENTS, *more]]
    return parse_command_line(FullSettings, "full", [*arguments, "--artifacts-dir", str(folder / "artifacts")])


@pytest.fixture(scope="module")
def books_run(prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("books")
    write_books(BOOKS, folder)
    result = full(settings(folder))
    return Run(result, Store(folder / "artifacts"))


def test_stages_of_the_recommender_and_of_the_network_fall_away(books_run: Run) -> None:
    assert list(books_run.result.seconds) == [
        *("item_factors", "ratings", "reviews", "factors", "labels", "documents", "topics", "repeats", "positions"),
        *("reader", "evaluation", "names", "histograms", "changes", "report"),
    ]


def test_the_factors_hold_and_no_page_or_message_says_a_word_of_films(books_run: Run) -> None:
    headline, sentence = books_run.result.headline, books_run.result.sentence
    assert (headline["factors_that_hold"], headline["factors"]) == (N_TOPICS, N_TOPICS)
    assert sentence.startswith("120 books, 480 blurbs; 3 of 3 factors hold: blurbs predict where unseen books stand")
    text = text_of(Path(books_run.result.report).read_text(encoding="utf-8"))
    assert re.findall(r"(?i)film|movie|imdb", text + sentence) == []
    assert "Data item vectors of your own (" in text


def test_python_finds_the_same_to_the_last_digit(books_run: Run) -> None:
    found = latentflix.explain(
        BOOKS.vectors,
        BOOKS.texts,
        BOOKS.books,
        BOOKS.readers,
        settings={
            "factors": {"n_axes": N_TOPICS, "n_rotations": 20},
            "readers": {"n_repeats": 2, "permutations": 99},
        },
    )
    inputs = found.inputs
    for stage, name, table in (
        ("factors", "scores", inputs.scores),
        ("factors", "axes", inputs.axes),
        ("evaluation", "axes", inputs.axis_scores),
        ("evaluation", "readers", inputs.reader_scores),
        ("names", "terms", inputs.terms),
        ("names", "tests", inputs.name_tests),
        ("names", "genres", inputs.genres),
        ("histograms", "shares", inputs.shares),
    ):
        pd.testing.assert_frame_equal(books_run.table(stage, name), table, check_exact=True, check_like=True)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["factors"], "books"),
        (["explain", BOOKS.books["title"][0]], "Position on the factors"),
        (["similar", BOOKS.books["title"][0], "--min-ratings", "1"], "cosine"),
        (["predict", "a dragon and a wizard in a castle"], "dragon"),
        (["runs", "list"], "books"),
    ],
)
def test_the_run_can_be_asked(books_run: Run, command: list[str], shown: str) -> None:
    result = CliRunner().invoke(app, [*command, "--artifacts-dir", str(books_run.store.root)])
    assert result.exit_code == 0, result.output
    assert shown in result.output
    assert re.findall(r"(?i)film|movie|imdb|2,147,483,647", result.output) == []


def test_ids_of_another_shop_end_the_run_before_any_work(books_run: Run, tmp_path: Path) -> None:
    folder = books_run.store.root.parent
    pd.read_csv(folder / "texts.csv").assign(item_id=range(480)).to_csv(tmp_path / "texts.csv", index=False)
    with pytest.raises(DataError, match="hardly any id of a table is known.*ids such as b0000"):
        full(settings(folder, "--texts.path", str(tmp_path / "texts.csv")))


def test_kinds_of_axes_of_ones_own_vectors_are_compared_if_asked(books_run: Run) -> None:
    result = full(settings(books_run.store.root.parent, "--axis-comparison.kinds", "varimax,none"))
    assert [stage for stage, cached in result.cached.items() if not cached] == ["axis_comparison", "report"]
    kinds = books_run.table("axis_comparison", "kinds")
    assert kinds.loc["none", "stable_and_hold"] < kinds.loc["varimax", "stable_and_hold"] == N_TOPICS
    assert "the 30 strongest books of a pole" in text_of(Path(result.report).read_text(encoding="utf-8"))


def test_sales_are_explained_like_vectors(prefect: None, tmp_path: Path) -> None:
    write_books(BOOKS, tmp_path)
    arguments = [
        *("--ratings-source.path", "data/sales.csv", "--ratings-source.rating-column", ""),
        *("--ratings-source.items-path", "data/books.csv", "--texts.path", "data/texts.csv"),
        *("--report.item-noun", "book", "--report.text-noun", "blurb", "--report.category-noun", "author"),
        *("--collab.n-factors", "6", "--collab.n-seeds", "4", "--collab.seeds-per-task", "2"),
        *("--halves.n-pairs", "1", "--trials.n-seeds", "2", "--trials.regularizations", "1,10"),
        *("--factors.n-axes", str(N_TOPICS), "--factors.min-ratings", "5", "--factors.n-rotations", "20"),
        *("--labels.min-ratings", "5", "--documents.min-ratings", "5", "--names.min-ratings", "5"),
        *("--readers.n-repeats", "1", "--readers.permutations", "99"),
    ]
    arguments = [argument.replace("data/", f"{tmp_path}/") for argument in arguments]
    result = full(
        parse_command_line(FullSettings, "full", [*arguments, "--artifacts-dir", str(tmp_path / "artifacts")])
    )
    assert result.headline["factors_that_hold"] >= 1
    # The last section has all settings by their names.
    text = text_of(Path(result.report).read_text(encoding="utf-8").partition('<section id="run"')[0])
    assert re.findall(r"(?i)film|movie|imdb", text + result.sentence) == []
    assert "the books and authors at the poles come from interactions" in text
    items = Run(result, Store(tmp_path / "artifacts")).table("ratings", "items")
    assert set(items["genres"].explode()) == {"Ann Archer", "Bob Baker"}
    assert {"number_pages", "number_published"} <= set(items)
