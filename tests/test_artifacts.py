import errno
import fcntl
import json
import logging
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentflix import artifacts
from latentflix.artifacts import MANIFEST, Handle, Store
from latentflix.config import StageConfig, setting
from latentflix.errors import ArtifactError

ROOT = Path(__file__).parents[1]
HANDLE = Handle(stage="numbers", key="0123456789abcdef0123")
INPUT = Handle(stage="before", key="aaaaaaaaaaaaaaaaaaaa")
TABLE = pd.DataFrame(
    {"item": ["Shining, The (1980)", "Misérables, Les (1995)"], "stars": np.array([4, 5], np.int8)},
    index=pd.Index([200, 1135], name="item_id"),
)
VALUE = {"axis": "3+", "items": ["Amélie"], "share": 0.25}
ARRAYS = {"factors": np.arange(6, dtype=np.float32).reshape(2, 3), "ids": np.array([7, 8], np.int64)}


class Count(StageConfig):
    n: int = setting(1, "how many")


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


def fill(artifact):
    artifact.write_table("table", TABLE)
    artifact.write_json("value", VALUE)
    artifact.write_arrays("arrays", ARRAYS)
    artifact.metrics["rows"] = 2


def refuse(_):
    raise AssertionError("made again")


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


SCRIPT_IMPORTS = """
import sys, time
from pathlib import Path
from latentflix.artifacts import Handle, Store
from latentflix.config import StageConfig
"""


