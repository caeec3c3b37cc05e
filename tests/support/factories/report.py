"""Inputs of a report of three items and three factors, with values that can be recognised on a page."""

from typing import Any

import numpy as np
import pandas as pd

from latentflix.artifacts import Manifest
from latentflix.report.changes import ChangesConfig, compare_snapshots
from latentflix.report.inputs import NetworkFindings, RecommenderFindings, ReportInputs
from latentflix.text.language_model import LanguageModelConfig
from tests.support.factories.analysis import make_analysis, make_trials
from tests.support.factories.comparison import compare, make_case

LABELS = ["1+", "1-", "2+", "2-"]
SCRIPT = "<script>alert(1)</script>"
HANDLER = '<img src=x onerror="alert(2)">'
COVERAGE = {
    "items_asked": 5,
    "items_linked": 4,
    "items_with_review": 3,
    "reviews": 4,
    "ambiguous_reviews": 1,
    "ids": "imdb",
}
# How far all readers together are ahead of each.
LEADS = {"words": 0.02, "topics": 0.06, "network": 0.25, "metadata": -0.05}
POSITIONS = {
    "mean_rho": 0.4,
    "mean_rho_low": 0.3,
    "mean_rho_high": 0.5,
    "mean_rho_network": 0.15,
    "mean_rho_beyond_metadata": 0.12,
    "factors_that_hold": 1,
    "null_inflation": 1.4,
    "network_rho_labels": 0.05,
    "network_rho_regression": 0.1,
    "network_folds": 5,
    "network_folds_by_regression": 4,
}
FILLER = "Nothing of note is said in this part of it. "


def make_manifest(stage: str, config: dict[str, Any] | None = None, metrics: dict[str, Any] | None = None) -> Manifest:
    """A manifest with a key of the stage's own."""
    return Manifest(
        stage=stage,
        key=f"{stage}key",
        inputs={},
        config=config or {},
        files={},
        seconds=1.25,
        metrics=metrics or {},
        versions={"python": "3.11"},
        made_at="2026-01-01T00:00:00Z",
    )


def make_scores(names: list[str], value: float) -> dict[str, float]:
    """Scores as `evaluate` gives them, all of one value."""
    ends = ("", "_null", "_null_sd", "_p", "_low", "_high")
    return {f"{name}{end}": value for name in names for end in ends} | {f"words_{name}": value for name in names}


def make_axis_scores(rows: dict[str, tuple[float, float, bool]]) -> pd.DataFrame:
    """Scores of axes as `score_positions` gives them. rows: rho, q and whether the factor holds, by axis."""
    return pd.DataFrame.from_dict(
        {
            axis: {
                "rho": rho,
                "rho_low": rho - 0.1,
                "rho_high": rho + 0.1,
                "null": -0.2,
                "null_sd": 0.05,
                "p": q / 2,
                "p_max": 2 * q,
                "q": q,
                "holds": holds,
                "network_p": 0.09,
                "beyond": 0.12,
                "beyond_low": 0.02,
                "beyond_high": 0.22,
                **{f"rho_{reader}": rho - lead for reader, lead in LEADS.items()},
                **{
                    f"difference_{reader}{end}": lead + by
                    for reader, lead in LEADS.items()
                    for end, by in (("", 0), ("_low", -0.03), ("_high", 0.03))
                },
            }
            for axis, (rho, q, holds) in rows.items()
        },
        orient="index",
    ).rename_axis("axis")


def make_reader_scores(rho: float = 0.4) -> pd.DataFrame:
    """Mean scores of readers as `score_positions` gives them, the judge's first."""
    rows = {"stacked": (rho, np.nan), **{reader: (rho - lead, lead) for reader, lead in LEADS.items()}}
    return pd.DataFrame.from_dict(
        {
            reader: {
                "mean_rho": mean,
                "mean_rho_low": mean - 0.1,
                "mean_rho_high": mean + 0.1,
                "difference": lead,
                "difference_low": lead - 0.03,
                "difference_high": lead + 0.03,
            }
            for reader, (mean, lead) in rows.items()
        },
        orient="index",
    ).rename_axis("reader")


def make_name_tests(rows: dict[str, tuple[float, bool]]) -> pd.DataFrame:
    """Tests of names as `Names.tests` has them. rows: rho and whether the name holds, by label."""
    return pd.DataFrame.from_dict(
        {
            label: {
                "rho": rho,
                "rho_low": rho - 0.1,
                "rho_high": rho + 0.1,
                "null": 0.01,
                "null_sd": 0.08,
                "p": 0.002,
                "q": 0.004,
                "holds": holds,
            }
            for label, (rho, holds) in rows.items()
        },
        orient="index",
    ).rename_axis("label")


