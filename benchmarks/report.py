"""What a report on 1,000 items with 30 reviews each costs: seconds, memory, megabytes, and time to first paint.

Items, factors and reviews are synthetic, with the length and vocabulary of reviews at IMDb. Run it with
`python -m benchmarks.report`; it needs Chromium on the path.
"""

import multiprocessing
import resource
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright
from pydantic import BaseModel, Field

from benchmarks.output import print_results, say
from flows.command_line import parse_command_line
from latentflix.artifacts import Handle, Store
from latentflix.factors.labels import LabelConfig, label_items
from latentflix.report.formatting import PAGE
from latentflix.report.inputs import ReportConfig, ReportInputs
from latentflix.report.page import build_report
from tests.support.factories.analysis import make_analysis
from tests.support.factories.report import make_axis_scores, make_inputs, make_name_tests, make_scores

N_AXES, N_STABLE, N_SHARED, N_HOLDING, N_TERMS = 20, 15, 6, 12, 12
WORDS_PER_REVIEW, WORDS_PER_SENTENCE = 230, 16
# What a report may take on two cores.
BOUNDS = {"seconds": 60.0, "peak_gib": 2.0, "megabytes": 30.0, "first_screen_seconds": 1.0}

PAINTED = "performance.getEntriesByName('first-contentful-paint')"


class ReportSettings(BaseModel):
    """What a report on many items costs, and how long its first screen takes."""

    items: int = Field(1000, ge=10, description="items with reviews")
    reviews: int = Field(30, ge=1, description="reviews of each item")
    opened: int = Field(5, ge=1, description="times that the report is opened, each in a new browser")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def synthetic_inputs(n_items: int, n_reviews: int, seed: int = 0) -> ReportInputs:
    """Inputs with so many items and reviews of each; the poles of each stable factor have words of their own."""
    random = np.random.default_rng(seed)
    ids = pd.Index(np.arange(1, n_items + 1), name="item_id")
    titles = [
        f"Item {number}: A Title of {random.integers(1, 9) * 'Some '}Length ({1920 + number % 80})" for number in ids
    ]
    items = pd.DataFrame({"title": titles, "ratings": random.integers(30, 600, n_items)}, index=ids)
    names = [str(number + 1) for number in range(N_AXES)]
    scores = pd.DataFrame(random.normal(size=(n_items, N_AXES)), ids, names)
    axes = pd.DataFrame(
        {
            "explained": np.sort(random.dirichlet(np.ones(N_AXES)))[::-1],
            "stability": np.linspace(1, 0.8, N_AXES),
            "stability_null": 0.4,
            "stability_null_95": 0.6,
            "stable": np.arange(N_AXES) < N_STABLE,
            "people": 0.5,
            "people_null_95": 0.3,
            "people_full": 0.67,
            "shared": np.arange(N_AXES) < N_SHARED,
        },
        index=pd.Index(names, name="axis"),
    )
    labelled = label_items(scores, axes, items["ratings"], LabelConfig())
    labels = list(labelled.labels.index)
    words = np.array([f"word{first}{second}" for first in "abcdefghijklmnopqrst" for second in "abcdefghijklmnopqrst"])
    terms = pd.DataFrame(
        [
            (label, words[place * 10 % 380 + rank], "", (N_TERMS - rank) / N_TERMS, 0.003, 0.2, 0.1)
            for place, label in enumerate(labels)
            for rank in range(N_TERMS)
        ],
        columns=["label", "term", "forms", "r", "p", "share", "share_all"],
    )
    named = terms.groupby("label")["term"].agg(lambda words: ", ".join(words.head(3)))
    shares = pd.DataFrame({"item_id": np.repeat(ids, len(labels)), "label": np.tile(labels, n_items)})
    ends = labelled.items.sort_values("strength", ascending=False).groupby("label").head(8)
    label_score = {"axis": "1", "items": 9, "prevalence": 0.2} | make_scores(["auc", "average_precision"], 0.6)
    return make_inputs(
        items=items,
        scores=scores,
        axes=axes,
        item_labels=labelled.items,
        labels=labelled.labels,
        reviews=_write_reviews(random, ids, n_reviews, words),
        label_scores=pd.DataFrame([label_score] * len(labels), index=pd.Index(labels, name="label")),
        axis_scores=make_axis_scores({axis: (0.5, 0.01, int(axis) <= N_HOLDING) for axis in names}),
        name_tests=make_name_tests(dict.fromkeys(labels, (0.4, True))),
        terms=terms,
        pole_items=ends.assign(title=ends["item_id"].map(items["title"])).rename(columns={"strength": "score"}),
        names=named.to_dict(),
        shares=shares.assign(
            **{name: random.random(len(shares)) for name in ("share", "share_without", "lift")},
            usual=0.3,
            usual_without=0.3,
        ),
        most_frequent=labels[0],
        analysis=make_analysis(
            positions=items.head(300).assign(
                year=pd.array([1990] * min(n_items, 300), "Int16"),
                **{f"axis_{axis}": random.normal(size=min(n_items, 300)) for axis in (1, 2, 3)},
            )
        ),
    )


