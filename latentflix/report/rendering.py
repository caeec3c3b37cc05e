"""Pages made of templates: everything is escaped, and all pages have one layout."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from latentflix.artifacts import Manifest
from latentflix.data.datasets import DATA_SETS
from latentflix.report.formatting import NEUTRAL, PAGE, Nouns, capitalise, decimals, figure, visible

# What templates extend, include or import, by the name that they use for it.
_SHARED = {"layout": "page.html", "style": "page.css", "charts": "charts.html", "lines": "lines.html"}


@cache
def _environment(nouns: Nouns) -> Environment:
    environment = Environment(
        loader=PackageLoader("latentflix.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(decimals=decimals, figure=figure, capitalise=capitalise, records=records)
    environment.globals.update(_SHARED, **nouns._asdict())
    return environment


def _finalize(value: Any) -> Any:
    """What a template writes for a value: markup as it is, and any other text as `visible` shows it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, each by column, with the index among them unless it only counts."""
    return (table if isinstance(table.index, pd.RangeIndex) else table.reset_index()).to_dict("records")


def render_section(template: str, nouns: Nouns = NEUTRAL, **values: Any) -> Markup:
    """Render a part of a page; the values are escaped unless they are Markup, and `item` and `items` are the nouns."""
    return Markup(_environment(nouns).get_template(template).render(values))  # noqa: S704  # the template escapes


def write_page(
    folder: Path, template: str, manifests: Sequence[Manifest], nouns: Nouns = NEUTRAL, **values: Any
) -> None:
    """Write a page into a folder: the template fills the blocks of the layout, which ends with the stages that ran."""
    data_sets = [DATA_SETS[manifest.config["name"]] for manifest in manifests if manifest.stage == "datasets"]
    page = render_section(template, nouns, manifests=manifests, data_sets=data_sets, **values)
    (folder / PAGE).write_text(page, encoding="utf-8")
