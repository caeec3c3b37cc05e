import errno
import json
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentflix import artifacts
from latentflix.artifacts import MANIFEST, Handle, Store
from latentflix.errors import ArtifactError
from tests.support.numbers import ARRAYS, HANDLE, INPUT, TABLE, VALUE, Count, fill, refuse


@dataclass(frozen=True)
class Part:
    values: np.ndarray
    config: Count
    names: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    table: pd.DataFrame
    series: pd.Series
    array: np.ndarray
    weights: dict[str, np.ndarray]
    folds: dict[str, dict[str, np.ndarray]]
    names: dict[str, str]
    most_frequent: tuple[str, ...]
    since: str | None
    part: Part
    share: float


def names_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def assert_same_arrays(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.fixture
def folder(store):
    store.ensure(HANDLE, {"before": (INPUT,)}, Count(n=3), fill)
    return store.path(HANDLE)


@pytest.mark.usefixtures("folder")
def test_tables_values_and_arrays_come_back_with_their_types(store):
    pd.testing.assert_frame_equal(store.read_table(HANDLE, "table"), TABLE)
    assert store.read_json(HANDLE, "value") == VALUE
    assert_same_arrays(store.read_arrays(HANDLE, "arrays"), ARRAYS)


@pytest.mark.parametrize(
    "array",
    [
        ARRAYS["factors"].T,
        np.asfortranarray(ARRAYS["factors"]),
        ARRAYS["factors"][:, ::2],
        torch.tensor(ARRAYS["factors"]),
    ],
    ids=["transposed", "columns first", "every other column", "of torch"],
)
def test_an_array_of_another_layout_comes_back_as_it_looks(store, array):
    store.ensure(HANDLE, {}, Count(), lambda artifact: artifact.write_arrays("arrays", {"of.it": array}))
    assert_same_arrays(store.read_arrays(HANDLE, "arrays"), {"of.it": np.asarray(array)})


def test_tables_come_back_by_name_and_their_rows_are_counted(store):
    store.ensure(HANDLE, {}, Count(), lambda artifact: artifact.write_tables({"items": TABLE, "none": TABLE.head(0)}))
    pd.testing.assert_frame_equal(store.read_table(HANDLE, "items"), TABLE)
    assert store.manifest(HANDLE).metrics == {"items_rows": 2, "none_rows": 0}


def test_a_dataclass_comes_back_field_by_field_and_one_within_it_too(store):
    folds = {"0": ARRAYS, "1": {"ids": np.array([9])}, "2": {}}
    series = pd.Series([0, 1], pd.Index([5, 7], name="item_id"), name="fold")
    part = Part(np.array([1.5, -2]), Count(n=7), ("a", "b"))
    result = Result(TABLE, series, ARRAYS["ids"], ARRAYS, folds, {"1+": "funny"}, ("1+",), None, part, 0.25)
    store.ensure(HANDLE, {}, Count(), lambda artifact: artifact.write(result))
    found = store.read(HANDLE, Result)
    pd.testing.assert_frame_equal(found.table, TABLE)
    pd.testing.assert_series_equal(found.series, series)
    assert_same_arrays({"array": found.array, **found.weights}, {"array": ARRAYS["ids"], **ARRAYS})
    assert [*found.folds] == [*folds]
    for name, arrays in folds.items():
        assert_same_arrays(found.folds[name], arrays)
    assert (found.names, found.most_frequent, found.since, found.share) == ({"1+": "funny"}, ("1+",), None, 0.25)
    for read in (found.part, store.read_field(HANDLE, Result, "part")):
        assert (read.values.tolist(), read.config, read.names) == ([1.5, -2], Count(n=7), ("a", "b"))
    assert (store.path(HANDLE) / "part_values.safetensors").is_file()
    assert store.read_field(HANDLE, Result, "share") == 0.25


def test_the_manifest_says_what_made_the_artifact_in_json_that_anyone_can_read(store, folder):
    manifest = store.manifest(HANDLE)
    assert (manifest.stage, manifest.key, manifest.inputs) == ("numbers", HANDLE.key, {"before": (INPUT,)})
    assert (manifest.config, manifest.metrics) == ({"n": 3}, {"rows": 2})
    assert sorted(manifest.files) == ["arrays.safetensors", "table.parquet", "value.json"]
    assert manifest.versions["torch"] == torch.__version__.split("+")[0]
    assert 0 <= manifest.seconds < 60
    read = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert read["files"]["value.json"] == artifacts.file_sha256(folder / "value.json")
    assert read["inputs"] == {"before": [{"stage": "before", "key": INPUT.key}]}


def test_an_artifact_of_an_older_layout_is_made_anew(store, folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "inputs": [{"stage": "before", "key": INPUT.key}]}))
    assert "a manifest cannot be read" in store.find_problem(HANDLE)
    store.ensure(HANDLE, {"before": (INPUT,)}, Count(n=3), fill)
    assert store.manifest(HANDLE).inputs == {"before": (INPUT,)}


