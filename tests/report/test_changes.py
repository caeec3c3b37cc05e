import numpy as np
import pandas as pd
import pytest

from latentflix.artifacts import Handle
from latentflix.report.changes import Changes, ChangesConfig, Snapshot, compare_snapshots, find_previous, lineage
from tasks.report import compare_with_previous
from tests.support.factories import artifacts
from tests.support.factories.report import make_axis_scores, make_manifest

ITEMS = pd.Index(range(40), name="item_id")
SCORES = pd.DataFrame(np.linalg.qr(np.random.default_rng(0).normal(size=(40, 3)))[0], ITEMS, ["1", "2", "3"])
STAGES = ("factors", "evaluation", "names", "histograms")
NEW = tuple(Handle(stage=stage, key="new") for stage in STAGES)


def make_shares(labels, **by_item):
    rows = [(item, label, by_item.get(f"item_{item}", 0.5)) for item in range(5) for label in labels]
    return pd.DataFrame(rows, columns=["item_id", "label", "share"])


def make_snapshot(scores=SCORES, names=None, shares=None, manifests=(), holds=()):
    shares = make_shares(["1+", "1-"]) if shares is None else shares
    return Snapshot(scores, pd.Series(dict(holds), dtype=bool), names or {}, shares, manifests or [MADE])


MADE = make_manifest("evaluation", {"seed": 0}, {"auc": 0.6, "null": None, "reviews": 10})


def compare(current, previous, **config):
    return compare_snapshots(current, previous, ChangesConfig(**config))


def test_since_is_when_the_previous_run_ended_and_without_one_all_tables_are_empty():
    changes = compare(make_snapshot(names={"1+": "war"}), None)
    assert changes.since is None
    for table in (changes.factors, changes.poles, changes.histograms, changes.metrics, changes.settings):
        assert table.empty
        assert len(table.columns) >= 3
    manifests = [MADE.model_copy(update={"made_at": f"2026-01-0{day}T00:00:00Z"}) for day in (2, 3, 1)]
    assert compare(make_snapshot(), make_snapshot(manifests=manifests)).since == "2026-01-03T00:00:00Z"


def test_factors_are_matched_by_their_items_whatever_their_number_and_sign():
    previous = pd.DataFrame({"1": SCORES["3"], "2": -SCORES["1"], "3": SCORES["2"]})
    found = compare(make_snapshot(), make_snapshot(previous)).factors.set_index("axis")
    assert found["previous"].to_dict() == {"1": "2", "2": "3", "3": "1"}
    assert found["correlation"].tolist() == pytest.approx([1, 1, 1])


def test_a_factor_says_whether_it_holds_and_whether_the_one_that_it_was_did():
    previous = pd.DataFrame({"1": -SCORES["2"], "2": SCORES["1"]})
    now = make_snapshot(holds={"1": True, "2": False, "3": True})
    found = compare(now, make_snapshot(previous, holds={"1": True, "2": False})).factors
    assert found["holds"].tolist() == [True, False, True]
    assert found["previous_holds"].tolist() == [False, True, pd.NA]
    # A report of an earlier version does not say.
    assert compare(now, make_snapshot(previous)).factors["previous_holds"].isna().all()


def test_items_are_matched_by_their_id_and_only_those_in_both_count():
    some, none = SCORES.iloc[::-1].iloc[:30].rename(index={39: 1000}), SCORES.set_axis(ITEMS + 1000)
    assert compare(make_snapshot(), make_snapshot(some)).factors["previous"].tolist() == ["1", "2", "3"]
    assert compare(make_snapshot(), make_snapshot(none)).factors["previous"].tolist() == ["", "", ""]


@pytest.mark.parametrize(("same_from", "previous"), [(0.99, ["1", "2", ""]), (0.0, ["1", "2", "3"])])
def test_a_factor_without_one_like_it_is_new(same_from, previous):
    other = np.random.default_rng(1).normal(size=40)
    changes = compare(make_snapshot(), make_snapshot(SCORES.assign(**{"3": other})), same_from=same_from)
    assert changes.factors["previous"].tolist() == previous
    assert changes.factors["correlation"].iloc[2] == pytest.approx(abs(np.corrcoef(SCORES["3"], other)[0, 1]))


def test_a_name_is_compared_with_that_of_the_pole_where_the_same_items_stood():
    previous = pd.DataFrame({"1": SCORES["2"], "2": -SCORES["1"]})
    changes = compare(
        make_snapshot(names={"1+": "war", "1-": "love", "3+": "odd"}),
        make_snapshot(previous, {"2+": "love", "2-": "battle", "1+": "blue", "1-": "red"}),
    )
    rows = changes.poles.fillna("").to_dict("split")["data"]
    assert rows == [
        ["1+", "2-", "war", "battle"],
        ["1-", "2+", "love", "love"],
        ["3+", "", "odd", ""],
        ["", "1+", "", "blue"],
        ["", "1-", "", "red"],
    ]


