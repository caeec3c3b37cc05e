"""A server on PostgreSQL behind the proxy, with the settings of `compose.yaml`, that dies while four runs go on."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest
import yaml

from latentflix.artifacts import Handle, Store
from tests.support.nginx import nginx
from tests.support.postgresql import postgresql
from tests.support.prefect_server import ROOT, Server, kill, new_server, running, wait_until

SERVICES = yaml.safe_load((ROOT / "deployments" / "compose.yaml").read_text())["services"]
RUNS = 4
SECONDS_DOWN = 10
SETTINGS: dict[str, Any] = {
    "collab": {"n_factors": 8, "epochs": 2, "batch_size": 2048, "n_seeds": 2, "seeds_per_task": 1},
    "trials": {"models": ["bias"], "weight_decays": [0.1], "n_seeds": 1},
}
# What a deployment needs to be made again under another name.
KEPT = ("flow_id", "work_pool_name", "entrypoint", "path", "pull_steps", "parameter_openapi_schema", "job_variables")


def settings_of(service: str) -> dict[str, str]:
    """What the environment of a service says, except where others are and where its own files lie."""
    given = {name: str(value) for name, value in SERVICES[service]["environment"].items()}
    elsewhere = ("_URL", "_HOST", "_PORT", "_HOME", "_DIRECTORY")
    return {name: re.sub(r"\${\w+:\?}", "secret", given[name]) for name in given if not name.endswith(elsewhere)}


@dataclass(frozen=True)
class Team:
    """A server as its own machine sees it, and as the worker and users see it, through the proxy."""

    server: Server
    client: Server


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with postgresql() as database:
        server = new_server(tmp_path_factory.mktemp("server"), **{**settings_of("server"), **database})
        place = server.url.removeprefix("http://")
        with nginx(tmp_path_factory.mktemp("proxy"), place, server.artifacts, readers="") as proxy:
            shared = {name: value for name, value in server.environment.items() if "PREFECT_SERVER_" not in name}
            environment = {**shared, **settings_of("worker"), "PREFECT_API_URL": f"{proxy.prefect}/api"}
            yield Team(server, replace(server, url=proxy.prefect, environment=environment))


@pytest.fixture(scope="module")
def running_again(team: Team) -> Iterator[list[Any]]:
    """Four runs as they were when all of them ran; then the server was killed, and it is back after a while."""
    with ExitStack() as servers:
        process = servers.enter_context(team.server.running())
        # The worker makes its pool.
        worker = ["worker", "start", "--pool", "latentflix", "--type", "process"]
        with running(worker, team.client.environment, team.client.log):
            wait_until(lambda: team.client.ask("/work_pools/filter", {}), team.client.log)
            team.client.prefect("deploy", "--prefect-file", "deployments/prefect.yaml", "--name", "collab-study")
            deployment = team.client.ask("/deployments/name/collab_study/collab-study")
            at_once = {**{name: deployment[name] for name in KEPT}, "name": "at-once", "concurrency_limit": RUNS}
            made = team.client.ask("/deployments/", at_once)
            started = [start(team.client, made["id"], seed) for seed in range(RUNS)]
            runs = [team.client.wait_for_state(run, "RUNNING") for run in started]
            kill(process)
            time.sleep(SECONDS_DOWN)
            servers.enter_context(team.server.running())
            yield runs


def start(client: Server, deployment_id: str, seed: int) -> str:
    """Start a run of the deployment with a seed of its own; return the run's id."""
    own = {"collab": {**SETTINGS["collab"], "seed": seed}, "artifacts_dir": str(client.artifacts)}
    sent = {"parameters": {"settings": {**SETTINGS, **own}}}
    run_id: str = client.ask(f"/deployments/{deployment_id}/create_flow_run", sent)["id"]
    return run_id


def test_a_run_keeps_its_place_among_those_that_may_go_at_once(team: Team, running_again: list[Any]) -> None:
    leases = {run["state"]["state_details"]["deployment_concurrency_lease_id"] for run in running_again}
    assert len(leases) == RUNS
    assert None not in leases
    for lease in leases:
        # As the run itself does now and then; if the server refuses, the run is ended.
        team.client.ask(f"/v2/concurrency_limits/leases/{lease}/renew", {"lease_duration": 300})


def test_every_run_completes_with_its_artifacts(team: Team, running_again: list[Any]) -> None:
    ended = [team.client.wait_for_end(run["id"]) for run in running_again]
    assert [run["state"]["type"] for run in ended] == ["COMPLETED"] * RUNS, team.client.log.read_text()[-6000:]
    assert [run["run_count"] for run in ended] == [1] * RUNS
    pages = set()
    for run in ended:
        shown = team.client.ask("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
        texts = {artifact["key"]: artifact["data"] for artifact in shown}
        assert {"analysis-metrics", "trials-trials"} <= texts.keys()
        pages |= {
            page for page in (team.client.artifacts / "analysis_page").glob("[!.]*") if page.name in texts["report"]
        }
    assert len(pages) == RUNS
    store = Store(team.client.artifacts)
    problems = [store.find_problem(Handle(stage="analysis_page", key=page.name)) for page in pages]
    assert problems == [None] * RUNS
