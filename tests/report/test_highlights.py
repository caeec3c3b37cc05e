import base64
import re

import pandas as pd

from latentflix.artifacts import Handle
from latentflix.report.formatting import Nouns
from latentflix.report.highlights import (
    PICTURES,
    Table,
    Text,
    drift_markdown,
    escape,
    highlights,
    metric_rows,
    page_text,
    picture,
    refresh_rows,
    refresh_sentence,
    table,
)
from tests.support.factories.artifacts import put
from tests.support.factories.report import LEADS, make_axis_scores, make_name_tests, make_reader_scores

PNG = b"\x89PNG as good as any"


def test_the_figures_of_an_artifact_are_rows_with_names_and_numbers_short_enough_to_read(store):
    metrics = {"items": 3, "auc": 0.123456, "best": "2+", "of": {"a": 1, "b": {"c": 0.5}}, "list": [1], "none": None}
    (table,) = highlights(store, [put(store, "factors", "0", metrics=metrics)])
    assert isinstance(table, Table)
    assert (table.name, table.title) == ("factors-metrics", "Figures of factors")
    shown = {row["metric"]: row["value"] for row in table.rows}
    assert shown == {"items": 3, "auc": 0.1235, "best": "2+", "of.a": 1, "of.b.c": 0.5}
    assert list(highlights(store, [put(store, "embeddings", "0")])) == []


def test_a_table_is_shown_with_its_index(store):
    labels = pd.DataFrame({"auc": [0.61239]}, index=pd.Index(["1+"], name="label"))
    tables = {"axes": make_axis_scores({"1": (0.47, 0.002, True)}), "readers": make_reader_scores()}
    handles = [
        put(store, "evaluation", "0", tables=tables),
        put(store, "label_evaluation", "0", tables={"labels": labels}),
    ]
    shown = {table.name: table.rows for handle in handles for table in highlights(store, [handle])}
    assert shown["label-evaluation-labels"] == [{"label": "1+", "auc": 0.6124}]
    assert [(row["axis"], row["rho"], row["holds"]) for row in shown["evaluation-axes"]] == [("1", 0.47, True)]
    assert [row["reader"] for row in shown["evaluation-readers"]] == ["stacked", *LEADS]


def test_several_artifacts_of_a_stage_are_a_row_each(store):
    handles = [put(store, "collab", key, metrics={"rmse": rmse}) for key, rmse in (("a", 0.9), ("b", 0.8))]
    manifests = [store.manifest(handle) for handle in handles]
    assert metric_rows(manifests) == [{"artifact": "a", "rmse": 0.9}, {"artifact": "b", "rmse": 0.8}]


def name_artifact(store, name="love · <b>kiss</b>"):
    axes = pd.DataFrame(
        {"stability": [0.95, 0.4], "stable": [True, False], "people_full": [0.75, 0.3]},
        index=pd.Index(["1", "2"], name="axis"),
    )
    factors = put(store, "factors", "0", tables={"axes": axes})
    items = pd.DataFrame({"label": ["1+", "1+", "1-"], "title": ["Emma | (1996)", "Heat (1995)", "Alien (1979)"]})
    tables = {"items": items, "tests": make_name_tests({"1+": (0.45, True)})}
    return put(store, "names", "0", [factors], values={"names": {"1+": name, "1-": "war"}}, tables=tables)


def test_the_poles_of_stable_factors_are_named(store):
    (text,) = highlights(store, [name_artifact(store)], Nouns("book", "books"))
    assert isinstance(text, Text)
    lines = text.markdown.splitlines()
    assert lines[0] == "## 1 of 1 names hold"
    assert lines[2].startswith("1 of 2 factors are stable, and have names. A name holds if its words alone, chosen")
    assert lines[4] == "| pole | name | score of the name | stability | shared by people | books at this pole |"
    assert lines[6] == (
        "| 1+ | love · \\<b\\>kiss\\</b\\> | 0.45, chance 0.01 ± 0.08: holds | 0.95 | 0.75 "
        "| Emma \\| (1996); Heat (1995) |"
    )
    assert lines[7] == "| 1- | war | – | 0.95 | 0.75 | Alien (1979) |"
    assert len(lines) == 8


def test_the_items_with_most_reviews_are_shown(store):
    ids = list(range(1, PICTURES + 4))
    reviews = put(
        store, "reviews", "0", tables={"reviews": pd.DataFrame({"item_id": [i for i in ids for _ in range(i)]})}
    )
    titles = pd.DataFrame({"title": [f"Film {i} [x]" for i in ids]}, index=pd.Index(ids, name="item_id"))
    ratings = put(store, "ratings", "0", tables={"items": titles})
    labels = put(store, "labels", "0", tables={"items": pd.DataFrame({"item_id": ids, "label": "1+"})})
    inputs = (reviews, ratings, labels, name_artifact(store))
    pictures = {f"items/{number}.png": PNG for number in ids[:-1]}
    (text,) = highlights(store, [put(store, "report", "0", inputs, files=pictures)])
    most = ids[-2]
    assert text.markdown.count("](data:image/png;base64,") == PICTURES
    assert f"## Film {most} \\[x\\]" in text.markdown
    assert "## Film 1 " not in text.markdown
    assert f"{most} reviews; 1+ love" in text.markdown


