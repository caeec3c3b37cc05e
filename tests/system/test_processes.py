"""What a killed process leaves running: nothing."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]

STARTED = {
    "processes that train together": """
import time
from latentflix.text.distributed import run_processes
run_processes(2, time.sleep, 600)
""",
    "processes that tokenise": """
import latentflix.text.token_corpus as token_corpus
with token_corpus._processes(2) as tokenise:
    list(tokenise(["one two"] * 100 for _ in range(10**9)))
""",
    "a pool": """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import sleep
from latentflix.system.processes import end_with_parent
with ProcessPoolExecutor(2, get_context("spawn"), end_with_parent) as pool:
    list(pool.map(sleep, (600, 600)))
""",
    "a Dask cluster": """
from time import sleep
from distributed import Client, LocalCluster
with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
    sleeping = [client.submit(sleep, seconds) for seconds in (600, 601)]
    sleep(600)
""",
}


def workers(parent: psutil.Process) -> list[psutil.Process]:
    return [each for each in parent.children(recursive=True) if "spawn_main" in " ".join(each.cmdline())]


@pytest.mark.parametrize("script", STARTED.values(), ids=STARTED.keys())
def test_processes_end_with_the_one_that_started_them_even_if_it_is_killed(script: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    parent, deadline = psutil.Process(process.pid), time.monotonic() + 60
    try:
        while len(workers(parent)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        # Let them begin to work.
        time.sleep(1)
        started = parent.children(recursive=True)
    finally:
        process.kill()
        process.wait(10)
    left = psutil.wait_procs(started, timeout=30)[1]
    for each in left:
        each.kill()
    assert [each.cmdline() for each in left] == []