def test_files_in_folders_within_count_as_well(store):
    def draw(artifact):
        (artifact.folder / "items").mkdir()
        (artifact.folder / "items" / "1.png").write_bytes(b"picture")

    store.ensure(HANDLE, {}, Count(), draw)
    assert store.file(HANDLE, "items/1.png").read_bytes() == b"picture"
    (store.path(HANDLE) / "items" / "1.png").write_bytes(b"other")
    assert "1.png was altered" in store.find_problem(HANDLE)


def test_nothing_is_there_until_the_body_ends(store):
    with store.new(HANDLE, {}, Count()) as artifact:
        fill(artifact)
        assert not store.path(HANDLE).exists()
        assert "there is no such artifact" in store.find_problem(HANDLE)
    assert names_below(store.path(HANDLE)) == ["arrays.safetensors", MANIFEST, "table.parquet", "value.json"]
    assert [path.name for path in (store.root / "numbers").iterdir()] == [HANDLE.key]
    assert store.find_problem(HANDLE) is None


@pytest.mark.parametrize(
    "error",
    [
        ValueError("not a number"),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        FileNotFoundError(errno.ENOENT, "No such file", "somewhere else"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_body_passes_as_it_is_and_leaves_nothing(store, error):
    def fail(artifact):
        fill(artifact)
        raise error

    with pytest.raises(type(error)) as caught:
        store.ensure(HANDLE, {}, Count(), fail)
    assert caught.value is error
    assert list((store.root / "numbers").iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_what_is_there_is_not_made_again(store):
    assert store.ensure(HANDLE, {"before": (INPUT,)}, Count(n=3), refuse) == HANDLE
    assert store.read_json(HANDLE, "value") == VALUE


def alter_a_file(folder):
    (folder / "value.json").write_text("{}")


def make_the_manifest_a_folder(folder):
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()


def make_the_folder_a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("no folder")


def put_another_artifact_in_its_place(folder):
    other = Handle(stage="numbers", key="ffffffffffffffffffff")
    store = Store(folder.parents[1])
    store.ensure(other, {}, Count(), lambda artifact: artifact.write_json("value", "of another"))
    shutil.rmtree(folder)
    shutil.copytree(store.path(other), folder)


DAMAGES = {
    "an altered file": (alter_a_file, "value.json was altered"),
    "another file": (lambda folder: (folder / "notes.txt").write_text("mine"), "notes.txt"),
    "a removed file": (lambda folder: (folder / "table.parquet").unlink(), "table.parquet"),
    "no manifest": (lambda folder: (folder / MANIFEST).unlink(), MANIFEST),
    "a truncated manifest": (lambda folder: os.truncate(folder / MANIFEST, 100), "a manifest cannot be read"),
    "another manifest": (lambda folder: (folder / MANIFEST).write_text('{"stage": "a"}'), "a manifest cannot be read"),
    "no text": (lambda folder: (folder / MANIFEST).write_bytes(b"\xff\xfe\x00"), "a manifest cannot be read"),
    "a folder as manifest": (make_the_manifest_a_folder, MANIFEST),
    "a file as folder": (make_the_folder_a_file, MANIFEST),
    "another artifact": (put_another_artifact_in_its_place, "ffffffffffffffffffff"),
}


@pytest.mark.parametrize(("damage", "named"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_named_and_mended(store, folder, damage, named, caplog):
    damage(folder)
    assert named in store.find_problem(HANDLE)
    store.ensure(HANDLE, {"before": (INPUT,)}, Count(n=3), fill)
    assert store.find_problem(HANDLE) is None
    assert store.read_json(HANDLE, "value") == VALUE
    assert "numbers is made anew" in caplog.text


def test_an_altered_file_is_not_read(store, folder):
    before = artifacts.file_sha256(folder / "value.json")
    alter_a_file(folder)
    with pytest.raises(ArtifactError) as caught:
        store.read_json(HANDLE, "value")
    for part in (str(folder / "value.json"), before, artifacts.file_sha256(folder / "value.json"), "run the flow"):
        assert part in str(caught.value)


def test_a_missing_artifact_a_missing_file_and_one_that_the_manifest_does_not_name_are_not_read(store, folder):
    with pytest.raises(ArtifactError, match=rf"no such artifact.*before/{INPUT.key}"):
        store.read_table(INPUT, "table")
    (folder / "more.json").write_text("1")
    with pytest.raises(ArtifactError, match=r"more\.json.*expected: a file that its manifest names"):
        store.read_json(HANDLE, "more")
    (folder / "table.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"table\.parquet.*no such file"):
        store.read_table(HANDLE, "table")


def test_a_value_that_is_no_json_is_refused_and_leaves_nothing(store):
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.ensure(HANDLE, {}, Count(), lambda artifact: artifact.write_json("value", float("nan")))
    assert names_below(store.root / "numbers") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=10,
)
NO_INPUTS = {"stage": "numbers", "key": HANDLE.key, "inputs": {}, "config": {}, "files": {}, "metrics": {}}
MANIFESTS = st.fixed_dictionaries(
    {
        name: st.just(value) | JSON
        for name, value in {**NO_INPUTS, "versions": {}, "made_at": "2025", "seconds": 1.0}.items()
    },
    optional={"more": JSON},
)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.binary() | (JSON | MANIFESTS).map(lambda value: json.dumps(value).encode()))
def test_whatever_a_manifest_holds_it_is_read_or_refused(data):
    with TemporaryDirectory() as root:
        store = Store(Path(root))
        store.path(HANDLE).mkdir(parents=True)
        (store.path(HANDLE) / MANIFEST).write_bytes(data)
        try:
            read = store.manifest(HANDLE)
        except ArtifactError:
            assert "a manifest cannot be read" in store.find_problem(HANDLE)
        else:
            assert (store.find_problem(HANDLE) is None) == (
                (read.stage, read.key, read.files) == ("numbers", HANDLE.key, {})
            )


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.text(), st.text())
def test_a_manifest_may_name_inputs_that_no_path_can_name(stage, key):
    with TemporaryDirectory() as root:
        store = Store(Path(root))
        with pytest.raises(ArtifactError):
            store.manifest(Handle(stage=stage, key=key))


@pytest.mark.parametrize("mask, rights", [(0o022, 0o755), (0o077, 0o700)])
def test_the_umask_says_who_may_read_an_artifact(tmp_path, mask, rights):
    before = os.umask(mask)
    try:
        Store(tmp_path).ensure(HANDLE, {}, Count(), lambda artifact: artifact.write_json("x", 1))
    finally:
        os.umask(before)
    assert stat.S_IMODE(Store(tmp_path).path(HANDLE).stat().st_mode) == rights