def test_the_page_is_linked_where_artifacts_are_served(store):
    handle = Handle(stage="report", key="k")
    linked = page_text(store, handle, "7 films", "https://films.example/a/")
    assert linked.markdown == "7 films\n\n[Open the page](https://films.example/a/report/k/index.html)\n"
    page = store.root / "report" / "k" / "index.html"
    assert f"The page: {escape(page)}\n" in page_text(store, handle, "7 films", None).markdown


def test_nothing_in_a_text_is_markup_and_plain_words_stay_as_they_are():
    hostile = "<script>alert(1)</script> | a [b](javascript:c) *d* _e_ `f` &lt; \\g # h\nnext"
    escaped = escape(hostile)
    unescaped = re.sub(r"\\.", "", escaped)
    assert not set("<>|[]*_`\\\n") & set(unescaped)
    assert escaped.startswith("\\<script\\>alert(1)\\</script\\> \\| a ")
    assert escaped.endswith(" h next")
    assert escape("Amélie (2001), the 1st: 50 % – isn't it?") == "Amélie (2001), the 1st: 50 % – isn't it?"


def test_tables_and_pictures_are_part_of_the_text(tmp_path):
    assert table(("item", "score"), [("A|B", 1.5)]) == ["| item | score |", "| --- | --- |", "| A\\|B | 1.5 |"]
    (tmp_path / "a.png").write_bytes(PNG)
    data = base64.b64encode(PNG).decode()
    assert picture(tmp_path / "a.png", "of [A]") == f"![of \\[A\\]](data:image/png;base64,{data})"


COUNTS = pd.DataFrame(
    {
        "asked": [5, 2],
        "new": [1200, 3],
        "changed": [1, 0],
        "unchanged": [7, 0],
        "repeated": [2, 0],
        "remaining": [150, 0],
    }
    | {"ok": [2, 1], "empty": [1, 0], "not_covered": [1, 0], "blocked": [1, 0], "unsupported": [0, 0], "error": [0, 1]},
    pd.Index(["tmdb", "wikipedia"], name="source"),
)
DRIFT = pd.DataFrame(
    [
        (1, "Emma (1996)", 4, 2, 0.25, True, "1+, 2-", "3+"),
        (2, "<script>alert(1)</script> | a|b", 0, 1, float("nan"), True, "1-", ""),
        (3, "Heat (1995)", 9, 1, 0.01, False, "1+", "2-"),
    ],
    columns=["item_id", "title", "reviews", "new_reviews", "distance", "drifted", "gained", "lost"],
)
NOTHING = pd.DataFrame(columns=["title", "candidates"])


def test_a_refresh_is_summed_up_in_a_sentence():
    assert refresh_sentence(COUNTS, 9, 7, 12) == (
        "7 of 9 films were due; 1,203 new reviews, 1 changed, 7 unchanged, 2 left out as repeated, 150 not taken yet; "
        "1 films blocked, 1 in error; the review store is at version 12"
    )


def test_every_source_is_a_row_with_what_made_it_fail():
    rows = refresh_rows(COUNTS, {"imdbpy": "no reviews any more"}, {"tmdb": "blocked: a bot wall (1 films)"})
    assert [(row["source"], row["note"]) for row in rows] == [
        ("tmdb", "blocked: a bot wall (1 films)"),
        ("wikipedia", ""),
        ("imdbpy", "cannot work here: no reviews any more"),
    ]
    assert {name: rows[0][name] for name in COUNTS} == COUNTS.loc["tmdb"].to_dict()


def test_histograms_that_changed_and_titles_that_fit_several_films_are_listed():
    lines = drift_markdown(DRIFT, NOTHING).splitlines()
    assert lines[0] == "## 2 of 3 histograms with new reviews have changed"
    assert lines[4] == "| Emma (1996) | 4 | 2 | 25% | 1+, 2- | 3+ |"
    # No title can run anything or end a cell.
    assert lines[5].startswith("| \\<script\\>alert(1)\\</script\\> \\| a\\|b | 0 | 1 | first reviews | 1- |  |")
    assert len(lines) == 6
    ambiguous = pd.DataFrame({"item_id": [1], "title": ["Emma (1996)"], "candidates": ["tt1 tt2"]})
    lines = drift_markdown(DRIFT[:0], ambiguous).splitlines()
    assert lines[0] == "## 0 of 0 histograms with new reviews have changed"
    assert lines[-1] == "| Emma (1996) | tt1 tt2 |"
