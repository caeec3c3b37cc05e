"""PostgreSQL for tests, as Debian installs it."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_USER, _PASSWORD, _DATABASE = "prefect", "of no use elsewhere", "prefect"


def _programs() -> Path:
    """The folder of PostgreSQL's programs. Skips the test if there is none, except in CI, which installs them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    reason = "no PostgreSQL is installed; what to do: apt-get install postgresql"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def postgresql() -> Iterator[dict[str, str]]:
    """Run a new PostgreSQL on loopback; what is yielded are the settings of a Prefect server that uses it."""
    programs = _programs()
    # It refuses to run as root.
    account = "postgres" if os.geteuid() == 0 else None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # Not below pytest's folder, into which no other account may look.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        data, password = folder / "data", folder / "password"
        password.write_text(_PASSWORD)
        if account:
            shutil.chown(folder, account)

        def run(program: str, *arguments: str | Path) -> None:
            done = subprocess.run(
                [programs / program, *arguments], user=account, cwd=folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr

        # Who reaches the socket may look into the folder; the port asks for the password, as in a team's network.
        access = ("--auth-local=trust", "--auth-host=scram-sha-256", f"--username={_USER}", f"--pwfile={password}")
        run("initdb", *access, "--pgdata", data)
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
        run("pg_ctl", "start", "--wait", "--pgdata", data, "--log", folder / "log", "--options", options)
        try:
            run("createdb", _DATABASE, f"--host={folder}", f"--port={port}", f"--username={_USER}")
            yield {
                f"PREFECT_SERVER_DATABASE_{name}": value
                for name, value in {
                    "DRIVER": "postgresql+asyncpg",
                    "HOST": "127.0.0.1",
                    "PORT": port,
                    "USER": _USER,
                    "PASSWORD": _PASSWORD,
                    "NAME": _DATABASE,
                }.items()
            }
        finally:
            run("pg_ctl", "stop", "--mode=immediate", "--pgdata", data)
    finally:
        shutil.rmtree(folder)
