"""What is lost when runs are killed, find the disk full, see the clock jump, or make the same result at once.

Each trial disturbs a run and looks at what it left; then a run that nothing disturbs has to end with everything that
should be there. All runs are real processes, on planted data. It takes an hour and needs Linux, user namespaces (a
small tmpfs is mounted in one of its own) and Debian's package `faketime`.
Run it with `python -m benchmarks.faults`.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, Field

from benchmarks.fault_victims import N_FILMS, reviews_of
from benchmarks.output import print_results, say
from flows.command_line import parse_command_line
from latentflix.artifacts import Store
from latentflix.reviews.store import ReviewStore
from tests.support.small_settings import as_arguments
from tests.support.synthetic_reviews import films
from tests.support.synthetic_run import HASTY

ROOT = Path(__file__).parents[1]
N_WRITERS = 4
# What a process of a killed run may still take to end.
GRACE = 20.0
# Debian's package `faketime`; it reads the time from a file, which may change while the process runs.
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
# Marks the processes of a run, and those that they start.
MARK = "LATENTFLIX_FAULT"
Fault = Literal["killed flow", "killed refresh", "full disk", "clock", "same key"]


class FaultSettings(BaseModel):
    """What is lost when runs are disturbed."""

    faults: tuple[Fault, ...] = Field(
        ("killed flow", "killed refresh", "full disk", "clock", "same key"), description="the faults that are tried"
    )
    kills: int = Field(50, ge=1, description="SIGKILLs of the full flow, and of a refresh")
    clocks: int = Field(10, ge=1, description="refreshes during which the clock jumps")
    pairs: int = Field(100, ge=1, description="results that two runs make at once")
    seed: int = Field(0, description="seed of the moments at which runs are disturbed")
    json_: bool = Field(False, alias="json", description="print one JSON object")


@dataclass
class Losses:
    """What the trials of a fault have cost; everything but `trials` and `struck` should be zero.

    Attributes:
        trials: runs that were disturbed.
        struck: those that ended because of it, or were still under way.
        half: results that were there in part.
        lost: results or reviews that were there before and not after, or not after an undisturbed run.
        doubled: results or reviews that were there twice, and files that nobody owns.
        unfinished: undisturbed runs that failed.
        left: processes of a killed run that were still there after 20 seconds.
        unclear: runs that ended with another error than one of latentflix.
    """

    fault: str
    trials: int = 0
    struck: int = 0
    half: int = 0
    lost: int = 0
    doubled: int = 0
    unfinished: int = 0
    left: int = 0
    unclear: int = 0


@contextmanager
def victim(function: str, *arguments: Any, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a function of `benchmarks.fault_victims` in a process of its own, from the moment that it is ready."""
    code = f"from benchmarks.fault_victims import {function}; {function}(*{arguments!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{function} did not start")
        yield process
    finally:
        process.kill()
        process.wait()


