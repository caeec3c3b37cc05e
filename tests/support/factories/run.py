"""The artifacts of a run, written down instead of trained, so that what commands print of it is known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.artifacts import Handle, Store
from latentflix.config import StageConfig
from latentflix.factors.classifiers import ClassifierConfig
from latentflix.recommender.model import CollabConfig
from latentflix.report.inputs import ReportConfig
from latentflix.text.classifier import build_classifier
from latentflix.text.language_model import model_weights
from latentflix.text.tokenizer import tokenize

ITEMS = pd.DataFrame(
    [
        (10, "Matrix, The (1999)", 1999, ["Action", "Sci-Fi"], "tt0133093", 300),
        (20, "Cité des enfants perdus, La (City of Lost Children, The) (1995)", 1995, ["Sci-Fi"], None, 70),
        (30, "Sabrina (1954)", 1954, ["Romance"], "tt0047437", 66),
        (40, "Sabrina (1995)", 1995, ["Romance"], "tt0114319", 190),
        (50, "Matrix Reloaded, The (2003)", 2003, ["Action"], None, 40),
        (60, "2001: A Space Odyssey [uncut] (1968)", 1968, ["Sci-Fi"], None, 5),
    ],
    columns=["item_id", "title", "year", "genres", "tconst", "ratings"],
).set_index("item_id")
NAMES = {"1+": "Sci-Fi · machine, war", "1-": "Romance · love, ball"}
LABELS = ["1+", "1-"]
THRESHOLDS = {"1+": 0.5, "1-": 0.4}
TEXT = "The machine is at war with love."
VOCABULARY = ["xxunk", "xxpad", *dict.fromkeys(token for token in tokenize(TEXT) if not token.startswith("xxpad"))]
# By classifier, its logits of the labels for any review; "random" is the one that has read about every item.
LOGITS = {"0": (2.0, -3.0), "1": (1.0, -1.0), "random": (-9.0, 9.0)}
CLASSIFIER_CONFIG = ClassifierConfig(n_folds=2, max_tokens=20)
# Two fits of three factors each; the vectors of one genre point the same way, whatever their length.
DIRECTIONS = {10: (3, 0.1, 0), 20: (1, 0, 0.1), 30: (0, 2, 0), 40: (0.1, 1, 0), 50: (2, 0, 0), 60: (0.5, 0, 0.2)}


class EpochsConfig(StageConfig):
    """A setting that differs from run to run."""

    epochs: int


@dataclass(frozen=True)
class SmallRun:
    """A store, and the key of the run's report in it."""

    store: Store
    key: str


