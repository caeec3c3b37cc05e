"""The artifacts of a run, written down instead of trained, so that what commands print of it is known."""

from functools import partial

import numpy as np
import pandas as pd

from latentflix.artifacts import Handle
from latentflix.config import StageConfig
from latentflix.factors.classifiers import ClassifierConfig
from latentflix.factors.reader_model import ReaderModel
from latentflix.recommender.model import CollabConfig
from latentflix.report.inputs import ReportConfig
from latentflix.text.classifier import build_classifier
from latentflix.text.language_model import LanguageModelConfig, model_weights
from latentflix.text.tokenizer import tokenize
from tests.support.factories.artifacts import put
from tests.support.factories.report import POSITIONS, make_axis_scores, make_name_tests, make_reader_scores
from tests.support.factories.tags import make_tag_findings

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
NAMES = {"1+": "machine, war, robot", "1-": "love, ball"}
LABELS = ["1+", "1-"]
THRESHOLDS = {"1+": 0.5, "1-": 0.4}
TEXT = "The machine is at war with love."
VOCABULARY = ["xxunk", "xxpad", *dict.fromkeys(token for token in tokenize(TEXT) if not token.startswith("xxpad"))]
# By classifier, its logits of the labels for any review; "random" is the one that has read about every item.
LOGITS = {"0": (2.0, -3.0), "1": (1.0, -1.0), "random": (-9.0, 9.0)}
# It weighs two words on factor 1 and one on factor 2, each text of one or two words being a sentence.
READER = ReaderModel(
    words=["love", "machine", "war", "at war"],
    frequent=["the", "is", "with", "and", "another"],
    idf=np.ones(4, np.float32),
    coefficients=np.array([[-1, 0], [2, 0], [1, 0], [0, -1]], np.float32),
    intercepts=np.array([0.5, 0], np.float32),
    axes=["1", "2"],
    lengths=np.array([4, 40], np.float32),
    means=np.array([[0.5, 0], [0, 0]], np.float32),
    deviations=np.array([[0.5, 0.25], [1, 1]], np.float32),
    correlations=np.array([0.5, 0.25], np.float32),
    proper_names=[],
)
CLASSIFIER_CONFIG = ClassifierConfig(n_folds=2, max_tokens=20)
# Two fits of three factors each; the vectors of one genre point the same way, whatever their length.
DIRECTIONS = {10: (3, 0.1, 0), 20: (1, 0, 0.1), 30: (0, 2, 0), 40: (0.1, 1, 0), 50: (2, 0, 0), 60: (0.5, 0, 0.2)}


