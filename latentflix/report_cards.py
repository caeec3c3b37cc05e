"""The section of the factors: a card for each, with what its two poles mean and how sure that is."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from latentflix.findings import Findings, ReportConfig
from latentflix.labels import POLES
from latentflix.names import rank_films
from latentflix.pages import render_section
from latentflix.passages import find_passages
from latentflix.provenance import credits_of
from latentflix.report_summary import UNSTABLE

_TEMPLATE = "factors.html"


def write_factors(findings: Findings, verdicts: pd.Series, config: ReportConfig) -> Markup:
    """The section "Factors". verdicts: as `judge_axes` gives them."""
    reviewed = set(findings.shares["movie_id"])
    return render_section(
        _TEMPLATE,
        factors=[_card(str(axis), str(verdict), findings, config) for axis, verdict in verdicts.items()],
        stable_from=findings.manifest("factors").config["stable_from"],
        titles=findings.films["title"].to_dict(),
        reviewed=reviewed,
        credits=credits_of(findings.reviews),
    )


def _card(axis: str, verdict: str, findings: Findings, config: ReportConfig) -> dict[str, Any]:
    scored = axis in findings.axis_scores.index
    return {
        "axis": axis,
        "verdict": verdict,
        **findings.axes.loc[axis, ["stability", "stability_null", "stability_null_95", "explained"]],
        "score": findings.axis_scores.loc[axis].to_dict() if scored else None,
        "poles": [_pole(f"{axis}{pole}", verdict, findings, config) for pole in POLES],
    }


def _pole(label: str, verdict: str, findings: Findings, config: ReportConfig) -> dict[str, Any]:
    def of_label(table: pd.DataFrame) -> list[dict[str, Any]]:
        return table[table["label"] == label].to_dict("records")

    terms = of_label(findings.terms)
    return {
        "label": label,
        "name": findings.names.get(label, ""),
        "terms": terms,
        "films": _unnamed_films(label, findings) if verdict == UNSTABLE else of_label(findings.pole_films),
        "genres": of_label(findings.genres),
        "passages": find_passages(
            _reviews_at(label, findings, config),
            {term["term"]: term["z"] for term in terms},
            config.n_passages,
            config.passage_length,
        ),
    }


def _unnamed_films(label: str, findings: Findings) -> list[dict[str, Any]]:
    """The films at an end that has no name, as many and as often rated as those at an end that has one."""
    shown = findings.manifest("names").config
    often = findings.films.index[findings.films["ratings"] >= shown["min_ratings"]]
    ranked = rank_films(findings.scores, often.intersection(findings.scores.index), label).head(shown["n_films"])
    titles = findings.films["title"]
    return [{"movie_id": film, "title": titles[film], "score": score} for film, score in ranked.items()]


def _reviews_at(label: str, findings: Findings, config: ReportConfig) -> pd.DataFrame:
    """The reviews of the films that carry a label, of those that stand furthest out."""
    carriers = findings.film_labels[findings.film_labels["label"] == label]
    carriers = carriers[carriers["movie_id"].isin(findings.reviews["movie_id"])]
    furthest = carriers.nlargest(config.passage_films, "strength")["movie_id"]
    return findings.reviews[findings.reviews["movie_id"].isin(furthest)]
