"""What the page of a run shows of an artifact: texts and tables, small enough to be read there.

The figures of every stage are a table. Some stages have more to show; it is found from their artifact and its inputs.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from latentflix.artifacts import Handle, Manifest, Store
from latentflix.factors.labels import POLES
from latentflix.report.rendering import PAGE, decimals

# What may begin markup somewhere in a line. A character reference is never markup.
_MARKUP = re.compile(r"[&<>|`*_\[\]{}~#!\\]")


def escape(value: Any) -> str:
    """A text that can end no cell and start no markup."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", " ".join(str(value).split()))


def table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The lines of a table; its cells are escaped."""
    body = ["| " + " | ".join(map(escape, row)) + " |" for row in rows]
    return ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names), *body]


def picture(path: Path, description: str) -> str:
    """A PNG that lies in the text itself, so that it shows wherever the text does."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f"![{escape(description)}](data:image/png;base64,{data})"


PICTURES = 6
_ROWS, _DECIMALS = 200, 4


@dataclass(frozen=True)
class Text:
    """A text in Markdown. name: of lower-case letters, digits and dashes."""

    name: str
    title: str
    markdown: str


@dataclass(frozen=True)
class Table:
    """A table, of rows by column. name: of lower-case letters, digits and dashes."""

    name: str
    title: str
    rows: Sequence[Mapping[str, Any]]


Highlight = Text | Table


def highlights(store: Store, handles: Sequence[Handle]) -> Iterator[Highlight]:
    """What there is to show of the artifacts that one stage made."""
    manifests = [store.manifest(handle) for handle in handles]
    stage = handles[0].stage
    rows = metric_rows(manifests)
    if rows:
        yield Table(_dashed(f"{stage}-metrics"), f"Figures of {stage}", rows)
    for name, title in _TABLES.get(stage, {}).items():
        yield Table(_dashed(f"{stage}-{name}"), title, table_rows(store.read_table(handles[-1], name)))
    if stage in _TEXTS:
        yield _TEXTS[stage](store, manifests[-1])


def metric_rows(manifests: Sequence[Manifest]) -> list[dict[str, Any]]:
    """A row for each figure of one artifact; of several, a row for each artifact."""
    figures = [_figures(manifest.metrics) for manifest in manifests]
    if len(figures) > 1:
        return [{"artifact": manifest.key, **row} for manifest, row in zip(manifests, figures, strict=True)]
    return [{"metric": name, "value": value} for name, value in figures[0].items()]


def table_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The first rows of a table, with what its index says, and numbers short enough to be read."""
    shown = table.head(_ROWS).round(_DECIMALS)
    return (shown if isinstance(shown.index, pd.RangeIndex) else shown.reset_index()).to_dict("records")


def page_text(store: Store, page: Handle, sentence: str, address: str | None) -> Text:
    """Where the page of a run is, and what it comes to in a sentence.

    address: the URL under which the store's root is served, if it is.
    """
    path = store.path(page) / PAGE
    url = f"{address.rstrip('/')}/{page.stage}/{page.key}/{PAGE}" if address else None
    place = f"[Open the page]({url})" if url else f"The page: {escape(path.resolve())}"
    return Text("report", "What came of the run", f"{escape(sentence)}\n\n{place}\n")


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and texts by name, those within others by both names."""
    (flat,) = pd.json_normalize(dict(metrics)).to_dict("records")
    return {
        str(name): round(value, _DECIMALS) if isinstance(value, float) else value
        for name, value in flat.items()
        if isinstance(value, bool | int | float | str)
    }


def _names(store: Store, manifest: Manifest) -> Text:
    """What the poles of the stable factors are called."""
    handle = _handle(manifest)
    names, items = store.read_json(handle, "names"), store.read_table(handle, "items")
    axes = store.read_table(_input(manifest, "factors"), "axes")
    rows = [
        (
            f"{axis}{pole}",
            names[f"{axis}{pole}"],
            decimals(stability),
            "; ".join(items.loc[items["label"] == f"{axis}{pole}", "title"].head(3)),
        )
        for axis, stability in axes.loc[axes["stable"], "stability"].items()
        for pole in POLES
    ]
    lines = [f"## {len(rows) // 2} of {len(axes)} factors are stable", ""]
    lines += table(("pole", "name", "stability", "films at this end"), rows)
    return Text("factor-names", "What the factors are called", "\n".join(lines) + "\n")