def start_flow(folder: Path, mark: str, **environment: str) -> "subprocess.Popen[bytes]":
    """Start the full flow on planted data, as the command line does, with artifacts and log in `folder`."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "tests.support.synthetic_flow"),
        *("--artifacts-dir", str(folder / "artifacts"), "--data-dir", str(folder / "data")),
        *as_arguments(HASTY),
    ]
    own = {"SYNTHETIC_FOLDER": str(folder / "data"), "PREFECT_API_URL": "", MARK: mark}
    log = (folder / "log").open("a")
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **own, **environment}, stdout=log, stderr=log)


def processes_of(mark: str) -> list[int]:
    """Find the processes whose environment holds a mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}\0".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def end_processes(mark: str) -> int:
    """Wait for the processes of a killed run to end, and end those that do not; return how many these were."""
    deadline = time.monotonic() + GRACE
    while (left := processes_of(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    for process in left:
        say(f"left: {Path(f'/proc/{process}/cmdline').read_bytes()[:300]!r}")
        os.kill(process, signal.SIGKILL)
    return len(left)


def complete_results(store: Store) -> tuple[dict[str, str], int]:
    """Return what made each complete artifact, by stage and key, and count the incomplete ones."""
    stages = [path.name for path in store.root.glob("[!.]*")] if store.root.exists() else []
    handles = [handle for stage in stages for handle in store.handles(stage)]
    whole = [handle for handle in handles if store.find_problem(handle) is None]
    made = {f"{each.stage}/{each.key}": store.manifest(each).made_at for each in whole}
    return made, len(handles) - len(whole)


def hidden_files(root: Path) -> int:
    """Count what is left below hidden folders of the artifacts, but for the locks of keys."""
    found = [path for path in root.rglob("*") if path.is_file()]
    return sum(
        any(part.startswith(".") and part != ".locks" for part in path.relative_to(root).parts) for path in found
    )


def sweep(root: Path) -> None:
    """Remove what dead runs have left, as a user would."""
    command = [sys.executable, "-m", "latentflix.cli.main", "doctor", "--clean", "--artifacts-dir", str(root)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False)


def check_flow(folder: Path, mark: str, expected: set[str], losses: Losses, **environment: str) -> None:
    """Look at what a disturbed run of the flow left, and let another one end."""
    store = Store(folder / "artifacts")
    before, half = complete_results(store)
    losses.half += half
    done = start_flow(folder, f"{mark}-next", **environment).wait()
    losses.unfinished += done != 0
    sweep(store.root)
    after, half = complete_results(store)
    losses.half += half
    losses.lost += len(before.items() - after.items()) + len(expected - after.keys())
    losses.doubled += len(after.keys() - expected) + hidden_files(store.root)
    losses.left += end_processes(f"{mark}-next")


def kill_flows(folder: Path, settings: FaultSettings) -> Losses:
    """Kill the full flow by SIGKILL at any moment, each time from an empty folder."""
    losses, random = Losses("killed flow"), Random(settings.seed)  # noqa: S311
    home = {"PREFECT_HOME": str(folder / "prefect")}
    # The first run also sets Prefect's database up; the second is timed.
    for name in ("first", "second"):
        began = time.monotonic()
        if start_flow(folder / name, name, **home).wait():
            raise RuntimeError((folder / name / "log").read_text()[-3000:])
        seconds = time.monotonic() - began
    expected = set(complete_results(Store(folder / "second" / "artifacts"))[0])
    for trial in range(settings.kills):
        # Another benchmark may run beside this one.
        mark = f"flow{trial}-{os.getpid()}"
        process = start_flow(folder / mark, mark, **home)
        try:
            process.wait(random.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            losses.struck += 1
        process.kill()
        process.wait()
        losses.left += end_processes(mark)
        check_flow(folder / mark, mark, expected, losses, **home)
        losses.trials += 1
        say(str(asdict(losses)))
    return losses


def check_reviews(uri: str, before: set[str], losses: Losses) -> set[str]:
    """Look for reviews that were lost or stored twice, and return all that are there."""
    rows = ReviewStore(uri).read([film.tconst or "" for film in films(N_FILMS)])["review_id"]
    losses.lost += len(before - set(rows))
    losses.doubled += len(rows) - rows.nunique()
    return set(rows)


def refresh_undisturbed(uri: str, per_film: int, losses: Losses) -> tuple[set[str], float]:
    """Refresh all films, and look for reviews that are still missing; return those found, and the seconds it took."""
    with victim("refresh_films", uri, per_film, 0) as process:
        began = time.monotonic()
        losses.unfinished += process.wait() != 0
        seconds = time.monotonic() - began
    found = check_reviews(uri, reviews_of(per_film), losses)
    losses.doubled += len(found - reviews_of(per_film))
    return found, seconds


def kill_refreshes(folder: Path, settings: FaultSettings) -> Losses:
    """Kill one of four writers of a store and a process that compacts it by SIGKILL, while the others go on."""
    losses, random = Losses("killed refresh"), Random(settings.seed)  # noqa: S311
    uri, flag, per_film = str(folder / "store"), folder / "stop", 2
    before, seconds = refresh_undisturbed(uri, per_film, losses)
    while losses.struck < settings.kills:
        per_film += 1
        flag.unlink(missing_ok=True)
        with (
            victim("compact_store", uri, str(flag)) as compactor,
            victim("refresh_films", uri, per_film, 1) as first,
            victim("refresh_films", uri, per_film, 2) as second,
            victim("refresh_films", uri, per_film, 3) as third,
            victim("refresh_films", uri, per_film, 4) as fourth,
        ):
            writers = [first, second, third, fourth]
            chosen = random.choice([*writers, compactor])
            try:
                chosen.wait(random.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                losses.struck += 1
            chosen.kill()
            losses.unfinished += sum(writer.wait() != 0 for writer in writers if writer is not chosen)
            flag.touch()
            compactor.wait()
        check_reviews(uri, before, losses)
        before, _ = refresh_undisturbed(uri, per_film, losses)
        losses.trials += 1
        say(str(asdict(losses)))
    return losses


def jump_clocks(folder: Path, settings: FaultSettings) -> Losses:
    """Set the clock of a refresh a year ahead or back while it runs."""
    losses, random = Losses("clock"), Random(settings.seed)  # noqa: S311
    if not FAKETIME.exists():
        raise RuntimeError(f"{FAKETIME} is missing: install Debian's package faketime")
    uri, clock = str(folder / "store"), folder / "clock"
    environment = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
    }
    found: set[str] = set()
    for trial in range(settings.clocks):
        clock.write_text("+0d\n")
        with victim("refresh_films", uri, trial + 1, trial, **environment) as process:
            time.sleep(random.uniform(0, 0.5))
            losses.struck += process.poll() is None
            clock.write_text(random.choice(["+400d\n", "-400d\n"]))
            losses.unfinished += process.wait() != 0
        check_reviews(uri, found, losses)
        found, _ = refresh_undisturbed(uri, trial + 1, losses)
        losses.trials += 1
        say(str(asdict(losses)))
    return losses


def fill_disks(folder: Path, _: FaultSettings) -> Losses:
    """Let the full flow and a refresh run on a disk that is too small, and a little larger each time."""
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "benchmarks.fault_disk"]
    done = subprocess.run(
        [*command, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ}
    )
    return Losses(**json.loads(done.stdout.splitlines()[-1]))


def make_twice(folder: Path, settings: FaultSettings) -> Losses:
    """Make one artifact in two processes at once, while a third reads."""
    losses, store = Losses("same key", trials=settings.pairs), Store(folder / "artifacts")
    seen: set[str] = set()
    with (
        victim("make_artifacts", str(folder), "a", "b", settings.pairs) as first,
        victim("make_artifacts", str(folder), "b", "a", settings.pairs) as second,
    ):
        while first.poll() is None or second.poll() is None:
            found, half = complete_results(store)
            losses.half += half
            losses.lost += len(seen - found.keys())
            seen |= found.keys()
        losses.unfinished += (first.wait() != 0) + (second.wait() != 0)
    found, half = complete_results(store)
    losses.struck = min(settings.pairs, *(len(list(folder.glob(f"{name}*[0-9]"))) for name in ("a", "b")))
    losses.half += half
    losses.lost += settings.pairs - len(found)
    losses.doubled += len(found) - settings.pairs + hidden_files(store.root)
    return losses


TRIALS = {
    "killed flow": kill_flows,
    "killed refresh": kill_refreshes,
    "full disk": fill_disks,
    "clock": jump_clocks,
    "same key": make_twice,
}


def main() -> None:
    """Try all faults and print what was lost; exit with 1 if anything was."""
    settings = parse_command_line(FaultSettings, "python -m benchmarks.faults")
    rows = []
    for fault in settings.faults:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(asdict(TRIALS[fault](Path(folder), settings)))
            say(str(rows[-1]))
    table = pd.DataFrame(rows)
    counts = Counter({name: int(table[name].sum()) for name in table.columns[3:]})
    print_results(table, {f"{name} in all": float(count) for name, count in counts.items()}, as_json=settings.json_)
    sys.exit(int(counts.total() > 0))


if __name__ == "__main__":
    main()
