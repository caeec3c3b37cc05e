"""How a page is made of a template: escaped, with one layout for all pages."""

import math
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from latentflix.artifacts import Manifest
from latentflix.datasets import DATA_SETS

PAGE = "index.html"
_LAYOUT = "page.html"


def decimals(number: float | None, places: int = 2) -> str:
    """A number with so many decimals; a dash for one that is not there."""
    return "–" if number is None or math.isnan(number) else f"{number:.{places}f}"


def render_section(template: str, **values: Any) -> Markup:
    """A part of a page. Everything in values is escaped, but for what is Markup already."""
    environment = Environment(
        loader=PackageLoader("latentflix"), autoescape=select_autoescape(default=True), undefined=StrictUndefined
    )
    environment.filters["decimals"] = decimals
    return Markup(environment.get_template(template).render(values))  # noqa: S704  # the template escapes


def render_page(template: str, manifests: Sequence[Manifest], **values: Any) -> str:
    """A whole page: the template fills the blocks of the layout, which says at its end what ran, by manifests."""
    data_sets = [DATA_SETS[manifest.config["name"]] for manifest in manifests if manifest.stage == "datasets"]
    return render_section(template, layout=_LAYOUT, manifests=manifests, data_sets=data_sets, **values)