def _pictures(store: Store, manifest: Manifest) -> Text:
    """The histograms of the films with most reviews, as the report has them."""
    reviews = store.read_table(_input(manifest, "reviews"), "reviews")["item_id"].value_counts()
    items = store.read_table(_input(manifest, "ratings"), "items")
    names = store.read_json(_input(manifest, "names"), "names")
    own = store.read_table(_input(manifest, "labels"), "items").groupby("item_id")["label"].agg(list)
    lines = ["Orange: the labels that the film carries by its ratings.", ""]
    shown = [item_id for item_id in reviews.index if f"items/{item_id}.png" in manifest.files][:PICTURES]
    for item_id in shown:
        title = items.loc[item_id, "title"]
        called = [f"{label} {names[label]}" if label in names else label for label in own[item_id]]
        lines += [f"## {escape(title)}", "", f"{reviews[item_id]:,} reviews; {escape('; '.join(called))}", ""]
        lines += [picture(store.file(_handle(manifest), f"items/{item_id}.png"), f"histogram of {title}"), ""]
    return Text("histograms", f"Predicted factors of the {len(shown)} films with most reviews", "\n".join(lines))


def _handle(manifest: Manifest) -> Handle:
    return Handle(stage=manifest.stage, key=manifest.key)


def _input(manifest: Manifest, stage: str) -> Handle:
    return next(handle for handle in manifest.input_handles if handle.stage == stage)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


# Tables that are shown as they are.
_TABLES: Mapping[str, Mapping[str, str]] = {
    "trials": {"trials": "How well each model predicts ratings"},
    "language_model": {"history": "The language model, epoch by epoch"},
    "classifier": {"history": "The classifiers, epoch by epoch"},
    "evaluation": {"labels": "How far each label is told", "axes": "How far each axis is told"},
    "comparison": {"methods": "What each way to read reviews tells"},
    "genre_evaluation": {"scores": "How well genres are told", "genres": "How well each genre is told"},
    "sentiment_evaluation": {"scores": "How well sentiment is told", "confusion": "What was said of which reviews"},
}
_TEXTS: Mapping[str, Callable[[Store, Manifest], Text]] = {"names": _names, "report": _pictures}


_SHOWN = 50


def refresh_sentence(counts: pd.DataFrame, items: int, due: int, version: int) -> str:
    """What came of a refresh, in one line. counts: as `summarise` gives them."""
    total = counts.sum()
    return (
        f"{due:,} of {items:,} films were due; {total['new']:,} new reviews, {total['changed']:,} changed, "
        f"{total['unchanged']:,} unchanged, {total['repeated']:,} left out as repeated; {total['blocked']:,} films "
        f"blocked, {total['error']:,} in error; the review store is at version {version}"
    )


def refresh_rows(
    counts: pd.DataFrame, unusable: Mapping[str, str], failure_reasons: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows of a table, one a source, with what stood in its way."""
    rows = [{**row, "note": failure_reasons.get(row["source"], "")} for row in counts.reset_index().to_dict("records")]
    return rows + [{"source": source, "note": f"cannot work here: {reason}"} for source, reason in unusable.items()]


def drift_markdown(drift: pd.DataFrame, ambiguous: pd.DataFrame) -> str:
    """The films whose histogram moved, as Markdown, and the titles that fit several films. drift: with `title`."""
    moved = drift[drift["drifted"]]
    lines = [f"## {len(moved):,} of {len(drift):,} histograms with new reviews have moved", ""]
    if len(moved):
        lines += table(
            ("item", "reviews", "new", "moved by", "gained", "lost"),
            [
                (item.title, item.reviews, item.new_reviews, _share(item.distance), item.gained, item.lost)
                for item in moved.head(_SHOWN).itertuples()
            ],
        )
    if len(ambiguous):
        lines += ["", f"## {len(ambiguous):,} titles fit several IMDb titles, so none was taken", ""]
        lines += table(
            ("item", "candidates"), list(ambiguous[["title", "candidates"]].head(_SHOWN).itertuples(index=False))
        )
    return "\n".join(lines) + "\n"


def _share(distance: float) -> str:
    return "first reviews" if pd.isna(distance) else f"{distance:.0%}"
