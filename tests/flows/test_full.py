"""The full flow, in a world whose factors are known and on real data."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from flows.full import full
from latentflix.artifacts import Handle, Store
from latentflix.errors import DataError
from latentflix.factors.classifiers import Classifiers
from latentflix.factors.predictor import PositionPredictor
from latentflix.factors.stability import match_axes
from latentflix.runs import find_last_run
from latentflix.settings import FullSettings
from tests.support.cli import run_ok
from tests.support.small_settings import SMALL_SETTINGS, as_arguments
from tests.support.synthetic_run import HASTY, RATING_STAGES, SYNTHETIC, Run, copy_stages, run_synthetic, write_ratings
from tests.support.synthetic_world import World, shuffle_links

STAGES = (
    *("datasets", "ratings", "collab", "trials", "analysis", "halves", "factors", "labels", "reviews", "documents"),
    *(
        "token_corpus",
        "language_model",
        "topics",
        "repeats",
        "positions",
        "reader",
        "fold",
        "classifier",
        "predictions",
    ),
    *(
        "baseline",
        "network",
        "evaluation",
        "label_evaluation",
        "comparison",
        "axis_comparison",
        "names",
        "tags",
        "histograms",
        "user_groups",
        "changes",
        "report",
    ),
)


def test_the_true_factors_are_recovered_and_stable(synthetic_run: Run, world: World) -> None:
    scores = synthetic_run.table("factors", "scores")
    partner, strength = match_axes(world.true_factors.loc[scores.index].to_numpy(), scores.to_numpy())
    assert sorted(partner) == [0, 1, 2]
    assert strength.min() >= 0.95
    assert synthetic_run.table("factors", "axes")["stability"].min() >= 0.95


def test_labels_of_held_out_items_are_predicted_from_their_reviews(synthetic_run: Run) -> None:
    headline = synthetic_run.result.headline
    assert headline["auc"] >= 0.9
    assert headline["auc_low"] > headline["auc_null"] + 3 * headline["auc_null_sd"]
    assert headline["auc_p"] < 0.01
    assert headline["words_auc"] >= 0.9


def test_the_words_that_mark_a_pole_name_it(synthetic_run: Run, world: World) -> None:
    scores = synthetic_run.table("factors", "scores")
    true_factors = world.true_factors.loc[scores.index]
    partner, _ = match_axes(true_factors.to_numpy(), scores.to_numpy())
    terms = synthetic_run.table("names", "terms")
    for factor, axis in zip(true_factors.columns, scores.columns[partner], strict=True):
        same_sign = np.corrcoef(true_factors[factor], scores[axis])[0, 1] > 0
        for pole in "+-":
            marking = world.words[factor, pole if same_sign else "-+"["+-".index(pole)]]
            best = terms.loc[terms["label"] == f"{axis}{pole}", "term"].head(4)
            assert all(any(word in marking for word in term.split()) for term in best), (factor, pole)


def test_tags_confirm_the_words_of_a_pole_and_the_page_shows_them(synthetic_run: Run, world: World) -> None:
    label = find_label(synthetic_run, world, "A", "+")
    tags, confirmed = (synthetic_run.table("tags", name).set_index("label") for name in ("tags", "confirmed"))
    assert set(tags.loc[[label], "tag"]) & set(world.words["A", "+"][:3])
    assert label in confirmed.index
    axes = synthetic_run.table("tags", "axes")
    assert axes.loc[label[:-1], "agreement"] > 0.5
    assert axes.loc[label[:-1], "agreement_p"] < 0.05
    page = Path(synthetic_run.result.report).read_text()
    assert "what people tagged films at this pole with" in page
    assert "Where reviews put unseen films, where tags put them" in page


def test_users_of_a_side_lean_to_its_pole_and_the_page_shows_them(synthetic_run: Run, world: World) -> None:
    leanings = synthetic_run.table("user_groups", "leanings").set_index(["label", "column", "group"])
    for pole, side in (("+", "right"), ("-", "left")):
        found = leanings.loc[(find_label(synthetic_run, world, "A", pole), "side", side)]
        assert found["holds"]
        assert found["lean_low"] > 0.2
    assert not leanings.xs("shelf", level="column")["holds"].any()
    page = Path(synthetic_run.result.report).read_text()
    assert "groups that lean to this pole" in page
    assert "Which groups of users lean to which pole" in page


def test_kinds_of_axes_are_compared_if_asked_and_the_runs_own_is_as_stable_as_in_the_run(synthetic_run: Run) -> None:
    kinds, axes = synthetic_run.table("axis_comparison", "kinds"), synthetic_run.table("factors", "axes")
    assert kinds.index.tolist() == ["pca", "none"]
    assert kinds.loc["pca", ["stable", "stability"]].tolist() == [axes["stable"].sum(), axes["stability"].mean()]
    assert kinds.loc["pca", ["hold", "names_hold"]].tolist() == [3, 6]
    assert kinds.loc["pca", "stability"] > kinds.loc["none", "stability"]
    assert "Kinds of axes" in Path(synthetic_run.result.report).read_text(encoding="utf-8")


def find_label(run: Run, world: World, factor: str, pole: str) -> str:
    """The label of a pole of a true factor."""
    scores = run.table("factors", "scores")
    true_factors = world.true_factors.loc[scores.index]
    partner, _ = match_axes(true_factors.to_numpy(), scores.to_numpy())
    axis = scores.columns[partner[list(true_factors.columns).index(factor)]]
    same_sign = np.corrcoef(true_factors[factor], scores[axis])[0, 1] > 0
    return f"{axis}{pole if same_sign else '-+'['+-'.index(pole)]}"


def test_items_far_out_get_the_label_of_their_pole_and_their_reviews_vote_for_it(
    synthetic_run: Run, world: World
) -> None:
    label = find_label(synthetic_run, world, "A", "+")
    furthest = world.true_factors["A"].nlargest(5).index
    items = synthetic_run.table("labels", "items")
    assert set(furthest) <= set(items.loc[items["label"] == label, "item_id"])
    shares = synthetic_run.table("histograms", "shares").set_index(["item_id", "label"])
    assert (shares.loc[[(item, label) for item in furthest], "lift"] > 1).all()
    opposite = shares.loc[[(item, label) for item in world.true_factors["A"].nsmallest(5).index], "lift"]
    assert opposite.mean() < 0.5
    # Items that stand nowhere have no label, and their reviews are read all the same.
    middle = world.true_factors.abs().max(axis=1).idxmin()
    assert middle not in set(items["item_id"])
    assert middle in synthetic_run.store.read_field(synthetic_run.handle("classifier"), Classifiers, "folds").index
    assert middle in shares.index


def test_a_text_of_the_words_of_a_pole_is_predicted_to_stand_there(synthetic_run: Run, world: World) -> None:
    predictor = PositionPredictor.load(synthetic_run.store, find_last_run(synthetic_run.store))
    words = world.words["B", "-"][:4]
    text = " ".join(words)
    first = predictor.describe(text, predictor.predict([text]).iloc[0])[0]
    assert first["label"] == find_label(synthetic_run, world, "B", "-")
    assert set(words) == {word for term in first["words"] for word in term.split()}


def test_with_shuffled_links_the_score_falls_to_chance(synthetic_run: Run, world: World, tmp_path: Path) -> None:
    # The links are part of the items, so `datasets` and `ratings` are made anew.
    copy_stages(synthetic_run, tmp_path, *RATING_STAGES)
    shuffled = run_synthetic(shuffle_links(world, seed=3), tmp_path)
    headline = shuffled.result.headline
    assert (headline["factors_that_hold"], headline["names_that_hold"]) == (0, 0)
    assert abs(headline["mean_rho"]) < 0.25
    assert abs(headline["auc"] - 0.5) < 0.15
    assert headline["auc_p"] > 0.01


def test_a_users_own_ratings_give_the_same_tables(synthetic_run: Run, world: World, tmp_path: Path) -> None:
    own = run_synthetic(world, tmp_path, ratings_source=write_ratings(world, tmp_path), **HASTY)
    assert own.store.manifest(own.handle("ratings")).inputs == {
        "source": (own.handle("ratings_source"),),
        "links": (),
    }
    assert set(own.result.seconds) == {*STAGES, "ratings_source"} - {"axis_comparison"}
    for name in ("ratings", "items", "users"):
        pd.testing.assert_frame_equal(own.table("ratings", name), synthetic_run.table("ratings", name))


def test_a_set_without_links_is_read_with_all_reviews_and_plots(world: World, tmp_path: Path) -> None:
    settings = {
        "ratings_source": {"data_set": "movielens_1m", "links": "movielens_latest_small"},
        "reviews": {"corpus": "large_movie_reviews"},
        "documents": {"plots": True},
        "classifier": {**HASTY["classifier"], "max_reviews_per_item": 4},
    }
    run = run_synthetic(world, tmp_path, **(HASTY | settings))
    links = run.store.manifest(run.handle("ratings")).metrics["links"]
    items = len(world.items)
    assert links == {
        "same id, title and year as in movielens_latest_small": items - 1,
        "same title and year as in movielens_100k": 1,
    }
    assert run.table("reviews", "reviews")["item_id"].nunique() == items
    assert run.table("evaluation", "kinds")["items"].to_dict() == {"review": items, "data_plot": items // 2}
    held_out = run.store.read_field(run.handle("classifier"), Classifiers, "held_out")
    assert len(held_out) == 4 * items
    html = Path(run.result.report).read_text()
    assert "same id, title and year as in movielens_latest_small" in html
    assert "what is left of it if no text of a kind is read" in html
    assert "More can be read" not in html


def test_a_second_run_takes_everything_from_the_cache(synthetic_run: Run, world: World) -> None:
    again = run_synthetic(world, synthetic_run.store.root.parent)
    assert again.result.cached == dict.fromkeys(STAGES, True)
    assert again.result.report == synthetic_run.result.report


def test_an_altered_artifact_is_made_anew(synthetic_run: Run, world: World, tmp_path: Path) -> None:
    copy_stages(synthetic_run, tmp_path)
    (labels,) = (tmp_path / "artifacts" / "labels").glob("*/items.parquet")
    original = labels.read_bytes()
    labels.write_bytes(original[:-1] + b"x")
    again = run_synthetic(world, tmp_path)
    assert again.made == {"labels"}
    assert labels.read_bytes() == original


def test_a_changed_classifier_setting_runs_the_classifier_and_what_depends_on_it(
    synthetic_run: Run, world: World, tmp_path: Path
) -> None:
    copy_stages(synthetic_run, tmp_path)
    changed = {**SYNTHETIC["classifier"], "all_epochs": 1}
    again = run_synthetic(world, tmp_path, classifier=changed)
    assert again.made == {*STAGES[STAGES.index("fold") :]} - {"axis_comparison", "names", "tags", "user_groups"}
    page = Path(again.result.report).read_text(encoding="utf-8")
    assert re.search(r"classifier\.all_epochs</th><td[^>]*>8</td><td[^>]*>1</td>", page)
    assert re.findall(r'<a href="#factor-(\d)">\1</a></th><td>(\d|new)</td><td>1\.00</td>', page) == [
        *(("1", "1"), ("2", "2"), ("3", "3"))
    ]
    # A report is not compared with itself.
    third = run_synthetic(world, tmp_path, classifier=changed)
    assert third.made == set()
    assert third.result.report == again.result.report


def test_the_report_shows_every_stage_and_every_item(synthetic_run: Run, world: World) -> None:
    page = Path(synthetic_run.result.report).read_text(encoding="utf-8")
    folder = Path(synthetic_run.result.report).parent
    parts_of_others = {"topics", "repeats", "fold"}
    assert all(f"<summary>{stage}" in page for stage in {*STAGES} - parts_of_others - {"report"})
    pictures = re.findall(r'src="(items/\d+\.png)"', page)
    assert len(pictures) == len(world.item_titles)
    assert all((folder / picture).stat().st_size > 1000 for picture in pictures)
    assert not re.search(r'(?:src|href)="https?://[^"]*\.(?:js|css|png)', page)


def test_a_missing_data_set_fails_the_flow_and_leaves_no_artifact(prefect: None, tmp_path: Path) -> None:
    (tmp_path / "ml-100k.zip").write_bytes(b"not the archive")
    settings = FullSettings(artifacts_dir=tmp_path / "artifacts", data_dir=tmp_path)
    with pytest.raises(DataError, match="ml-100k.zip.*found: md5 .*expected: md5 0e33842e"):
        full(settings)
    assert list((tmp_path / "artifacts").glob("[!.]*/*")) == []


def start(folder: Path) -> "subprocess.Popen[str]":
    """Start the flow on real data from the command line, with a server of its own."""
    settings = ["--artifacts-dir", str(folder / "artifacts"), *as_arguments(SMALL_SETTINGS)]
    environment = {**os.environ, "PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": ""}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.full", "--json", *settings],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("a"),
        text=True,
    )


def artifacts(folder: Path) -> dict[str, int]:
    return {
        str(path.parent.relative_to(folder)): path.stat().st_mtime_ns
        for path in (folder / "artifacts").glob("*/[!.]*/manifest.json")
    }


def unfinished(folder: Path) -> list[Path]:
    return list((folder / "artifacts").glob("*/.*-*"))


def listening_sockets() -> list[Any]:
    return [each for each in psutil.net_connections("inet") if each.status == psutil.CONN_LISTEN]


@dataclass(frozen=True)
class Killed:
    """A killed run: its folder, its artifacts, and the processes that it had started with their ports."""

    folder: Path
    artifacts: dict[str, int]
    started: list[psutil.Process]
    ports: set[int]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    """A run on real data that was killed while it trained the language model."""
    folder = tmp_path_factory.mktemp("killed")
    run, deadline = start(folder), time.monotonic() + 300
    while not list((folder / "artifacts").glob("language_model/.*-*")):
        assert run.poll() is None, (folder / "log").read_text()[-3000:]
        assert time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
        time.sleep(0.05)
    started = psutil.Process(run.pid).children(recursive=True)
    pids = {process.pid for process in started}
    ports = {each.laddr.port for each in listening_sockets() if each.pid in pids}
    run.kill()
    run.wait(10)
    yield Killed(folder, artifacts(folder), started, ports)
    for each in started:
        with suppress(psutil.NoSuchProcess):
            each.kill()


def test_a_killed_run_leaves_no_process_and_no_open_port(killed: Killed) -> None:
    assert len(killed.started) >= 1
    assert psutil.wait_procs(killed.started, timeout=30)[1] == []
    assert len(killed.ports) == 1
    assert not killed.ports & {each.laddr.port for each in listening_sockets()}


def test_what_a_killed_run_did_not_finish_is_swept_away(killed: Killed) -> None:
    assert unfinished(killed.folder) != []
    swept = run_ok("doctor", "--clean", "--artifacts-dir", killed.folder / "artifacts")
    assert "an artifact that was not finished" in swept
    assert unfinished(killed.folder) == []
    assert artifacts(killed.folder) == killed.artifacts


def test_a_run_on_real_data_continues_after_a_sigkill(killed: Killed) -> None:
    assert {name.split("/")[1] for name in killed.artifacts} == set(STAGES[: STAGES.index("language_model")])
    process = start(killed.folder)
    output, _ = process.communicate(timeout=500)
    assert process.returncode == 0, (killed.folder / "log").read_text()[-3000:]
    result = json.loads(output.splitlines()[-1])
    after = artifacts(killed.folder)
    assert killed.artifacts.items() <= after.items()
    # MovieLens 100K has no tags.
    assert set(result["seconds"]) == {*STAGES} - {"axis_comparison", "tags"}
    assert result["headline"]["reviews"] == 1174
    assert result["headline"]["items"] == 88
    assert Path(result["report"]).is_file()
    store = Store(killed.folder / "artifacts")
    handles = [Handle(stage=stage, key=key) for _, stage, key in (Path(name).parts for name in after)]
    assert {store.find_problem(handle) for handle in handles} == {None}
    assert unfinished(killed.folder) == []
