"""How a page is made of a template: escaped, with one layout for all pages."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from latentflix.artifacts import Manifest
from latentflix.data.datasets import DATA_SETS

PAGE = "index.html"
# What templates extend, include or import, by the name that they call it.
_SHARED = {"layout": "page.html", "style": "page.css", "charts": "charts.html"}


def decimals(number: float | None, places: int = 2) -> str:
    """A number with so many decimals; a dash for one that is not there."""
    return "–" if number is None or math.isnan(number) else f"{number:z.{places}f}"


def figure(value: Any) -> str:
    """A value as it is, a number with a fraction in four digits; a dash for one that is not there."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return "–" if value is None else str(value)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("latentflix.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(decimals=decimals, figure=figure)
    environment.globals.update(_SHARED)
    return environment


def render_section(template: str, **values: Any) -> Markup:
    """A part of a page. Everything in values is escaped, but for what is Markup already."""
    return Markup(_environment().get_template(template).render(values))  # noqa: S704  # the template escapes


def render_page(template: str, manifests: Sequence[Manifest], **values: Any) -> str:
    """A whole page: the template fills the blocks of the layout, which says at its end what ran, by manifests."""
    data_sets = [DATA_SETS[manifest.config["name"]] for manifest in manifests if manifest.stage == "datasets"]
    return render_section(template, manifests=manifests, data_sets=data_sets, **values)
