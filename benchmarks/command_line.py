"""How long commands take from start to end, relative to their bounds: a ratio below 1 is within the bound.

Run it with `python -m benchmarks.command_line --artifacts-dir artifacts`, where a run has ended. The processor time is
measured too, since the wall-clock time depends on what else the machine does.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pandas as pd
from pydantic import BaseModel, Field

from benchmarks.output import print_results, say
from flows.command_line import parse_command_line
from latentflix.artifacts import Store
from latentflix.runs import choose_run

# In seconds.
BOUNDS = {"--help": 0.5, "factors": 2.0, "explain": 2.0, "similar": 2.0, "predict": 4.0}
MAIN = "import sys; from latentflix.cli.main import main; sys.argv[0] = 'latentflix'; main()"
REVIEW = "The animation is lovely, the songs are great and my kids laughed all the way through."


class BenchmarkSettings(BaseModel):
    """Commands, each in a process of its own."""

    artifacts_dir: Path = Field(Path("artifacts"), description="where runs keep their results")
    repeats: int = Field(5, ge=1, description="how often each command is started")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def measure(arguments: list[str]) -> tuple[float, float]:
    """The wall-clock and the processor time of a command, in seconds."""
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", MAIN, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - started, processor


def main() -> None:
    """Print the median and the ratio to its bound of each command."""
    settings = parse_command_line(BenchmarkSettings, "python -m benchmarks.command_line")
    store = Store(settings.artifacts_dir)
    items = store.read_table(choose_run(store).handle("ratings"), "items")
    title = items.loc[items["ratings"].idxmax(), "title"]
    arguments = {"explain": [title], "similar": [title], "predict": [REVIEW]}
    rows = []
    for command, bound in BOUNDS.items():
        place = [] if command == "--help" else ["--artifacts-dir", str(settings.artifacts_dir)]
        times = [measure([command, *arguments.get(command, []), *place]) for _ in range(settings.repeats)]
        clock, processor = (median(column) for column in zip(*times, strict=True))
        say(f"{command}: {clock:.2f} s, processor {processor:.2f} s")
        rows.append({"command": command, "clock": clock, "processor": processor, "bound": bound})
    table = pd.DataFrame(rows)
    ratios = {f"{row.command} / bound": float(row.clock / row.bound) for row in table.itertuples()}
    print_results(table, ratios, as_json=settings.json_)


if __name__ == "__main__":
    main()
