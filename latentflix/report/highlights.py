"""What the page of a run in the UI shows of artifacts: texts and tables, small enough to be read there."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd

from latentflix.artifacts import Handle, Manifest, Store
from latentflix.factors.labels import POLES
from latentflix.report.formatting import NEUTRAL, PAGE, Nouns, decimals, visible
from latentflix.report.rendering import records

# What may begin markup or an address somewhere in a line. A character reference is never markup.
_MARKUP = re.compile(r"[&<>|`*_\[\]{}~#!\\@]|:(?=//)")
_LINKED = ("http", "https", "file")
PICTURES = 6
_ROWS, _DECIMALS = 200, 4
_DRIFT_ROWS = 50
# Tables that are shown as they are, by stage.
_TABLES: Mapping[str, Mapping[str, str]] = {
    "trials": {"trials": "How well each model predicts what is held out"},
    "language_model": {"history": "The language model, epoch by epoch"},
    "classifier": {"history": "The classifiers, epoch by epoch"},
    "evaluation": {
        "axes": "How well reviews predict positions on each factor",
        "readers": "How well each reader predicts positions",
    },
    "label_evaluation": {"labels": "How well each label is predicted"},
    "comparison": {"methods": "How well each method predicts labels from reviews"},
    "genre_evaluation": {"scores": "How well genres are predicted", "genres": "How well each genre is predicted"},
    "sentiment_evaluation": {"scores": "How well sentiment is predicted", "confusion": "Predicted and true sentiment"},
}


@dataclass(frozen=True)
class Text:
    """A text in Markdown. name: of lower-case letters, digits and dashes."""

    name: str
    title: str
    markdown: str


@dataclass(frozen=True)
class Table:
    """A table, with rows by column. name: of lower-case letters, digits and dashes."""

    name: str
    title: str
    rows: Sequence[Mapping[str, Any]]

    def cells(self) -> list[dict[str, Any]]:
        """The rows, with texts as `visible` shows them: a database may refuse zero bytes."""
        return [
            {visible(str(name)): visible(value) if isinstance(value, str) else value for name, value in row.items()}
            for row in self.rows
        ]


Highlight = Text | Table


def highlights(store: Store, handles: Sequence[Handle], nouns: Nouns = NEUTRAL) -> Iterator[Highlight]:
    """What there is to show of the artifacts that one stage made."""
    manifests = [store.manifest(handle) for handle in handles]
    stage = handles[0].stage
    if rows := metric_rows(manifests):
        yield Table(f"{stage}-metrics".replace("_", "-"), f"Figures of {stage}", rows)
    for name, title in _TABLES.get(stage, {}).items():
        shown = store.read_table(handles[-1], name).head(_ROWS).round(_DECIMALS)
        yield Table(f"{stage}-{name}".replace("_", "-"), title, records(shown))
    if stage in _TEXTS:
        yield _TEXTS[stage](store, handles[-1], nouns)


def metric_rows(manifests: Sequence[Manifest]) -> list[dict[str, Any]]:
    """A row for each figure of one artifact; of several, a row for each artifact."""
    figures = {manifest.key: _figures(manifest.metrics) for manifest in manifests}
    if len(figures) > 1:
        return [{"artifact": key, **row} for key, row in figures.items()]
    return [{"metric": name, "value": value} for row in figures.values() for name, value in row.items()]


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and texts by name, those within others by both names."""
    (flat,) = pd.json_normalize(dict(metrics)).to_dict("records")
    return {
        str(name): round(value, _DECIMALS) if isinstance(value, float) else value
        for name, value in flat.items()
        if isinstance(value, bool | int | float | str)
    }


def page_text(store: Store, page: Handle, sentence: str, address: str | None) -> Text:
    """Where the page of a run is, and its headline. address: the URL under which pages are served, if they are."""
    path = store.path(page) / PAGE
    place = f"The page: {escape(path.resolve())}"
    if address:
        place = _link("Open the page", f"{address.rstrip('/')}/{page.stage}/{page.key}/{PAGE}")
    return Text("report", "Result of the run", f"{escape(sentence)}\n\n{place}\n")


def _link(text: str, url: str) -> str:
    """A link to an address of the web or of a file; any other address is shown as text."""
    if urlsplit(url).scheme not in _LINKED:
        return f"{text}: {escape(url)}"
    # Blanks, brackets and quotation marks would end the address.
    return f"[{text}]({quote(visible(url), safe=':/?#@!$&*+,;=%~')})"


