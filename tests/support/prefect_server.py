"""A Prefect server for tests: what it does besides answering, how it is started, and how it is asked."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]
PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]
# What is waited for comes within seconds, unless the machine has other work to do.
PATIENCE = 300
# Services that write to the server's database beside the requests, and that no test needs. SQLite does not let a
# transaction that has read go on to write if another has written meanwhile, however long it would wait: the server
# answers 503.
_UNUSED_SERVICES = (
    *("CANCELLATION_CLEANUP", "CLEANUP_RECONCILER", "EVENT_PERSISTER", "FOREMAN", "LATE_RUNS", "PAUSE_EXPIRATIONS"),
    *("REPOSSESSOR", "SCHEDULER", "TRIGGERS"),
)
QUIET_SERVER = {
    **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _UNUSED_SERVICES},
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
    "PREFECT_SERVER_LOG_RETRYABLE_ERRORS": "true",
}
_RETRIES = 8


def when_not_busy(ask: Callable[[], tuple[int, Any]]) -> tuple[int, Any]:
    """Ask, and ask again while the server answers 503 because its database is busy, as Prefect's own client does.

    Args:
        ask: what asks; it returns the status and the body of the answer.

    Returns:
        The first answer with another status, or the last one.
    """
    for retry in range(_RETRIES):
        status, body = ask()
        if status != HTTPStatus.SERVICE_UNAVAILABLE:
            return status, body
        time.sleep(min(0.5 * 2**retry, 10))
    return ask()


def wait_until(condition: Callable[[], Any], log: Path) -> Any:
    """Wait for a condition to hold, and return its value; fail with the end of the log if it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.5)
    return value


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and those that it started, as a machine does that loses its power."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def running(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of Prefect's in the background."""
    with log.open("a") as file:
        process = subprocess.Popen(
            [*PREFECT, *arguments], env=environment, cwd=ROOT, stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                kill(process)


@dataclass(frozen=True)
class Server:
    """A server on one port of this machine; whether it runs or not, its database and its folder stay.

    environment: of the server and of all that works with it.
    """

    url: str
    environment: dict[str, str]
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def prefect(self, *arguments: str) -> None:
        """Run a command of Prefect's to its end."""
        done = subprocess.run(
            [*PREFECT, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def ask(self, path: str, sent: Any = None) -> Any:
        """What the server's API answers, to what is sent if anything is."""
        data = None if sent is None else json.dumps(sent).encode()
        user = base64.b64encode(self.environment.get("PREFECT_API_AUTH_STRING", "").encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {user}"}
        request = Request(f"{self.url}/api{path}", data, headers)

        def once() -> tuple[int, Any]:
            try:
                with urlopen(request) as answer:
                    body = answer.read()
                    return answer.status, json.loads(body) if body else None
            except HTTPError as error:
                return error.code, error.read().decode()

        status, body = when_not_busy(once)
        assert status < HTTPStatus.BAD_REQUEST, f"{path}: {status} {body}\n{self.log.read_text()[-3000:]}"
        return body

    def answers(self) -> bool:
        try:
            return bool(self.ask("/health"))
        except OSError:
            return False

    def wait_for_state(self, run_id: str, *states: str) -> Any:
        """Wait for the run of a flow to be in one of these states, and return it."""

        def arrived() -> Any:
            run = self.ask(f"/flow_runs/{run_id}")
            return run if run["state"]["type"] in states else None

        return wait_until(arrived, self.log)

    def wait_for_end(self, run_id: str) -> Any:
        """Wait for the run of a flow to end, and return it."""
        return self.wait_for_state(run_id, "COMPLETED", "FAILED", "CRASHED", "CANCELLED")

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the server, from when it answers on."""
        host, port = self.url.removeprefix("http://").split(":")
        start = ["server", "start", "--host", host, "--port", port]
        with running(start, self.environment, self.log) as process:
            wait_until(self.answers, self.log)
            yield process


def new_server(folder: Path, **environment: str) -> Server:
    """A server whose files lie in `folder`, on a free port; it does not run yet."""
    url = f"http://127.0.0.1:{free_port()}"
    of_the_shell = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    own = {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_API_URL": f"{url}/api",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }
    return Server(url, {**of_the_shell, **own, **environment}, folder)


@contextmanager
def serve(folder: Path, **environment: str) -> Iterator[Server]:
    """Run a server on SQLite whose files lie in `folder`."""
    server = new_server(folder, **QUIET_SERVER, **environment)
    with server.running():
        yield server