def _write_reviews(random: np.random.Generator, ids: pd.Index, n_reviews: int, words: np.ndarray) -> pd.DataFrame:
    """Reviews in sentences, of words among ten thousand others that follow Zipf's law."""
    others = np.array([f"Other{number}" for number in range(10_000)])
    vocabulary = np.concatenate([words, others])
    texts = []
    for _ in range(len(ids) * n_reviews):
        marking = random.random(WORDS_PER_REVIEW) < 0.05
        drawn = np.where(
            marking,
            random.integers(0, len(words), WORDS_PER_REVIEW),
            len(words) + (len(others) ** random.random(WORDS_PER_REVIEW)).astype(int) - 1,
        )
        review = vocabulary[drawn].tolist()
        sentences = [review[at : at + WORDS_PER_SENTENCE] for at in range(0, len(review), WORDS_PER_SENTENCE)]
        texts.append(" ".join(" ".join(sentence) + "." for sentence in sentences))
    numbers = np.arange(len(texts))
    return pd.DataFrame({"review_id": numbers.astype(str), "item_id": np.repeat(ids, n_reviews), "text": texts})


def build(root: Path, n_items: int, n_reviews: int) -> dict[str, float]:
    """Build a report as the flow does, and measure what it cost and how large it is."""
    inputs = synthetic_inputs(n_items, n_reviews)
    config = ReportConfig()
    handle = Handle(stage="report", key="benchmark")
    store = Store(root)
    started = time.monotonic()
    with store.new(handle, {}, config) as artifact:
        artifact.metrics.update(build_report(artifact.folder, inputs, config))
    seconds = time.monotonic() - started
    files = [path.stat().st_size for path in store.path(handle).rglob("*") if path.is_file()]
    return {
        "seconds": seconds,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "megabytes": sum(files) / 1e6,
        "files": len(files),
    }


def first_screen(page: Path, times: int) -> float:
    """Seconds from opening the page to its first paint: the median over several browsers."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    painted = []
    with sync_playwright() as playwright:
        for _ in range(times):
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            opened = browser.new_page(viewport={"width": 1280, "height": 900})
            opened.goto(page.as_uri())
            opened.wait_for_function(f"{PAINTED}.length")
            painted.append(
                opened.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
            )
            browser.close()
    say(f"first screen, each time: {', '.join(f'{seconds:.2f}' for seconds in painted)} s")
    return median(painted)


def main() -> None:
    """Build a report and open it."""
    settings = parse_command_line(ReportSettings, "python -m benchmarks.report")
    with tempfile.TemporaryDirectory() as folder:
        # A process of its own, so that its peak of memory is the report's.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            result = pool.submit(build, Path(folder), settings.items, settings.reviews).result()
        result["first_screen_seconds"] = first_screen(Path(folder) / "report" / "benchmark" / PAGE, settings.opened)
    row = {"items": settings.items, "reviews": settings.items * settings.reviews, **result}
    ratios = {f"{name} / bound": result[name] / bound for name, bound in BOUNDS.items()}
    print_results(pd.DataFrame([row]), ratios, as_json=settings.json_)


if __name__ == "__main__":
    main()