def run_script(script, *arguments):
    command = [sys.executable, "-c", SCRIPT_IMPORTS + script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


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


KILLED = """
def write(artifact):
    artifact.write_json("value", 1)
    file = (artifact.folder / "more.json").open("w")
    file.write("[1, 2")
    file.flush()
    print("writing", flush=True)
    time.sleep(600)

Store(Path(sys.argv[1])).ensure(Handle(stage="numbers", key=sys.argv[2]), [], StageConfig(), write)
"""


def test_a_process_that_is_killed_leaves_no_artifact(store):
    process = run_script(KILLED, store.root, HANDLE.key)
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    process.stdout.close()
    left = [path.name for path in (store.root / "numbers").iterdir()]
    assert len(left) == 1
    assert left[0].startswith(f".{HANDLE.key}-")
    store.ensure(HANDLE, {}, Count(), fill)
    assert store.find_problem(HANDLE) is None
    assert store.read_json(HANDLE, "value") == VALUE


# Both wait within the stage's work until the other is there too, so that both come to its end together.
TOGETHER = """
root, me, other, rounds = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
for number in range(rounds):
    with Store(root).new(Handle(stage="numbers", key=f"{number:020}"), {}, StageConfig()) as artifact:
        for file in range(20):
            artifact.write_json(f"value_{file}", file)
        (root / f"{me}{number}").touch()
        deadline = time.monotonic() + 10
        while not (root / f"{other}{number}").exists():
            if time.monotonic() > deadline:
                sys.exit("the other did not come")
            time.sleep(0.0005)
print("done")
"""


def run_both(script, *arguments):
    """What two processes that run a script at the same time print."""
    processes = [run_script(script, *each) for each in arguments]
    try:
        return [(process.communicate(timeout=60)[0], process.returncode) for process in processes]
    finally:
        for process in processes:
            process.kill()


def damage_all(store, handles):
    for damaged in (store.path(handle) for handle in handles):
        damaged.mkdir(parents=True)
        for file in range(500):
            (damaged / f"rest_{file}").touch()


@pytest.mark.parametrize("damaged", [False, True], ids=["missing", "damaged"])
def test_two_processes_may_make_or_mend_one_artifact_at_once_where_nothing_can_be_locked(tmp_path, damaged):
    handles = [Handle(stage="numbers", key=f"{number:020}") for number in range(10)]
    store = Store(tmp_path)
    damage_all(store, handles if damaged else [])
    ends = run_both(TOGETHER, *((tmp_path, *names, len(handles)) for names in (("a", "b"), ("b", "a"))))
    assert ends == [("done\n", 0)] * 2
    assert [store.find_problem(handle) for handle in handles] == [None] * 10
    assert len(list((tmp_path / "numbers").iterdir())) == 10


# Each also reads what is there already: it must not vanish while the other comes to the same key.
SAME_KEYS = """
root, rounds = Path(sys.argv[1]), int(sys.argv[2])
for number in range(rounds):
    def write(artifact):
        artifact.write_json("value", number)
        print("made", number, flush=True)
    handle = Handle(stage="numbers", key=f"{number:020}")
    assert Store(root).ensure(handle, {}, StageConfig(), write) == handle
    assert Store(root).read_json(handle, "value") == number
"""


@pytest.mark.parametrize("damaged", [False, True], ids=["missing", "damaged"])
def test_of_two_processes_that_need_one_artifact_one_makes_it_and_the_other_reads_it(tmp_path, damaged):
    handles = [Handle(stage="numbers", key=f"{number:020}") for number in range(100)]
    store = Store(tmp_path)
    damage_all(store, handles[:10] if damaged else [])
    ends = run_both(SAME_KEYS, *[(tmp_path, len(handles))] * 2)
    assert [code for _, code in ends] == [0, 0]
    made = sorted(line for text, _ in ends for line in text.splitlines())
    assert made == sorted(f"made {number}" for number in range(len(handles)))
    assert [store.find_problem(handle) for handle in handles] == [None] * len(handles)
    assert len(list((tmp_path / "numbers").iterdir())) == len(handles)


def test_a_thread_that_needs_what_another_makes_says_that_it_waits_and_takes_it(store, caplog):
    started = threading.Event()

    def write_slowly(artifact):
        started.set()
        time.sleep(0.3)
        fill(artifact)

    with ThreadPoolExecutor() as pool, caplog.at_level(logging.INFO, "latentflix"):
        first = pool.submit(store.ensure, HANDLE, {}, Count(), write_slowly)
        assert started.wait(10)
        assert store.ensure(HANDLE, {}, Count(), refuse) == HANDLE
        assert first.result(10) == HANDLE
    assert "numbers: waiting for another run that is making the same" in caplog.text


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_the_file_system_has_no_locks_an_artifact_is_made_all_the_same(store, monkeypatch, caplog, number):
    monkeypatch.setattr(fcntl, "flock", mock.Mock(side_effect=OSError(number, os.strerror(number))))
    store.ensure(HANDLE, {}, Count(), fill)
    assert store.find_problem(HANDLE) is None
    assert f"the file system of {store.lock(HANDLE)} has no locks" in caplog.text


@pytest.mark.usefixtures("folder")
def test_files_that_vanish_while_they_are_checked_are_a_problem_not_an_error(store, monkeypatch):
    def replaced(path):
        shutil.rmtree(path.parent)
        return artifacts.hashlib.file_digest(path.open("rb"), "sha256")

    monkeypatch.setattr(artifacts, "file_sha256", replaced)
    assert "No such file" in store.find_problem(HANDLE)


FULL_DISK = """
import resource, signal
import numpy as np, pandas as pd
from latentflix.errors import ArtifactError

numbers = np.random.default_rng(0).random(100_000)
write = {
    "write_table": lambda artifact: artifact.write_table("x", pd.DataFrame({"x": numbers})),
    "write_json": lambda artifact: artifact.write_json("x", numbers.tolist()),
    "write_arrays": lambda artifact: artifact.write_arrays("x", {"x": numbers}),
    "a file of the stage's own": lambda artifact: (artifact.folder / "x.png").write_bytes(numbers.tobytes()),
    "the manifest": lambda artifact: artifact.metrics.update(x=numbers.tolist()),
}[sys.argv[2]]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    Store(Path(sys.argv[1])).ensure(Handle(stage="numbers", key="k"), [], StageConfig(), write)
except ArtifactError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "what", ["write_table", "write_json", "write_arrays", "a file of the stage's own", "the manifest"]
)
def test_a_full_disk_is_told_and_nothing_is_left(tmp_path, what):
    process = run_script(FULL_DISK, tmp_path, what)
    message = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    expected = (
        rf"an artifact cannot be written; where: {tmp_path}/numbers/k; found: .*File too large.*; "
        r"what to do: raise the limit of a file's size, or name another folder with --artifacts-dir"
    )
    assert re.match(expected, message)
    assert list((tmp_path / "numbers").iterdir()) == []


@pytest.mark.parametrize("place", ["file/artifacts", "/proc/artifacts"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, place):
    (tmp_path / "file").write_text("no folder")
    root = tmp_path / place
    with pytest.raises(ArtifactError, match=rf"an artifact cannot be written; where: {root}.*--artifacts-dir"):
        Store(root).ensure(HANDLE, {}, Count(), refuse)


ADVICE = {
    errno.ENOSPC: "free some space, or name another folder with --artifacts-dir",
    errno.EACCES: "give yourself the right to read and write there, or name another folder with --artifacts-dir",
    errno.EROFS: "make the file system writable, or name another folder with --artifacts-dir",
    errno.EEXIST: "move the file that is where a folder should be, or name another folder with --artifacts-dir",
}


@pytest.mark.parametrize("number", ADVICE)
def test_the_advice_fits_what_the_system_refuses(store, monkeypatch, number):
    refused = OSError(number, os.strerror(number))
    expected = f"found: .*{os.strerror(number)}.*what to do: {ADVICE[number]}$"
    for name in ("latentflix.artifacts.wait_for_lock", "latentflix.artifacts.hidden_folder", "numpy.asarray"):
        with monkeypatch.context() as patched, pytest.raises(ArtifactError, match=expected):
            patched.setattr(name, mock.Mock(side_effect=refused))
            store.ensure(HANDLE, {}, Count(), fill)


def test_what_may_not_be_read_is_not_said_to_be_broken(store, folder, monkeypatch):
    refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    monkeypatch.setattr(artifacts, "file_sha256", mock.Mock(side_effect=refused))
    with pytest.raises(
        ArtifactError, match=r"cannot be read; .*Permission denied; what to do: give yourself the right"
    ):
        store.read_json(HANDLE, "value")
    monkeypatch.setattr(Path, "read_text", mock.Mock(side_effect=refused))
    with pytest.raises(
        ArtifactError, match=r"cannot be read; .*Permission denied; what to do: give yourself the right"
    ):
        store.manifest(HANDLE)


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
