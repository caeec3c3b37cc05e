"""What a report finds otherwise than the one before it: factors, names, histograms, scores and settings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from latentflix.artifacts import Handle, Manifest, Store
from latentflix.config import StageConfig, setting
from latentflix.errors import ArtifactError
from latentflix.factors.labels import POLES
from latentflix.factors.stability import match_axes
from latentflix.runs import list_runs

_COLUMNS = {
    "factors": ["axis", "was", "correlation"],
    "poles": ["label", "was", "name", "was_name"],
    "histograms": ["item_id", "moved", "label", "share", "was_share"],
    "metrics": ["stage", "metric", "was", "now"],
    "settings": ["stage", "setting", "was", "now"],
}
# The stages whose metrics say how a run went.
_MEASURED = ("factors", "reviews", "language_model", "evaluation")


class ChangesConfig(StageConfig):
    """When a factor counts as one that was there before, and how much is listed."""

    same_from: float = setting(0.7, "least |r| over the films for two factors to count as the same", ge=0, le=1)
    n_items: int = setting(12, "films whose histograms moved most that are listed", ge=0)


@dataclass(frozen=True)
class Snapshot:
    """What one report says, as the stages wrote it, and the manifests of all that it is made of."""

    scores: pd.DataFrame
    names: Mapping[str, str]
    shares: pd.DataFrame
    manifests: Sequence[Manifest]


@dataclass(frozen=True)
class Changes:
    """since: when the earlier report was made, in UTC; None if there is none, and then every table is empty.

    factors: axis, was (its axis before, "" if it is new), correlation (|r| over the films in both; 0 if there is
    none). poles: label, was, name, was_name, one row a pole that is named now or was; "" where it is or was not.
    histograms: item_id, moved (the sum over the labels of how far their shares moved), label, share, was_share of
    the label that moved most; the film that moved most first. metrics: stage, metric, was, now. settings: stage,
    setting, was, now, as JSON. Only what differs is in the last two.
    """

    since: str | None
    factors: pd.DataFrame
    poles: pd.DataFrame
    histograms: pd.DataFrame
    metrics: pd.DataFrame
    settings: pd.DataFrame

    @property
    def renamed(self) -> pd.DataFrame:
        """The rows of `poles` whose name is another one than it was."""
        return self.poles[self.poles["name"] != self.poles["was_name"]]


def find_previous(store: Store, present: Sequence[Handle]) -> tuple[Handle, ...]:
    """Of the newest report that was made of something else: the artifacts of the same stages as those of `present`.

    None if there is no such report, or none whose artifacts are all as they were written. What comes back hangs on
    what the reports found and not on the reports, so a report that is made again is compared with the same one.
    """
    for run in list_runs(store):
        last = tuple(run.handles[handle.stage] for handle in present if handle.stage in run.handles)
        if len(last) == len(present) and last != tuple(present) and _is_complete(store, last):
            return last
    return ()


def _is_complete(store: Store, handles: Sequence[Handle]) -> bool:
    try:
        lineage(store, handles)
    except ArtifactError:
        return False
    return all(store.find_problem(handle) is None for handle in handles)


def read_snapshot(store: Store, handles: Sequence[Handle]) -> Snapshot:
    """Read what one report says, from its artifacts of factors, evaluation, names and histograms."""
    factors, _, names, histograms = handles
    return Snapshot(
        scores=store.read_table(factors, "scores"),
        names=store.read_json(names, "names"),
        shares=store.read_table(histograms, "shares"),
        manifests=lineage(store, handles),
    )


def lineage(store: Store, handles: Sequence[Handle]) -> list[Manifest]:
    """The manifests of artifacts and of all that those were made of, each once. Raises as `Store.manifest` does."""
    found: dict[Handle, Manifest] = {}
    waiting = list(handles)
    while waiting:
        handle = waiting.pop()
        if handle not in found:
            found[handle] = store.manifest(handle)
            waiting.extend(found[handle].input_handles)
    return sorted(found.values(), key=lambda manifest: (manifest.made_at, manifest.stage, manifest.key))


def compare_snapshots(now: Snapshot, before: Snapshot | None, config: ChangesConfig) -> Changes:
    """What is found now and was not, or otherwise, before.

    Factors are matched one to one by where the films stand on them, whatever their number and sign: a name is
    compared with that of the pole at which the same films stood.
    """
    if before is None:
        return Changes(None, **{name: pd.DataFrame(columns=columns) for name, columns in _COLUMNS.items()})
    factors = _match(now.scores, before.scores, config.same_from)
    was = {
        f"{axis}{pole}": f"{match.was}{pole if match.sign > 0 else POLES[pole == POLES[0]]}"
        for axis, match in factors[factors["was"] != ""].iterrows()
        for pole in POLES
    }
    return Changes(
        since=max(manifest.made_at for manifest in before.manifests),
        factors=factors.drop(columns="sign").reset_index(),
        poles=_compare_names(now.names, before.names, was),
        histograms=_compare_histograms(now.shares, before.shares, was).head(config.n_items),
        metrics=_differences("metric", _metrics(before), _metrics(now)),
        settings=_differences("setting", _settings(before), _settings(now)),
    )


def _match(now: pd.DataFrame, before: pd.DataFrame, same_from: float) -> pd.DataFrame:
    """For each axis of `now`, its own among those before, with |r| and sign over the films that stand in both."""
    items = now.index.intersection(before.index)
    table = pd.DataFrame({"was": "", "correlation": 0.0, "sign": 1.0}, index=now.columns.rename("axis"))
    if len(items) < 3:
        return table
    left, right = (scores.loc[items].to_numpy(float) for scores in (now, before))
    partners, strengths = match_axes(left, right)
    for row in np.flatnonzero(partners >= 0):
        same = strengths[row] >= same_from
        sign = np.sign(np.corrcoef(left[:, row], right[:, partners[row]])[0, 1]) if same else 1.0
        table.iloc[row] = [str(before.columns[partners[row]]) if same else "", float(strengths[row]), float(sign)]
    return table


def _compare_names(now: Mapping[str, str], before: Mapping[str, str], was: Mapping[str, str]) -> pd.DataFrame:
    rows = [(label, was.get(label, ""), name, before.get(was.get(label, ""), "")) for label, name in now.items()]
    gone = before.keys() - {was.get(label) for label in now}
    rows += [("", label, "", name) for label, name in before.items() if label in gone]
    return pd.DataFrame(rows, columns=_COLUMNS["poles"])


def _compare_histograms(now: pd.DataFrame, before: pd.DataFrame, was: Mapping[str, str]) -> pd.DataFrame:
    """The films in both, by how far the shares moved of the labels that are in both."""
    shares = now.assign(was=[was.get(label, "") for label in now["label"]]).merge(
        before.rename(columns={"label": "was", "share": "was_share"})[["item_id", "was", "was_share"]],
        on=["item_id", "was"],
    )
    shares["moved"] = (shares["share"] - shares["was_share"]).abs()
    most = shares.sort_values("moved", ascending=False).drop_duplicates("item_id")
    total = shares.groupby("item_id")["moved"].sum()
    table = most.assign(moved=most["item_id"].map(total)).sort_values("moved", ascending=False, ignore_index=True)
    return table.loc[table["moved"] > 0, _COLUMNS["histograms"]]


def _metrics(found: Snapshot) -> dict[tuple[str, str], Any]:
    """Single numbers by stage and name."""
    return {
        (manifest.stage, name): value
        for manifest in found.manifests
        if manifest.stage in _MEASURED
        for name, value in manifest.metrics.items()
        if isinstance(value, int | float)
    }


def _settings(found: Snapshot) -> dict[tuple[str, str], str]:
    """Values by stage and name, as JSON; where a stage made several artifacts, each of its values."""
    values: dict[tuple[str, str], set[str]] = {}
    for manifest in found.manifests:
        for name, value in manifest.config.items():
            values.setdefault((manifest.stage, name), set()).add(json.dumps(value, ensure_ascii=False))
    return {place: ", ".join(sorted(each)) for place, each in values.items()}


def _differences(kind: str, before: Mapping[Any, Any], now: Mapping[Any, Any]) -> pd.DataFrame:
    places = list(dict.fromkeys([*now, *before]))
    rows = [(*place, before.get(place), now.get(place)) for place in places if before.get(place) != now.get(place)]
    return pd.DataFrame(rows, columns=["stage", kind, "was", "now"])