def write_run(store, key="a" * 20, epochs=3, auc=0.7, rho=0.4, **report):
    """Write a run whose every artifact has this key, and return the store. report: settings of its report."""
    write = partial(put, store, key=key)
    ratings = write("ratings", tables={"items": ITEMS})
    random = np.random.default_rng(0)
    items = np.array([[(0, 0, 0), *DIRECTIONS.values()]] * 2, np.float32)
    recommender = {
        "user_ids": {"user_ids": np.arange(50)},
        "item_ids": {"item_ids": ITEMS.index.to_numpy()},
        "weights": {"u_weight.weight": np.float32(random.normal(size=(2, 51, 3))), "i_weight.weight": items},
    }
    collab = write("collab", inputs=(ratings,), config=CollabConfig(n_seeds=2), arrays=recommender)
    scores = pd.DataFrame(
        {"1": [2.0, 1.5, -1.8, -1.2, 1.0], "2": [0.1, -0.2, 0.3, -2.5, 0.0]}, index=ITEMS.index[:5], dtype="float32"
    )
    axes = pd.DataFrame(
        [(0.6, 0.98, 0.5, 0.001, True), (0.1, 0.4, 0.45, 0.7, False)],
        pd.Index(["1", "2"], name="axis"),
        ["explained", "stability", "stability_null", "stability_p", "stable"],
    )
    axes = axes.assign(people=[0.6, 0.2], people_null_95=[0.35, 0.3], people_full=[0.75, 0.33], shared=[True, False])
    factors = write("factors", inputs=(ratings, collab), tables={"scores": scores, "axes": axes})
    tables = {
        "items": pd.DataFrame({"item_id": [10, 30], "label": LABELS, "strength": [2.0, 1.8]}),
        "labels": pd.DataFrame({"items": [3, 2]}, index=pd.Index(LABELS, name="label")),
    }
    labels = write("labels", inputs=(factors,), tables=tables)
    texts = [TEXT, "A machine, and another machine."]
    reviews = pd.DataFrame({"review_id": ["x", "y"], "item_id": [10, 10], "text": texts})
    tables = {
        "terms": pd.DataFrame({"term": ["machine", "war", "robot", "love", "ball"], "label": ["1+"] * 3 + ["1-"] * 2}),
        "items": pd.DataFrame({"label": LABELS, "title": ITEMS["title"].loc[[10, 30]].tolist(), "score": [2.0, 1.8]}),
        "genres": pd.DataFrame({"label": LABELS, "genre": ["Sci-Fi", "Romance"]}),
        "tests": make_name_tests({"1+": (0.45, True)}),
    }
    names = write("names", values={"names": NAMES}, tables=tables)
    scores = {"auc": auc, "auc_low": auc - 0.1, "auc_high": auc + 0.1, "auc_null": 0.5, "auc_p": 0.01, "words_auc": 0.6}
    by_label = pd.DataFrame([scores, scores], index=pd.Index(LABELS, name="label"))
    tables = {
        "axes": make_axis_scores({"1": (0.47, 0.002, True), "2": (0.1, 0.4, False)}),
        "readers": make_reader_scores(),
    }
    found = make_tag_findings()
    tags = write("tags", tables={"tags": found.tags, "axes": found.axes, "confirmed": found.confirmed})
    evaluation = write("evaluation", tables=tables)
    label_evaluation = write("label_evaluation", tables={"labels": by_label}, metrics={"auc": auc})
    shares = pd.DataFrame(
        {"item_id": [10, 10], "label": LABELS, "share": [1.0, 0.5], "share_without": [np.nan, 1.0]}
    ).assign(lift=[2.0, 0.5])
    thresholds = pd.DataFrame({"label": LABELS, "threshold": 0.9, "review_threshold": [*THRESHOLDS.values()]})
    with store.new(Handle(stage="reader", key=key), {}, StageConfig()) as reader:
        reader.write(READER)
    language_model = LanguageModelConfig(epochs=epochs)
    classifiers = {f"weights_{name}": _classifier(logits) for name, logits in LOGITS.items()}
    values = {"labels": LABELS, "weights": list(LOGITS)}
    made = (
        *(ratings, collab, factors, labels, names, tags, evaluation, label_evaluation, reader.handle),
        write("reviews", tables={"reviews": reviews}),
        write("histograms", tables={"shares": shares}, metrics={"most_frequent": "1+"}),
        write("comparison", tables={"labels": thresholds}),
        write("language_model", config=language_model, values={"vocabulary": VOCABULARY}),
        write("classifier", config=CLASSIFIER_CONFIG, values=values, arrays=classifiers),
    )
    headline = {"items": 1, "reviews": 2, "factors": 2, "stable_factors": 1, "auc_null_sd": 0.02, **scores}
    headline |= {**POSITIONS, "mean_rho": rho, "names_that_hold": 1, "names_tested": 1}
    files = {"index.html": b"<p>the report</p>"}
    write("report", inputs=made, config=ReportConfig(**report), metrics=headline, files=files)
    return store


def _classifier(logits):
    """A classifier with the same logits for every review: its last layer sees only a one, whatever it reads."""
    model = build_classifier(len(VOCABULARY), len(LABELS), {"emb_sz": 8, "n_hid": 12, "n_layers": 1}, CLASSIFIER_CONFIG)
    weights = model_weights(model)
    weights["1.layers.1.0.weight"] = np.zeros_like(weights["1.layers.1.0.weight"])
    weights["1.layers.1.0.bias"] = np.eye(1, len(weights["1.layers.1.0.bias"]), dtype=np.float32)[0]
    weights["1.layers.1.2.weight"] = np.zeros_like(weights["1.layers.1.2.weight"])
    weights["1.layers.1.2.weight"][:, 0] = logits
    return weights
