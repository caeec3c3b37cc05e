import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import latentflix
from latentflix.errors import DataError, NotEnoughData, SettingsError
from tests.support.html import text_of
from tests.support.planted_books import N_TOPICS, WORDS, make_books

BOOKS = make_books()
QUICK = {"factors": {"n_axes": N_TOPICS, "n_rotations": 20}, "readers": {"n_repeats": 2, "permutations": 99}}
NOUNS = {"item_noun": "book", "text_noun": "blurb"}


def explain(item_factors=BOOKS.vectors, texts=BOOKS.texts, items=BOOKS.books, user_factors=BOOKS.readers, **options):
    return latentflix.explain(item_factors, texts, items, user_factors, **{**NOUNS, "settings": QUICK, **options})


@pytest.fixture(scope="module")
def explained():
    return explain()


def test_planted_topics_are_found_in_words_of_their_own(explained):
    factors = explained.factors
    assert factors["holds"].all()
    assert factors["stable"].all()
    assert (factors["rho"] > 0.7).all()
    positions = explained.positions
    correlations = np.abs(np.corrcoef(BOOKS.topics.T, positions.loc[BOOKS.books["item_id"]].T)[:N_TOPICS, N_TOPICS:])
    assert (correlations.max(axis=0) > 0.95).all()
    for axis, topic in zip(positions, correlations.argmax(axis=0), strict=True):
        poles = [set(explained.words.loc[explained.words["label"] == f"{axis}{pole}", "term"]) for pole in "+-"]
        singles = [{term for term in terms if " " not in term} for terms in poles]
        planted = [set(words) for words in WORDS[topic]]
        assert any(
            singles[0] and singles[0] <= one and singles[1] <= other for one, other in (planted, planted[::-1])
        ), (singles, planted)


def test_names_are_tested_and_readers_compared(explained):
    assert explained.names["holds"].all()
    assert len(explained.names) == 2 * N_TOPICS
    assert list(explained.readers.index[:2]) == ["stacked", "words"]
    assert explained.figures["factors_that_hold"] == N_TOPICS
    assert repr(explained).startswith("Explanation(120 books, 480 blurbs; 3 of 3 factors hold: blurbs predict where")


def test_no_page_says_a_word_of_films(explained, tmp_path):
    page = explained.to_html(tmp_path / "page")
    text = text_of(page.read_text(encoding="utf-8"))
    assert page == tmp_path / "page" / "index.html"
    assert re.findall(r"(?i)film|movie|imdb", text) == []
    # What ran is shown with the names of settings.
    shown = text.split("What ran")
    assert re.findall(r"(?i).{30}(?:genre|review|rating|\bstars?\b).{30}", shown[0] + shown[1]) == []
    assert "What people write about books predicts where the recommender puts them on all 3 of its factors." in text
    assert "Ann Archer" in text
    assert len(list((tmp_path / "page" / "items").glob("*.png"))) == 120


def test_the_page_may_be_one_file_with_its_pictures(explained, tmp_path):
    page = explained.to_html(str(tmp_path / "page.html"))
    html = page.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert html.count('src="data:image/png;base64,') == 121
    assert re.findall(r'(?:src|href)="(?!data:|#|https?:)[^"]+"', html) == []


def test_a_notebook_shows_the_opening_in_a_frame(explained):
    shown = explained._repr_html_()
    assert shown.startswith('<iframe srcdoc="')
    assert shown.count('"') == 8
    assert "What people write about books" in shown


