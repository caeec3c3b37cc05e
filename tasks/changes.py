"""What differs from the last report."""

from latentflix.report.changes import Changes, ChangesConfig, Found, compare_findings, lineage
from tasks.stage import Artifact, Handle, Store, stage


@stage("changes", "changes")
def compare_with_last(
    artifact: Artifact,
    store: Store,
    factors: Handle,
    evaluation: Handle,
    names: Handle,
    histograms: Handle,
    *last: Handle,
    config: ChangesConfig,
) -> None:
    """Compare what was found with what the last report was made of, given as the same four artifacts or none."""
    now = _read_found(store, factors, evaluation, names, histograms)
    before = _read_found(store, *last) if last else None
    changes = compare_findings(now, before, config)
    artifact.write_table_fields(changes)
    artifact.metrics["since"] = changes.since


def _read_found(store: Store, factors: Handle, evaluation: Handle, names: Handle, histograms: Handle) -> Found:
    return Found(
        scores=store.read_table(factors, "scores"),
        names=store.read_json(names, "names"),
        shares=store.read_table(histograms, "shares"),
        manifests=lineage(store, [factors, evaluation, names, histograms]),
    )


def read_changes(store: Store, handle: Handle) -> Changes:
    """The changes of a changes artifact."""
    return Changes(since=store.manifest(handle).metrics["since"], **store.read_table_fields(handle, Changes))
