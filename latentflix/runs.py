"""The runs of the full flow: each is known by the report that it ended with."""

import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from latentflix.artifacts import Handle, Store
from latentflix.errors import ArtifactError, NotFound

logger = logging.getLogger(__name__)

REPORT = "report"
PROGRAM = "latentflix run"


@dataclass(frozen=True)
class Run:
    """One execution of the full flow: key, time (in UTC), headline figures and settings are those of its report.

    handles: by stage, what the report was made of; of a stage that made several artifacts, the last.
    """

    key: str
    made_at: str
    handles: Mapping[str, Handle]
    figures: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def report(self) -> Handle:
        """The report."""
        return Handle(stage=REPORT, key=self.key)

    def handle(self, stage: str) -> Handle:
        """The artifact of a stage. Raises ArtifactError if the run had no such stage."""
        if stage not in self.handles:
            raise ArtifactError(
                f"the run made no {stage}",
                where=f"run {self.key}",
                found=", ".join(self.handles),
                hint=f"start it again with {PROGRAM}",
            )
        return self.handles[stage]


@dataclass(frozen=True)
class Difference:
    """A setting or a metric, by stage and name, and its value in each of two runs; None where it has none."""

    stage: str
    name: str
    first: Any
    second: Any


def list_runs(store: Store) -> list[Run]:
    """All runs, the latest first. A run whose manifest cannot be read is left out, with a warning.

    Raises ArtifactError if the folder of reports cannot be read.
    """
    folder = store.root / REPORT
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        raise ArtifactError(
            "runs cannot be listed",
            where=str(folder),
            found="a folder that you may not read",
            hint="give yourself the right to read it, or name another folder with --artifacts-dir",
        )
    runs = []
    for handle in store.handles(REPORT):
        try:
            manifest = store.manifest(handle)
        except ArtifactError as error:
            logger.warning("%s", error)
            continue
        handles = {handle.stage: handle for handle in manifest.input_handles}
        runs.append(Run(manifest.key, manifest.made_at, handles, manifest.metrics, manifest.config))
    return sorted(runs, key=lambda run: (run.made_at, run.key), reverse=True)


def find_last_run(store: Store) -> Run | None:
    """The latest run, None if there is none."""
    return next(iter(list_runs(store)), None)


def choose_run(store: Store, key: str | None = None, before_last: int = 0) -> Run:
    """Choose the run whose key begins so; without a key, the one that is `before_last` runs before the latest.

    Raises NotFound if there is none, or if several keys begin so.
    """
    runs = list_runs(store)
    if len(runs) <= (before_last if key is None else 0):
        raise NotFound(
            f"there are no {before_last + 1} finished runs yet" if runs else "there is no finished run yet",
            where=str(store.root / REPORT),
            hint=f"start one with {PROGRAM}, or name another folder with --artifacts-dir",
        )
    if key is None:
        return runs[before_last]
    chosen = [run for run in runs if run.key.startswith(key)]
    if len(chosen) == 1:
        return chosen[0]
    raise NotFound(
        "several runs have keys that begin so" if chosen else "no run has such a key",
        where=str(store.root / REPORT),
        found=f"{key}: {', '.join(run.key for run in chosen)}" if chosen else key,
        expected=f"the key of one run, as {runs[0].key}",
        hint="see latentflix runs list",
    )


def trace_stage(store: Store, run: Run, stage: str) -> list[Handle]:
    """Find the artifacts of a stage that a run's report was made from, directly or through others; none if it had none.

    Raises as `Store.manifest` does.
    """
    seen = {run.report}
    waiting, found = [run.report], []
    while waiting:
        handle = waiting.pop(0)
        found += [handle] if handle.stage == stage else []
        new = [each for each in dict.fromkeys(store.manifest(handle).input_handles) if each not in seen]
        seen.update(new)
        waiting += new
    return found


def compare_runs(store: Store, first: Run, second: Run) -> dict[str, list[Difference]]:
    """List what differs in the `settings` and `metrics` of all stages of two runs. Raises as `Store.manifest` does.

    Where a stage made several artifacts that do not agree, a value is the list of theirs. The headline is left out, for
    it repeats metrics of the stages.
    """
    reports = [store.manifest(run.report) for run in (first, second)]
    inputs = [[store.manifest(handle) for handle in report.input_handles] for report in reports]
    settings = [
        _values((manifest.stage, manifest.config) for manifest in [*manifests, report])
        for manifests, report in zip(inputs, reports, strict=True)
    ]
    metrics = [_values((manifest.stage, manifest.metrics) for manifest in manifests) for manifests in inputs]
    return {"settings": _differences(*settings), "metrics": _differences(*metrics)}


def _values(parts: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[tuple[str, str], Any]:
    """Values by stage and dotted name."""
    found: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for stage, values in parts:
        for name, value in _flatten(values).items():
            found[stage, name][json.dumps(value, sort_keys=True)] = value
    return {
        place: next(iter(values.values())) if len(values) == 1 else [values[text] for text in sorted(values)]
        for place, values in found.items()
    }


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _differences(first: Mapping[tuple[str, str], Any], second: Mapping[tuple[str, str], Any]) -> list[Difference]:
    places = sorted({*first, *second})
    every = (Difference(*place, first.get(place), second.get(place)) for place in places)
    return [each for each in every if each.first != each.second]


def latest_artifact(store: Store, stage: str, program: str) -> Handle:
    """The latest artifact of a stage. Raises ArtifactError, naming the program that makes one, if there is none."""
    handles = store.handles(stage)
    if not handles:
        raise ArtifactError(
            f"no model of {stage} was trained yet",
            where=str(store.root / stage),
            hint=f"run {program}, or name another folder with --artifacts-dir",
        )
    return max(handles, key=lambda handle: store.manifest(handle).made_at)
