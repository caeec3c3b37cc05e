"""The runs of the full flow: each is known by the report that it ended with."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from latentflix.artifacts import MANIFEST, Handle, Store
from latentflix.errors import ArtifactError, NotFound

logger = logging.getLogger(__name__)

REPORT = "report"
PROGRAM = "latentflix run"


@dataclass(frozen=True)
class Run:
    """key: that of its report. made_at: when that was made, in UTC. figures: its headline.

    handles: by stage, what the report was made of; of a stage that made several artifacts, the last.
    """

    key: str
    made_at: str
    handles: Mapping[str, Handle]
    figures: Mapping[str, Any]

    @property
    def report(self) -> Handle:
        """The report."""
        return Handle(stage=REPORT, key=self.key)

    def handle(self, stage: str) -> Handle:
        """What a stage made. Raises ArtifactError if the run had no such stage."""
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
    one: Any
    other: Any


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs; settings and metrics that are the same are left out."""

    settings: tuple[Difference, ...]
    metrics: tuple[Difference, ...]


def list_runs(store: Store) -> list[Run]:
    """All runs, the one whose report was made last first. One whose manifest cannot be read is left out, and named."""
    runs = []
    for path in store.root.glob(f"{REPORT}/[!.]*/{MANIFEST}"):
        try:
            manifest = store.manifest(Handle(stage=REPORT, key=path.parent.name))
        except ArtifactError as error:
            logger.warning("%s", error)
            continue
        handles = {handle.stage: handle for handle in manifest.input_handles}
        runs.append(Run(manifest.key, manifest.made_at, handles, manifest.metrics))
    return sorted(runs, key=lambda run: (run.made_at, run.key), reverse=True)


def find_last_run(store: Store) -> Run | None:
    """The run whose report was made last, None if there was none."""
    return next(iter(list_runs(store)), None)


def choose_run(store: Store, key: str | None = None, before_last: int = 0) -> Run:
    """The run whose key begins so; without one, the last, or the run that came so many before it.

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


def compare_runs(store: Store, one: Run, other: Run) -> Comparison:
    """What two runs were told, and what they came to, where it is not the same. Raises as `Store.manifest` does.

    Where a stage made several artifacts that do not agree, a value is the list of what they say. The headline is left
    out, for it repeats metrics of the stages.
    """
    reports = [store.manifest(run.report) for run in (one, other)]
    made_of = [[store.manifest(handle) for handle in report.input_handles] for report in reports]
    settings = [
        _values((manifest.stage, manifest.config) for manifest in [*manifests, report])
        for manifests, report in zip(made_of, reports, strict=True)
    ]
    metrics = [_values((manifest.stage, manifest.metrics) for manifest in manifests) for manifests in made_of]
    return Comparison(_differences(*settings), _differences(*metrics))


def _values(parts: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[tuple[str, str], Any]:
    """Values by stage and dotted name."""
    said: dict[tuple[str, str], dict[str, Any]] = {}
    for stage, values in parts:
        for name, value in _flatten(values).items():
            said.setdefault((stage, name), {})[json.dumps(value, sort_keys=True)] = value
    return {
        place: next(iter(values.values())) if len(values) == 1 else [values[text] for text in sorted(values)]
        for place, values in said.items()
    }


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _differences(one: Mapping[tuple[str, str], Any], other: Mapping[tuple[str, str], Any]) -> tuple[Difference, ...]:
    places = sorted({*one, *other})
    return tuple(
        Difference(*place, one.get(place), other.get(place)) for place in places if one.get(place) != other.get(place)
    )


def newest(store: Store, stage: str, program: str) -> Handle:
    """The artifact of this stage that was made last.

    program: what makes one, for the error. Raises ArtifactError if there is none.
    """
    handles = [Handle(stage=stage, key=path.parent.name) for path in store.root.glob(f"{stage}/[!.]*/manifest.json")]
    if not handles:
        raise ArtifactError(
            f"no model of {stage} was trained yet",
            where=str(store.root / stage),
            hint=f"run {program}, or name another folder with --artifacts-dir",
        )
    return max(handles, key=lambda handle: store.manifest(handle).made_at)
