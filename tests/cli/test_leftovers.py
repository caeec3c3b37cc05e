import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

from latentflix.artifacts import CHECKPOINTS, Handle
from latentflix.cli.leftovers import sweep
from latentflix.config import StageConfig
from latentflix.errors import ArtifactError
from latentflix.system import locks

KILLED, FINISHED, STOPPED, LEFT = (Handle(stage="numbers", key=digit * 20) for digit in "abcd")


def checkpoint(store, handle):
    folder = store.root / CHECKPOINTS / handle.stage / handle.key
    folder.mkdir(parents=True)
    (folder / "training.safetensors").write_bytes(b"12345")
    return folder


@pytest.fixture
def left(store):
    """What runs left: an artifact that was not finished, its rest, and checkpoints that are not needed any more."""
    store.ensure(FINISHED, {}, StageConfig(), lambda artifact: artifact.write_json("value", 1))
    unfinished = [store.root / "numbers" / f".{KILLED.key}-{end}" for end in ("k_9x", "k_9x-old")]
    for folder in unfinished:
        (folder / "deeper").mkdir(parents=True)
        (folder / "deeper" / "value.json").write_bytes(b"123")
    checkpoint(store, STOPPED)
    old = checkpoint(store, LEFT)
    week_ago = time.time() - 8 * 24 * 60 * 60
    for path in (old, old / "training.safetensors"):
        os.utime(path, (week_ago, week_ago))
    return [*unfinished, checkpoint(store, FINISHED), old]


def test_what_no_run_uses_is_found_and_then_removed(store, left):
    before = set(store.root.rglob("*"))
    found = list(sweep(store, remove=False))
    assert set(store.root.rglob("*")) == before
    assert [(each.path, each.size) for each in found] == list(zip(left, (3, 3, 5, 5), strict=True))
    assert list(sweep(store, remove=True)) == found
    assert not any(path.exists() for path in left)
    assert list(sweep(store, remove=True)) == []
    assert store.find_problem(FINISHED) is None
    assert (store.root / CHECKPOINTS / "numbers" / STOPPED.key / "training.safetensors").exists()


def test_what_a_live_run_uses_is_not_touched(store, left):
    started, ends = threading.Event(), threading.Event()

    def make(artifact):
        artifact.write_json("value", 1)
        started.set()
        assert ends.wait(30)

    with ThreadPoolExecutor() as pool:
        running = pool.submit(store.ensure, KILLED, {}, StageConfig(), make)
        assert started.wait(30)
        try:
            assert [each.path for each in sweep(store, remove=True)] == left[2:]
            assert len(list((store.root / "numbers").glob(f".{KILLED.key}-*"))) == 3
        finally:
            ends.set()
        running.result()
    assert store.read_json(KILLED, "value") == 1
    assert [each.path for each in sweep(store, remove=True)] == left[:2]


@pytest.mark.usefixtures("left")
def test_without_locks_nothing_is_removed(store, monkeypatch):
    monkeypatch.setattr(locks.FileLock, "acquire", mock.Mock(side_effect=OSError(38, "Function not implemented")))
    before = set(store.root.rglob("*"))
    with pytest.raises(ArtifactError, match="found: a file system without locks"):
        list(sweep(store, remove=True))
    assert before <= set(store.root.rglob("*"))
