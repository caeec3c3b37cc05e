import pandas as pd

from latentflix.refresh_page import refresh_rows, refresh_sentence, shifts_markdown

COUNTS = pd.DataFrame(
    {"asked": [5, 2], "new": [1200, 3], "changed": [1, 0], "unchanged": [7, 0], "repeated": [2, 0]}
    | {"ok": [2, 1], "empty": [1, 0], "not_covered": [1, 0], "blocked": [1, 0], "unsupported": [0, 0], "error": [0, 1]},
    pd.Index(["tmdb", "wikipedia"], name="source"),
)
SHIFTS = pd.DataFrame(
    {
        "movie_id": [1, 2, 3],
        "title": ["Emma (1996)", "<script>alert(1)</script> | a|b", "Heat (1995)"],
        "reviews": [4, 0, 9],
        "new_reviews": [2, 1, 1],
        "distance": [0.25, float("nan"), 0.01],
        "moved": [True, True, False],
        "gained": ["1+, 2-", "1-", "1+"],
        "lost": ["3+", "", "2-"],
    }
)
NOTHING = pd.DataFrame(columns=["title", "candidates"])


def test_a_refresh_is_said_in_a_sentence():
    assert refresh_sentence(COUNTS, 9, 7, 12) == (
        "7 of 9 films were due; 1,203 new reviews, 1 changed, 7 unchanged, 2 left out as repeated; 1 films blocked, "
        "1 in error; the review store is at version 12"
    )


def test_every_source_is_a_row_with_what_stood_in_its_way():
    rows = refresh_rows(COUNTS, {"imdbpy": "no reviews any more"}, {"tmdb": "blocked: a bot wall (1 films)"})
    assert [(row["source"], row["note"]) for row in rows] == [
        ("tmdb", "blocked: a bot wall (1 films)"),
        ("wikipedia", ""),
        ("imdbpy", "cannot work here: no reviews any more"),
    ]
    assert {name: rows[0][name] for name in COUNTS} == COUNTS.loc["tmdb"].to_dict()


def test_histograms_that_moved_are_listed():
    lines = shifts_markdown(SHIFTS, NOTHING).splitlines()
    assert lines[0] == "## 2 of 3 histograms with new reviews have moved"
    assert lines[4] == "| Emma (1996) | 4 | 2 | 25% | 1+, 2- | 3+ |"
    assert "| 0 | 1 | first reviews | 1- |  |" in lines[5]
    assert len(lines) == 6


def test_no_title_can_run_anything_or_end_a_cell():
    line = shifts_markdown(SHIFTS, NOTHING).splitlines()[5]
    assert line.startswith("| &#60;script&#62;alert(1)&#60;/script&#62; &#124; a&#124;b | 0 |")


def test_titles_that_fit_several_films_are_listed():
    ambiguous = pd.DataFrame({"movie_id": [1], "title": ["Emma (1996)"], "candidates": ["tt1 tt2"]})
    lines = shifts_markdown(SHIFTS[:0], ambiguous).splitlines()
    assert lines[0] == "## 0 of 0 histograms with new reviews have moved"
    assert lines[-1] == "| Emma (1996) | tt1 tt2 |"