def test_the_items_whose_histograms_changed_most_come_first():
    current = make_shares(["1+", "1-"], item_1=0.9, item_3=0.6)
    current.loc[(current["item_id"] == 3) & (current["label"] == "1-"), "share"] = 0.0
    earlier = make_snapshot(SCORES.rename(columns={"1": "2", "2": "1"}), shares=make_shares(["2+", "2-"]))
    histograms = compare(make_snapshot(shares=current), earlier, n_items=5).histograms
    assert histograms["item_id"].tolist() == [1, 3]
    assert histograms["change"].tolist() == pytest.approx([0.8, 0.6])
    assert histograms.iloc[1][["label", "share", "previous_share"]].tolist() == ["1-", 0.0, 0.5]
    assert len(compare(make_snapshot(shares=current), earlier, n_items=1).histograms) == 1


def test_only_what_differs_is_among_scores_and_settings():
    previous = [
        make_manifest("evaluation", {"seed": 0, "old": [1]}, {"auc": 0.5, "null": None, "reviews": 10}),
        *(make_manifest("collab", {"first_seed": seed}, {"rmse": 0.9}) for seed in (16, 0)),
    ]
    current = [
        MADE,
        make_manifest("collab", {"first_seed": 0}, {"rmse": 0.8}),
        make_manifest("reviews", {}, {"items": 3}),
    ]
    changes = compare(make_snapshot(manifests=current), make_snapshot(manifests=previous))
    metrics = {(row.stage, row.metric): (row.previous, row.current) for row in changes.metrics.itertuples()}
    assert metrics.keys() == {("evaluation", "auc"), ("reviews", "items")}
    assert metrics["evaluation", "auc"] == (0.5, 0.6)
    assert pd.isna(metrics["reviews", "items"][0])
    settings = {(row.stage, row.setting): (row.previous, row.current) for row in changes.settings.itertuples()}
    assert settings.keys() == {("collab", "first_seed"), ("evaluation", "old")}
    assert settings["collab", "first_seed"] == ("0, 16", "0")
    assert settings["evaluation", "old"][0] == "[1]"
    assert pd.isna(settings["evaluation", "old"][1])


def put(store, stage, key, inputs=(), made_at="2026-01-01T00:00:00Z", **parts):
    return artifacts.put(store, stage, key, inputs, made_at=made_at, values={"names": {"1+": key}}, **parts)


def put_run(store, key, day, base=None):
    tables = {
        "factors": {"scores": SCORES},
        "evaluation": {"axes": make_axis_scores({axis: (0.3, 0.01, axis != "2") for axis in SCORES})},
        "histograms": {"shares": make_shares(["1+", "1-"])},
    }
    base = base or put(store, "ratings", f"r{key}")
    found = tuple(put(store, stage, f"{stage}{key}", [base], tables=tables.get(stage, {})) for stage in STAGES)
    put(store, "report", f"report{key}", [base, *found], f"2026-01-{day:02}T00:00:00Z")
    return found


def test_the_previous_report_is_the_newest_that_was_made_of_something_else(store):
    assert find_previous(store, NEW) == ()
    first = put_run(store, "a", 1)
    assert find_previous(store, first) == ()
    second = put_run(store, "b", 2)
    assert find_previous(store, NEW) == second
    assert [find_previous(store, own) for own in (first, second)] == [second, first]
    # A report that is made again is compared with the same one as before.
    put(store, "report", "again", second, "2026-01-03T00:00:00Z")
    assert [find_previous(store, own) for own in (first, second)] == [second, first]


@pytest.mark.parametrize("missing", ["factors/factorsb/scores.parquet", "ratings/rb/manifest.json"])
def test_reports_that_are_incomplete_cannot_be_read_or_are_being_written_are_skipped(store, missing):
    first, _ = put_run(store, "a", 1), put_run(store, "b", 2)
    (store.root / missing).unlink()
    for name in ("broken", ".half"):
        folder = store.root / "report" / name
        folder.mkdir()
        (folder / "manifest.json").write_text("{")
    assert find_previous(store, NEW) == first


def test_a_lineage_has_every_artifact_once(store):
    base = put(store, "ratings", "r")
    found = put_run(store, "a", 1, base)
    stages = [manifest.stage for manifest in lineage(store, [*found, found[0]])]
    assert sorted(stages) == sorted([*STAGES, "ratings"])


def test_the_stage_writes_what_a_report_reads(store):
    first, second = put_run(store, "a", 1), put_run(store, "b", 2)
    config = ChangesConfig()
    for current, previous in ((second, first), (second, ())):
        inputs = compare_with_previous.bind({**dict(zip(STAGES, current, strict=True)), "previous": previous})
        changes = store.read(compare_with_previous.run(store, inputs, config), Changes)
        assert changes.since == ("2026-01-01T00:00:00Z" if previous else None)
        assert changes.factors["holds"].tolist() == ([True, False, True] if previous else [])
        assert changes.factors["previous_holds"].tolist() == ([True, False, True] if previous else [])
        names = changes.poles[["name", "previous_name"]].to_numpy().tolist()
        assert names == ([["namesb", "namesa"]] if previous else [])
