"""What it costs to explain vectors of one's own from Python, from tables to the page.

The vectors are made from planted factors in a space of more dimensions, and so are the texts. Run it with
`python -m benchmarks.explain`.
"""

import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

import latentflix
from benchmarks.output import print_results, say
from flows.command_line import parse_command_line

N_PLANTED, WORDS_OF_POLE, FILLER = 12, 20, 20_000


class ExplainSettings(BaseModel):
    """Seconds and memory from item vectors and texts to the page."""

    items: int = Field(10_000, ge=100, description="items")
    dimensions: int = Field(128, ge=N_PLANTED, description="dimensions of their vectors")
    texts: int = Field(50_000, ge=100, description="texts")
    words: int = Field(25, ge=1, description="words of a text")
    rotations: tuple[str, ...] = Field(("varimax", "none"), description="kinds of axes that are explained")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def make_tables(settings: ExplainSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Vectors of a space that planted factors span, with noise in all dimensions; and texts."""
    random = np.random.default_rng(0)
    planted = random.normal(size=(settings.items, N_PLANTED))
    turn = np.linalg.qr(random.normal(size=(settings.dimensions, N_PLANTED)))[0].T
    noise = 0.3 * random.normal(size=(settings.items, settings.dimensions)) / np.sqrt(settings.dimensions)
    vectors = pd.DataFrame(planted @ turn + noise, index=pd.Index(range(settings.items), name="item_id"))
    owners = np.concatenate([np.arange(settings.items), random.integers(0, settings.items, settings.texts)])
    texts = [_write(random, planted[owner], settings.words) for owner in owners[: settings.texts]]
    return vectors, pd.DataFrame({"item_id": owners[: settings.texts], "text": texts})


def _write(random: np.random.Generator, position: np.ndarray, n_words: int) -> str:
    words = [_spell(int(FILLER ** random.random())) for _ in range(n_words)]
    for factor in random.choice(N_PLANTED, 3, replace=False):
        if random.random() < min(abs(position[factor]), 1):
            pole = 2 * factor + (position[factor] < 0)
            words.append(_spell(FILLER + pole * WORDS_OF_POLE + random.integers(WORDS_OF_POLE)))
    return " ".join(words)


def _spell(number: int) -> str:
    """A word of letters for each number."""
    return "w" + "".join(chr(ord("a") + number // 26**place % 26) for place in range(4))


def measure(rotation: str, settings: ExplainSettings) -> dict[str, Any]:
    """Explain the vectors once, and write the page."""
    vectors, texts = make_tables(settings)
    started = time.monotonic()
    found = latentflix.explain(vectors, texts, settings={"factors": {"rotation": rotation}})
    explained = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found.to_html(Path(folder) / "page")
    return {
        "rotation": rotation,
        "items": settings.items,
        "dimensions": settings.dimensions,
        "texts": settings.texts,
        "seconds to explain": explained - started,
        "seconds for the page": time.monotonic() - explained,
        "GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "factors": found.figures["factors"],
        "factors that hold": found.figures["factors_that_hold"],
        "mean rho": found.figures["mean_rho"],
        "names that hold": found.figures["names_that_hold"],
        **{f"{step.stage} s": step.seconds for step in found.inputs.manifests if step.seconds > 1},
    }


def main() -> None:
    """Measure each kind of axes in a process of its own."""
    settings = parse_command_line(ExplainSettings, "python -m benchmarks.explain")
    rows = []
    for rotation in settings.rotations:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as process:
            rows.append(process.submit(measure, rotation, settings).result())
        say(f"{rotation}: {rows[-1]}")
    print_results(pd.DataFrame(rows), {}, as_json=settings.json_)


if __name__ == "__main__":
    main()
