"""Prefect's temporary server, which a run starts for itself if no other is named: it ends with the run."""

import os
import subprocess
import sys

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import get_current_settings

# The run holds the other end of the server's standard input, which the kernel closes when the run ends.
_SERVE = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(1)), daemon=True).start()
from uvicorn.main import main
main()
"""


def end_server_with_run() -> None:
    """Have Prefect start its temporary server so that it ends with this process, even if that is killed."""
    SubprocessASGIServer._run_uvicorn_command = _start  # type: ignore[method-assign, assignment]


def _start(server: SubprocessASGIServer) -> "subprocess.Popen[bytes]":
    """Start the server as Prefect 3.8 does, but for its standard input."""
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    return subprocess.Popen(
        [
            *(sys.executable, "-P", "-c", _SERVE),
            *("--factory", "prefect.server.api.server:create_app"),
            *("--host", "127.0.0.1", "--port", str(server.port)),
            *("--log-level", "error", "--lifespan", "on"),
        ],
        stdin=subprocess.PIPE,
        env={**os.environ, "PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
        | settings,
    )
