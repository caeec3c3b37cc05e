"""The deployments, on a server and a process worker that the test starts and stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.flows.small import SMALL_SETTINGS

ROOT = Path(__file__).parents[2]
PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]


@dataclass(frozen=True)
class Server:
    environment: dict[str, str]
    log: Path

    def prefect(self, *arguments: str, timeout: float = 120) -> str:
        done = subprocess.run(
            [*PREFECT, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def running(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("a") as file:
        process = subprocess.Popen(
            [*PREFECT, *arguments], env=environment, cwd=ROOT, stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    of_the_shell = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = {**of_the_shell, "PREFECT_HOME": str(folder), "PREFECT_API_URL": url, "COLUMNS": "200"}
    with running(["server", "start", "--host", "127.0.0.1", "--port", str(port)], environment, folder / "log"):
        deadline = time.monotonic() + 120
        while True:
            try:
                urlopen(f"{url}/health", timeout=2).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.5)
        yield Server(environment, folder / "log")


def test_a_worker_runs_the_deployed_flow_to_completion(server: Server, tmp_path: Path) -> None:
    server.prefect("work-pool", "create", "latentflix", "--type", "process")
    server.prefect("deploy", "--prefect-file", "deployments/prefect.yaml", "--all")
    deployed = server.prefect("deployment", "ls").replace("│", " ").split()
    others = ("collab_study/collab-study", "genres/genres", "refresh_reviews/refresh-reviews", "sentiment/sentiment")
    assert {"full/sample", "full/full", *others} <= set(deployed)
    settings = {**SMALL_SETTINGS, "artifacts_dir": str(tmp_path / "artifacts")}
    with running(["worker", "start", "--pool", "latentflix"], server.environment, server.log):
        server.prefect(
            *("deployment", "run", "full/sample", "--params", json.dumps({"settings": settings})),
            *("--watch", "--watch-timeout", "400"),
            timeout=420,
        )
    (page,) = (tmp_path / "artifacts" / "report").glob("*/index.html")
    assert "What the factors mean" in page.read_text(encoding="utf-8")


def test_settings_out_of_bounds_are_refused_before_a_run_starts(server: Server) -> None:
    settings = {"collab": {"epochs": -1}}
    with pytest.raises(AssertionError, match="(?s)epochs.*minimum|minimum.*epochs|less than"):
        server.prefect("deployment", "run", "full/sample", "--params", json.dumps({"settings": settings}))
