"""What changed since the previous report: factors, names, histograms, scores and settings."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
    "factors": ["axis", "previous", "correlation", "holds", "previous_holds"],
    "poles": ["label", "previous", "name", "previous_name"],
    "histograms": ["item_id", "change", "label", "share", "previous_share"],
    "metrics": ["stage", "metric", "previous", "current"],
    "settings": ["stage", "setting", "previous", "current"],
}
# The stages whose metrics say how a run went.
_MEASURED = ("factors", "reviews", "language_model", "evaluation", "label_evaluation")


class ChangesConfig(StageConfig):
    """When a factor counts as one that the previous report had, and how much is listed."""

    same_from: float = setting(0.7, "least |r| over the items for two factors to count as the same", ge=0, le=1)
    n_items: int = setting(12, "items listed, those whose histograms changed most", ge=0)


@dataclass(frozen=True)
class Snapshot:
    """What one report found, as the stages wrote it, and the manifests of everything that it is made of.

    holds: index axis, bool; whether reviews predict the factor; empty if the report does not say.
    """

    scores: pd.DataFrame
    holds: pd.Series
    names: Mapping[str, str]
    shares: pd.DataFrame
    manifests: Sequence[Manifest]


@dataclass(frozen=True)
class Changes:
    """How a report differs from the previous one.

    Attributes:
        since: when the previous report was made, in UTC; None if there is none, and then every table is empty.
        factors: axis, previous (its axis in the previous report, "" if it is new), correlation (|r| over the items in
            both; 0 if there is none), holds and previous_holds (boolean; missing if unknown).
        poles: label, previous, name, previous_name; one row per pole that has or had a name, "" where it is missing.
        histograms: item_id, change (the sum over the labels of the changes of their shares), and label, share,
            previous_share of the label that changed most; the item that changed most first.
        metrics: stage, metric, previous, current; only those that differ.
        settings: stage, setting, previous, current as JSON; only those that differ.
    """

    since: str | None
    factors: pd.DataFrame
    poles: pd.DataFrame
    histograms: pd.DataFrame
    metrics: pd.DataFrame
    settings: pd.DataFrame

    @property
    def renamed(self) -> pd.DataFrame:
        """The rows of `poles` whose name differs from the previous one."""
        return self.poles[self.poles["name"] != self.poles["previous_name"]]


def find_previous(store: Store, present: Sequence[Handle]) -> tuple[Handle, ...]:
    """The artifacts of the newest report that was made from other ones than `present`, of the same stages, if any.

    Reports with missing or altered artifacts are skipped. The result depends on what the reports are made from, so a
    report that is made again is compared with the same one.
    """
    for run in list_runs(store):
        found = tuple(run.handles[handle.stage] for handle in present if handle.stage in run.handles)
        if len(found) == len(present) and found != tuple(present) and not any(map(store.find_problem, found)):
            with suppress(ArtifactError):
                lineage(store, found)
                return found
    return ()


def read_snapshot(store: Store, handles: Sequence[Handle]) -> Snapshot:
    """Read what one report found, from its artifacts of factors, evaluation, names and histograms."""
    factors, evaluation, names, histograms = handles
    judged = store.read_table(evaluation, "axes")
    return Snapshot(
        scores=store.read_table(factors, "scores"),
        # Reports of earlier versions judged labels only.
        holds=judged["holds"] if "holds" in judged else pd.Series(dtype=bool),
        names=store.read_json(names, "names"),
        shares=store.read_table(histograms, "shares"),
        manifests=lineage(store, handles),
    )


def lineage(store: Store, handles: Sequence[Handle]) -> list[Manifest]:
    """The manifests of artifacts and of everything they were made of, each once. Raises as `Store.manifest` does."""
    found: dict[Handle, Manifest] = {}
    waiting = list(handles)
    while waiting:
        handle = waiting.pop()
        if handle not in found:
            found[handle] = store.manifest(handle)
            waiting.extend(found[handle].input_handles)
    return sorted(found.values(), key=lambda manifest: (manifest.made_at, manifest.stage, manifest.key))


def compare_snapshots(current: Snapshot, previous: Snapshot | None, config: ChangesConfig) -> Changes:
    """Compare two reports, with factors matched by where the items stand, and names by the poles of those factors."""
    if previous is None:
        return Changes(None, **{name: pd.DataFrame(columns=columns) for name, columns in _COLUMNS.items()})
    factors = _match(current.scores, previous.scores, config.same_from)
    partners = {
        f"{axis}{pole}": f"{match.previous}{pole if match.sign > 0 else POLES[pole == POLES[0]]}"
        for axis, match in factors[factors["previous"] != ""].iterrows()
        for pole in POLES
    }
    previous_of = {label: partners.get(label, "") for label in current.names}
    poles = [(label, own, current.names[label], previous.names.get(own, "")) for label, own in previous_of.items()]
    gone = [label for label in previous.names if label not in previous_of.values()]
    poles += [("", label, "", previous.names[label]) for label in gone]
    return Changes(
        since=max(manifest.made_at for manifest in previous.manifests),
        factors=factors.drop(columns="sign")
        .assign(
            holds=current.holds.astype("boolean").reindex(factors.index),
            previous_holds=previous.holds.astype("boolean").reindex(factors["previous"]).array,
        )
        .reset_index(),
        poles=pd.DataFrame(poles, columns=_COLUMNS["poles"]),
        histograms=_compare_histograms(current.shares, previous.shares, partners).head(config.n_items),
        metrics=_differences("metrics", _metrics(previous), _metrics(current)),
        settings=_differences("settings", _settings(previous), _settings(current)),
    )


def _match(current: pd.DataFrame, previous: pd.DataFrame, same_from: float) -> pd.DataFrame:
    """Each current axis with its previous one, |r| and sign over the items in both: index axis."""
    items = current.index.intersection(previous.index)
    table = pd.DataFrame({"previous": "", "correlation": 0.0, "sign": 1.0}, index=current.columns.rename("axis"))
    if len(items) < 3:
        return table
    left, right = (scores.loc[items].to_numpy(float) for scores in (current, previous))
    partners, strengths = match_axes(left, right)
    for row in np.flatnonzero(partners >= 0):
        same = strengths[row] >= same_from
        sign = np.sign(np.corrcoef(left[:, row], right[:, partners[row]])[0, 1]) if same else 1.0
        table.iloc[row] = [str(previous.columns[partners[row]]) if same else "", float(strengths[row]), float(sign)]
    return table


def _compare_histograms(current: pd.DataFrame, previous: pd.DataFrame, partners: Mapping[str, str]) -> pd.DataFrame:
    """The items in both reports, by how much the shares of the labels in both changed."""
    left = current.assign(partner=[partners.get(label, "") for label in current["label"]])
    right = previous.rename(columns={"label": "partner", "share": "previous_share"})
    shares = left.merge(right[["item_id", "partner", "previous_share"]], on=["item_id", "partner"])
    shares["change"] = (shares["share"] - shares["previous_share"]).abs()
    most = shares.sort_values("change", ascending=False).drop_duplicates("item_id")
    total = shares.groupby("item_id")["change"].sum()
    table = most.assign(change=most["item_id"].map(total)).sort_values("change", ascending=False, ignore_index=True)
    return table.loc[table["change"] > 0, _COLUMNS["histograms"]]


def _metrics(snapshot: Snapshot) -> dict[tuple[str, str], Any]:
    """Single numbers by stage and name."""
    return {
        (manifest.stage, name): value
        for manifest in snapshot.manifests
        if manifest.stage in _MEASURED
        for name, value in manifest.metrics.items()
        if isinstance(value, int | float)
    }


def _settings(snapshot: Snapshot) -> dict[tuple[str, str], str]:
    """Values by stage and name, as JSON; where a stage made several artifacts, each of its values."""
    values: dict[tuple[str, str], set[str]] = {}
    for manifest in snapshot.manifests:
        for name, value in manifest.config.items():
            values.setdefault((manifest.stage, name), set()).add(json.dumps(value, ensure_ascii=False))
    return {place: ", ".join(sorted(each)) for place, each in values.items()}


def _differences(table: str, previous: Mapping[Any, Any], current: Mapping[Any, Any]) -> pd.DataFrame:
    places = list(dict.fromkeys([*current, *previous]))
    rows = [(*place, previous.get(place), current.get(place)) for place in places]
    return pd.DataFrame([row for row in rows if row[-2] != row[-1]], columns=_COLUMNS[table])
