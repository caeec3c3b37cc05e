"""A server on PostgreSQL behind the proxy, with the settings of `compose.yaml`, that dies while four runs go on."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from latentflix.artifacts import Handle, Store
from tests.support.nginx import nginx
from tests.support.postgresql import postgresql
from tests.support.prefect_server import ROOT, Server, kill, new_server, running

SERVICES = yaml.safe_load((ROOT / "deployments" / "compose.yaml").read_text())["services"]
RUNS = 4
SECONDS_DOWN = 10
SETTINGS = {
    "collab": {"n_factors": 8, "epochs": 2, "batch_size": 2048, "n_seeds": 2, "seeds_per_task": 1},
    "trials": {"models": ["bias"], "weight_decays": [0.1], "n_seeds": 1},
}


def settings_of(service: str) -> dict[str, str]:
    """The environment of a service, without what says where another one is."""
    filled = {name: re.sub(r"\${\w+:\?}", "secret", str(value)) for name, value in SERVICES[service]["environment"].items()}
    return {name: value for name, value in filled.items() if not name.endswith(("_URL", "_HOST", "_PORT", "_HOME"))}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as its own machine sees it; it does not run yet."""
    with postgresql() as database:
        yield new_server(tmp_path_factory.mktemp("server"), **{**settings_of("server"), **database})


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same server as the worker and users see it, through the proxy."""
    folder = tmp_path_factory.mktemp("proxy")
    with nginx(folder, server.url.removeprefix("http://"), server.artifacts, "") as proxy:
        of_the_server = [name for name in server.environment if name.startswith("PREFECT_SERVER_")]
        environment = {name: value for name, value in server.environment.items() if name not in of_the_server}
        address = {"PREFECT_API_URL": f"{proxy.prefect}/api"}
        yield replace(server, url=proxy.prefect, environment={**environment, **settings_of("worker"), **address})


@pytest.fixture(scope="module")
def ended(server: Server, client: Server) -> Iterator[list[Any]]:
    """Four runs after their end: the server was killed while all of them ran, and started again after a while."""
    with server.running() as process:
        client.prefect("work-pool", "create", "latentflix", "--type", "process")
        client.prefect("deploy", "--prefect-file", "deployments/prefect.yaml", "--name", "collab-study")
        deployment = client.ask("/deployments/name/collab_study/collab-study")
        same = ("flow_id", "work_pool_name", "entrypoint", "path", "pull_steps", "parameter_openapi_schema", "job_variables")
        made = {**{name: deployment[name] for name in same}, "name": "at-once", "concurrency_limit": RUNS}
        address = f"/deployments/{client.ask('/deployments/', made)['id']}/create_flow_run"
        with running(["worker", "start", "--pool", "latentflix"], client.environment, client.log):
            runs = []
            for seed in range(RUNS):
                changed = {"collab": {**SETTINGS["collab"], "seed": seed}, "artifacts_dir": str(client.artifacts)}
                runs.append(client.ask(address, {"parameters": {"settings": {**SETTINGS, **changed}}})["id"])
            for run in runs:
                client.wait_for_state(run, "RUNNING")
            kill(process)
            time.sleep(SECONDS_DOWN)
            with server.running():
                for run in runs:
                    found = client.ask(f"/flow_runs/{run}")
                    lease = found["state"]["state_details"]["deployment_concurrency_lease_id"]
                    print(found["state"]["type"], lease)
                    client.ask(f"/v2/concurrency_limits/leases/{lease}/renew", {"lease_duration": 300})
                yield [client.wait_for_end(run) for run in runs]


def test_it(client, ended):
    assert [run["state"]["type"] for run in ended] == ["COMPLETED"] * RUNS, client.log.read_text()[-6000:]
    for run in ended:
        found = client.ask("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
        print(sorted(a["key"] for a in found))