def _names(store: Store, handle: Handle, nouns: Nouns) -> Text:
    """The names of the poles of the stable factors, with how well they do on items that they were not chosen from."""
    names, items = store.read_json(handle, "names"), store.read_table(handle, "items")
    tests = store.read_table(handle, "tests")
    axes = store.read_table(_inputs(store, handle)["factors"], "axes")
    rows = [
        (
            *(label, names[label], _test(tests, label), decimals(axis.stability), decimals(axis.people_full)),
            "; ".join(items.loc[items["label"] == label, "title"].head(3)),
        )
        for axis in axes[axes["stable"]].itertuples()
        for label in (f"{axis.Index}{pole}" for pole in POLES)
    ]
    lines = [f"## {tests['holds'].sum()} of {len(tests)} names hold", ""]
    lines += [
        f"{len(rows) // 2} of {len(axes)} factors are stable, and have names. A name holds if its words alone, chosen "
        f"from other {escape(nouns.items)}, put {escape(nouns.items)} in the right order.",
        "",
    ]
    columns = (
        "pole",
        "name",
        "score of the name",
        "stability",
        "shared by people",
        f"{escape(nouns.items)} at this pole",
    )
    return Text("factor-names", "Names of the factors", "\n".join([*lines, *table(columns, rows), ""]))


def _test(tests: pd.DataFrame, label: str) -> str:
    if label not in tests.index:
        return "–"
    test = tests.loc[label]
    score = f"{decimals(test['rho'])}, chance {decimals(test['null'])} ± {decimals(test['null_sd'])}"
    return f"{score}: {'holds' if test['holds'] else 'does not hold'}"


def _pictures(store: Store, handle: Handle, nouns: Nouns) -> Text:
    """The histograms of the items with most reviews, as the report has them."""
    inputs, files = _inputs(store, handle), store.manifest(handle).files
    reviews = store.read_table(inputs["reviews"], "reviews")["item_id"].value_counts()
    items = store.read_table(inputs["ratings"], "items")
    names = store.read_json(inputs["names"], "names")
    own = store.read_table(inputs["labels"], "items").groupby("item_id")["label"].agg(list)
    lines = [f"Orange: the labels of the {escape(nouns.item)} itself, which come from its {escape(nouns.origin)}.", ""]
    shown = [item_id for item_id in reviews.index if f"items/{item_id}.png" in files][:PICTURES]
    for item_id in shown:
        title = items.loc[item_id, "title"]
        labels = "; ".join(f"{label} {names[label]}" if label in names else label for label in own.get(item_id, []))
        lines += [f"## {escape(title)}", "", f"{reviews[item_id]:,} reviews; {escape(labels)}", ""]
        lines += [picture(store.file(handle, f"items/{item_id}.png"), f"histogram of {title}"), ""]
    title = f"Predicted factors of the {len(shown)} {nouns.items} with most reviews"
    return Text("histograms", title, "\n".join(lines))


_TEXTS: Mapping[str, Callable[[Store, Handle, Nouns], Text]] = {"names": _names, "report": _pictures}


def _inputs(store: Store, handle: Handle) -> dict[str, Handle]:
    """What an artifact was made from, by stage."""
    return {handle.stage: handle for handle in store.manifest(handle).input_handles}


def refresh_sentence(counts: pd.DataFrame, films: int, due: int, version: int) -> str:
    """The result of a refresh in one line. counts: as `summarise` gives them."""
    total = counts.sum()
    return (
        f"{due:,} of {films:,} films were due; {total['new']:,} new reviews, {total['changed']:,} changed, "
        f"{total['unchanged']:,} unchanged, {total['repeated']:,} left out as repeated, {total['remaining']:,} not "
        f"taken yet; {total['blocked']:,} films blocked, {total['error']:,} in error; the review store is at version "
        f"{version}"
    )


def refresh_rows(
    counts: pd.DataFrame, unusable: Mapping[str, str], shortfalls: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows of a table, one per source, with why reviews are missing."""
    rows = [{**row, "note": shortfalls.get(row["source"], "")} for row in counts.reset_index().to_dict("records")]
    return rows + [{"source": source, "note": f"cannot work here: {reason}"} for source, reason in unusable.items()]


def drift_markdown(drift: pd.DataFrame, ambiguous: pd.DataFrame) -> str:
    """The films whose histogram drifted, as Markdown, and the titles that fit several films. drift: with `title`."""
    drifted = drift[drift["drifted"]]
    lines = [f"## {len(drifted):,} of {len(drift):,} histograms with new reviews have changed", ""]
    if len(drifted):
        rows = [
            (film.title, film.reviews, film.new_reviews, change, film.gained, film.lost)
            for film in drifted.head(_DRIFT_ROWS).itertuples()
            for change in ["first reviews" if pd.isna(film.distance) else f"{film.distance:.0%}"]
        ]
        lines += table(("film", "reviews", "new", "changed by", "gained", "lost"), rows)
    if len(ambiguous):
        lines += ["", f"## {len(ambiguous):,} titles fit several IMDb titles, so none was taken", ""]
        lines += table(("film", "candidates"), ambiguous[["title", "candidates"]].head(_DRIFT_ROWS).to_numpy().tolist())
    return "\n".join(lines) + "\n"


def escape(value: Any) -> str:
    """The text as `visible` shows it, with everything escaped that would end a cell, start markup or make a link."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(visible(str(value)).split()))


def table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The lines of a table; its cells are escaped."""
    body = ["| " + " | ".join(map(escape, row)) + " |" for row in rows]
    return ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names), *body]


def picture(path: Path, description: str) -> str:
    """A PNG within the text itself, so that it shows wherever the text does."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f"![{escape(description)}](data:image/png;base64,{data})"
