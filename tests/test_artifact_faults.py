"""Artifacts when a process is killed, when two make the same one, and when the system refuses to write."""

import errno
import fcntl
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest

from latentflix import artifacts
from latentflix.artifacts import Handle, Store
from latentflix.errors import ArtifactError
from tests.support.numbers import HANDLE, INPUT, VALUE, Count, fill, refuse

ROOT = Path(__file__).parents[1]


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