def make_inputs(**changes: Any) -> ReportInputs:
    """Inputs with parts exchanged: factor 1 holds, 2 and 3 do not, and 3 is not stable."""
    items = pd.DataFrame(
        {
            "title": ["Alpha (1990)", f"Beta {HANDLER} (1991)", "Gamma & Co (1992)"],
            "ratings": [50, 60, 70],
            "genres": [["War"], ["Drama"], []],
        },
        index=pd.Index([3, 7, 12], name="item_id"),
    )
    reviews = pd.DataFrame(
        {
            "review_id": ["a", "b", "c", "d"],
            "item_id": [3, 7, 7, 12],
            "text": [
                f"{FILLER}A war film with a war hero. {FILLER}",
                f"{FILLER}Nice <br />film {SCRIPT} {HANDLER} of love lost. {FILLER}{FILLER}",
                f"{FILLER}Dull love. {FILLER}",
                FILLER * 4,
            ],
        }
    )
    shares = pd.DataFrame([(item, label) for item in items.index for label in LABELS], columns=["item_id", "label"])
    label_scores = pd.DataFrame(
        [
            {"axis": label[0], "items": 2, "prevalence": 0.4} | make_scores(["auc", "average_precision"], 0.71)
            for label in LABELS
        ],
        index=pd.Index(LABELS, name="label"),
    )
    review_aucs = {f"{words}review_auc_{split}": 0.8 for words in ("", "words_") for split in ("random", "grouped")}
    overall = {
        "items": 3,
        "reviews": 4,
        "prevalence": 0.4,
        **make_scores(["auc", "average_precision"], 0.61),
        "auc_p": 0.01,
        **review_aucs,
    }
    network = {
        "label_scores": label_scores,
        "comparison": compare(make_case()),
        "rare": pd.DataFrame({"items": []}, index=pd.Index([], name="label")),
        "language_model_history": pd.DataFrame(
            {"train_loss": [4.0, 3.0], "valid_loss": [3.0, 2.0], "accuracy": [0.2, 0.25], "perplexity": [20.09, 7.389]}
        ),
        "language_model_rates": pd.DataFrame({"learning_rate": [1e-7, 1e-3, 1.0], "loss": [9.0, 8.0, 12.0]}),
        "sentences": pd.DataFrame({"sentence": ["I liked this movie because it ends", HANDLER]}),
        "classifier_history": pd.DataFrame({"classifier": ["0"], "train_loss": [0.5], "valid_loss": [0.6]}),
    }
    names = {label: f"name of {label}" for label in LABELS} | {"2+": "no word marks this pole"}
    parts = {
        "items": items,
        "scores": pd.DataFrame({"1": [2.5, -1, -1.5], "2": [0.5, 1, -1.5], "3": [0.1, -1.2, 1.1]}, index=items.index),
        "axes": pd.DataFrame(
            {
                "explained": [0.6, 0.3, 0.1],
                "stability": [0.99, 0.95, 0.41],
                "stability_null": [0.71, 0.44, 0.22],
                "stability_null_95": [0.88, 0.57, 0.33],
                "stable": [True, True, False],
                "people": [0.6, 0.3, np.nan],
                "people_null_95": [0.35, 0.34, np.nan],
                "people_full": [0.75, 0.46, np.nan],
                "shared": [True, False, False],
            },
            index=pd.Index(["1", "2", "3"], name="axis"),
        ),
        "item_labels": pd.DataFrame(
            {"item_id": [3, 3, 7, 7, 12], "label": ["1+", "2-", "1-", "2-", "2+"], "strength": [2.5, 1, 2, 1, 1]}
        ),
        "labels": pd.DataFrame(
            {"share": [0.5, 0.5, 1.0, 0.0], "most_frequent": [False, False, True, False]},
            index=pd.Index(LABELS, name="label"),
        ),
        "reviews": reviews,
        "axis_scores": make_axis_scores({"1": (0.47, 0.002, True), "2": (0.1, 0.4, False), "3": (-0.1, 0.8, False)}),
        "reader_scores": make_reader_scores(),
        "kind_scores": pd.DataFrame(index=pd.Index([], name="kind")),
        "overall": POSITIONS,
        "terms": pd.DataFrame(
            {
                "label": ["1+", "1-", "1-", "2-"],
                "term": ["war", "love", "<b>", "film"],
                "forms": ["wars; war film", "", "", ""],
                "r": [0.31, 0.3, 0.29, 0.28],
                "p": 0.003,
                "share": 0.125,
                "share_all": 0.05,
                "items": 5,
            }
        ),
        "pole_items": pd.DataFrame({"label": ["1+"], "item_id": [3], "title": ["Alpha (1990)"], "score": [2.5]}),
        "genres": pd.DataFrame(
            {"label": ["2-"], "genre": ["Drama"], "share": [0.5], "share_all": [0.25], "r": [0.41], "p": [0.001]}
        ),
        "name_tests": make_name_tests({"1+": (0.45, True), "1-": (0.05, False), "2-": (0.02, False)}),
        "names": names,
        "shares": shares.assign(share=0.5, share_without=0.25, usual=0.25, usual_without=0.2, lift=2.0),
        "most_frequent": "2+",
        "network": NetworkFindings(
            overall=overall, **{name: changes.pop(name, value) for name, value in network.items()}
        ),
        "recommender": RecommenderFindings(make_trials(), changes.pop("analysis", make_analysis())),
        "manifests": [
            make_manifest("datasets", {"name": "movielens_100k"}),
            make_manifest("ratings", metrics={"links": {"named by the data's own source": 4, "not linked": 1}}),
            make_manifest("documents", {"english": True}, {"items": 3, "reviews": 4}),
            make_manifest("factors", {"stable_from": 0.9, "n_axes": 3, "rotation": "pca", "min_ratings": 30}),
            make_manifest("names", {"min_ratings": 55, "n_items": 8}),
            make_manifest(
                "language_model",
                LanguageModelConfig(max_tokens=1000).model_dump(),
                {"texts": 20, "tokens": 900.0, "perplexity": 7.389, "accuracy": 0.25, "suggested_rate": 2e-3},
            ),
            make_manifest("reviews", metrics=COVERAGE),
        ],
    } | changes
    nothing = compare_snapshots(parts["scores"], None, ChangesConfig())
    return ReportInputs(**{"changes": nothing, **parts})