def write_run(store, key="a" * 20, epochs=3, auc=0.7, **report):
    """Write a run whose every artifact has this key. report: settings of its report."""

    def write(stage, inputs=(), config=None, metrics=None, arrays=None, values=None, **tables):
        handle = Handle(stage=stage, key=key)
        with store.new(handle, by_stage(inputs), config or StageConfig()) as artifact:
            artifact.write_tables(tables)
            for name, weights in (arrays or {}).items():
                artifact.write_arrays(name, weights)
            for name, value in (values or {}).items():
                artifact.write_json(name, value)
            artifact.metrics.update(metrics or {})
        return handle

    ratings = write("ratings", items=ITEMS)
    collab = write("collab", (ratings,), CollabConfig(n_seeds=2), arrays=_recommender())
    factors = write(
        "factors",
        (ratings, collab),
        scores=pd.DataFrame(
            {"1": [2.0, 1.5, -1.8, -1.2, 1.0], "2": [0.1, -0.2, 0.3, -2.5, 0.0]}, index=ITEMS.index[:5], dtype="float32"
        ),
        axes=pd.DataFrame(
            {
                "explained": [0.6, 0.1],
                "stability": [0.98, 0.4],
                "stability_null": [0.5, 0.45],
                "stability_p": [0.001, 0.7],
                "stable": [True, False],
            },
            index=pd.Index(["1", "2"], name="axis"),
        ),
    )
    labels = write(
        "labels",
        (factors,),
        items=pd.DataFrame({"item_id": [10, 30], "label": LABELS, "strength": [2.0, 1.8]}),
        labels=pd.DataFrame({"items": [3, 2]}, index=pd.Index(LABELS, name="label")),
    )
    reviews = write(
        "reviews",
        reviews=pd.DataFrame(
            {"review_id": ["x", "y"], "item_id": [10, 10], "text": [TEXT, "A machine, and another machine."]}
        ),
    )
    names = write(
        "names",
        values={"names": NAMES},
        terms=pd.DataFrame({"term": ["machine", "war", "robot", "love", "ball"], "label": ["1+"] * 3 + ["1-"] * 2}),
        items=pd.DataFrame({"label": LABELS, "title": ITEMS["title"].loc[[10, 30]].tolist(), "score": [2.0, 1.8]}),
        genres=pd.DataFrame({"label": LABELS, "genre": ["Sci-Fi", "Romance"]}),
    )
    scores = {"auc": auc, "auc_low": auc - 0.1, "auc_high": auc + 0.1, "auc_null": 0.5, "auc_p": 0.01, "words_auc": 0.6}
    evaluation = write(
        "evaluation", labels=pd.DataFrame([scores, scores], index=pd.Index(LABELS, name="label")), metrics={"auc": auc}
    )
    histograms = write(
        "histograms",
        shares=pd.DataFrame(
            {"item_id": [10, 10], "label": LABELS, "share": [1.0, 0.5], "share_without": [np.nan, 1.0]}
        ),
        metrics={"most_frequent": "1+"},
    )
    encoders = write(
        "comparison", labels=pd.DataFrame({"label": LABELS, "threshold": [THRESHOLDS[label] for label in LABELS]})
    )
    language_model = write("language_model", config=EpochsConfig(epochs=epochs), values={"vocabulary": VOCABULARY})
    classifier = write(
        "classifier",
        config=CLASSIFIER_CONFIG,
        values={"labels": LABELS, "weights": list(LOGITS)},
        arrays={f"weights_{name}": _classifier(logits) for name, logits in LOGITS.items()},
    )
    made = (ratings, factors, labels, reviews, names, evaluation, histograms, encoders, language_model, classifier)
    headline = {"items": 1, "reviews": 2, "factors": 2, "stable_factors": 1, "auc_null_sd": 0.02, **scores}
    with store.new(Handle(stage="report", key=key), by_stage((*made, collab)), ReportConfig(**report)) as artifact:
        (artifact.folder / "index.html").write_text("<p>the report</p>")
        artifact.metrics.update(headline)
    return SmallRun(store, key)


def by_stage(handles):
    """Inputs as a manifest has them: by a parameter that is named after the stage."""
    return {stage: tuple(each for each in handles if each.stage == stage) for stage in {h.stage: None for h in handles}}


def _recommender():
    random = np.random.default_rng(0)
    users = random.normal(size=(2, 51, 3)).astype(np.float32)
    items = np.array([[(0, 0, 0), *DIRECTIONS.values()]] * 2, np.float32)
    return {
        "user_ids": {"user_ids": np.arange(50)},
        "item_ids": {"item_ids": ITEMS.index.to_numpy()},
        "weights": {"u_weight.weight": users, "i_weight.weight": items},
    }


def _classifier(logits):
    """A classifier with the same logits for every review: its last layer sees only a one, whatever it reads."""
    model = build_classifier(len(VOCABULARY), len(LABELS), {"emb_sz": 8, "n_hid": 12, "n_layers": 1}, CLASSIFIER_CONFIG)
    weights = model_weights(model)
    weights["1.layers.1.0.weight"] = np.zeros_like(weights["1.layers.1.0.weight"])
    weights["1.layers.1.0.bias"] = np.eye(1, len(weights["1.layers.1.0.bias"]), dtype=np.float32)[0]
    weights["1.layers.1.2.weight"] = np.zeros_like(weights["1.layers.1.2.weight"])
    weights["1.layers.1.2.weight"][:, 0] = logits
    return weights