def test_a_page_never_goes_where_something_else_is(explained, tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(DataError, match="the folder is not empty"):
        explained.to_html(tmp_path)


def test_one_fit_has_no_stability_and_the_page_says_what_that_means(tmp_path):
    found = explain(BOOKS.vectors[0], user_factors=None)
    assert found.factors["stability"].isna().all()
    text = text_of(found.to_html(tmp_path / "p.html").read_text(encoding="utf-8"))
    assert "3 factors from a single training. To see which of them another training would find too" in text
    assert "Between trainings: unknown, because there is only one." in text


def test_raw_dimensions_keep_the_names_that_they_are_given(tmp_path):
    named = BOOKS.vectors[0].set_axis([f"dim{number}" for number in range(6)], axis=1)
    found = explain(named, user_factors=None, settings=QUICK | {"factors": {"rotation": "none"}})
    assert list(found.factors.index) == [f"dim{number}" for number in range(6)]
    assert np.corrcoef(found.positions["dim4"], named["dim4"])[0, 1] == pytest.approx(1)
    assert "Factor dim4" in text_of(found.to_html(tmp_path / "p.html").read_text(encoding="utf-8"))


def test_texts_in_another_language_keep_the_words_that_english_would_drop():
    german = BOOKS.texts.assign(
        text=BOOKS.texts["text"].str.replace("dragon", "Drache").str.replace("office", "system")
    )
    found = explain(texts=german, english=False)
    assert {"drache", "system"} <= set(found.words["term"])


def test_every_kind_of_text_is_judged_by_what_it_adds():
    kinds = np.where(np.arange(len(BOOKS.texts)) % 2, "blurb", "comment")
    found = explain(texts=BOOKS.texts.assign(kind=kinds))
    assert sorted(found.inputs.kind_scores.index) == ["blurb", "comment"]


def test_the_same_call_gives_the_same_digits(explained):
    again = explain()
    pd.testing.assert_frame_equal(again.factors, explained.factors, check_exact=True)
    pd.testing.assert_frame_equal(again.words, explained.words, check_exact=True)


ONE = BOOKS.vectors[0]
BAD = {
    "no table": (
        {"item_factors": [ONE.to_numpy()], "user_factors": None},
        DataError,
        "not a table; where: item_factors; found: nd",
    ),
    "no fit": ({"item_factors": [], "user_factors": None}, DataError, "there are no item vectors; where: item_factors"),
    "NaN": (
        {"item_factors": ONE.replace(ONE.iloc[3, 0], np.nan), "user_factors": None},
        DataError,
        "item_factors, item b0003",
    ),
    "one item": (
        {"item_factors": ONE.head(1), "user_factors": None},
        DataError,
        "there is only one item; where: item_f",
    ),
    "twice": (
        {"item_factors": pd.concat([ONE, ONE]), "user_factors": None},
        DataError,
        "an id occurs twice; where: item_",
    ),
    "users of one fit": (
        {"user_factors": BOOKS.readers[0]},
        DataError,
        "as many tables of users as of items; where: user_f",
    ),
    "short users": ({"item_factors": ONE, "user_factors": BOOKS.readers[0][[0]]}, DataError, "not of the same length"),
    "other ids": (
        {"texts": BOOKS.texts.assign(item_id=range(480))},
        DataError,
        "hardly any id of a table is known; where: texts",
    ),
    "no text": ({"texts": BOOKS.texts[["item_id"]]}, DataError, "columns are missing from texts; where: text"),
    "equal texts": ({"texts": BOOKS.texts.assign(text="same")}, DataError, "all texts are the same; where: texts"),
    "items twice": ({"items": pd.concat([BOOKS.books] * 2)}, DataError, "an id occurs twice; where: items"),
    "too few texts": ({"texts": BOOKS.texts.head(8)}, NotEnoughData, "too few items have texts"),
    "unknown setting": ({"settings": {"names": {"n": 1}}}, SettingsError, "where: settings: names.n; found: 1"),
    "unknown stage": ({"settings": {"nams": {}}}, SettingsError, "where: settings: nams"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_argument_is_named_in_one_clear_sentence(case):
    arguments, error, message = BAD[case]
    with pytest.raises(error, match=message) as caught:
        explain(**arguments)
    assert "\n" not in str(caught.value)


def test_importing_the_package_is_light():
    program = (
        "import sys, latentflix; print(sorted({'torch', 'fastai', 'prefect', 'pandas', 'numpy'} & set(sys.modules)));"
        "print(callable(latentflix.explain), 'prefect' in sys.modules, hasattr(latentflix, 'nonsense'))"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines() == ["[]", "True False False"]
