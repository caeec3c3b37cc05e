"""Several runs at a time against a server on PostgreSQL, as a team has it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from latentflix.artifacts import Handle, Store
from tests.support.postgresql import postgresql
from tests.support.prefect_server import Server, kill, new_server, running

RUNS = 4
SECONDS_DOWN = 10
QUICK = {
    "collab": {"n_factors": 8, "epochs": 2, "batch_size": 2048, "n_seeds": 2, "seeds_per_task": 1},
    "trials": {"models": ["bias"], "weight_decays": [0.1], "n_seeds": 1},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with postgresql() as database:
        yield new_server(folder, **database)


@pytest.fixture(scope="module")
def ended(server: Server) -> list[Any]:
    """Four runs, after the server was killed while all of them ran, and started again."""
    with server.running() as process:
        server.prefect("work-pool", "create", "latentflix", "--type", "process")
        server.prefect("deploy", "--prefect-file", "deployments/prefect.yaml", "--name", "collab-study")
        deployment = server.ask("/deployments/name/collab_study/collab-study")
        server.prefect("deployment", "ls")
        with running(["worker", "start", "--pool", "latentflix"], server.environment, server.log):
            runs = []
            for seed in range(RUNS):
                settings = {**QUICK, "collab": {**QUICK["collab"], "seed": seed}, "artifacts_dir": str(server.artifacts)}
                run = server.ask(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": {"settings": settings}})
                runs.append(run["id"])
            for run in runs:
                server.wait_for_state(run, "RUNNING")
            kill(process)
            time.sleep(SECONDS_DOWN)
            with server.running():
                yield [server.wait_for_end(run) for run in runs]


def test_it(server, ended):
    assert [run["state"]["type"] for run in ended] == ["COMPLETED"] * RUNS, server.log.read_text()[-6000:]
