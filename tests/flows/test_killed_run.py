"""What a run that is killed leaves: nothing that runs, listens, or is in the way of the next one."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.support.cli import run_ok
from tests.support.prefect_server import PATIENCE, ROOT
from tests.support.small_settings import as_arguments

QUICK = {
    "collab": {"n_factors": 8, "epochs": 2, "batch_size": 2048, "n_seeds": 1},
    "trials": {"models": ["bias"], "weight_decays": [0.1], "n_seeds": 1},
}


def start(folder: Path) -> "subprocess.Popen[bytes]":
    """Start the shortest flow from the command line, with a server of its own."""
    of_the_shell = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    arguments = ["--artifacts-dir", str(folder / "artifacts"), *as_arguments(QUICK)]
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.collab_study", *arguments],
            cwd=ROOT,
            env={**of_the_shell, "PREFECT_HOME": str(folder / "prefect")},
            stdout=log,
            stderr=log,
        )


def unfinished(folder: Path) -> list[Path]:
    return list((folder / "artifacts").glob("*/.*-*"))


def test_a_killed_run_leaves_no_process_and_no_open_port_and_the_next_run_completes(tmp_path: Path) -> None:
    run, deadline = start(tmp_path), time.monotonic() + PATIENCE
    parent = psutil.Process(run.pid)
    while not unfinished(tmp_path):
        assert run.poll() is None, (tmp_path / "log").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started = parent.children(recursive=True)
    ports = {
        each.laddr.port
        for process in started
        for each in process.net_connections("inet")
        if each.status == psutil.CONN_LISTEN
    }
    run.kill()
    run.wait(10)
    left = psutil.wait_procs(started, timeout=30)[1]
    for each in left:
        each.kill()
    assert len(started) >= 1
    assert left == []
    assert len(ports) == 1
    assert not ports & {each.laddr.port for each in psutil.net_connections("inet") if each.status == psutil.CONN_LISTEN}

    assert unfinished(tmp_path) != []
    assert "an artifact that was not finished" in run_ok("doctor", "--clean", "--artifacts-dir", tmp_path / "artifacts")
    assert unfinished(tmp_path) == []
    assert start(tmp_path).wait(PATIENCE) == 0, (tmp_path / "log").read_text()[-3000:]
    assert unfinished(tmp_path) == []
    assert len(list((tmp_path / "artifacts").glob("analysis_page/*/index.html"))) == 1
