"""PostgreSQL for tests, as Debian installs it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.debian import missing
from tests.support.prefect_server import free_port

_USER, _PASSWORD, _DATABASE = "prefect", "of no use elsewhere", "prefect"


def _programs() -> Path:
    """The folder of PostgreSQL's programs, which Debian keeps out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else missing("PostgreSQL", "postgresql")


@contextmanager
def postgresql() -> Iterator[dict[str, str]]:
    """Run a new PostgreSQL on loopback; what is yielded are the settings of a Prefect server that uses it."""
    programs = _programs()
    # It refuses to run as root.
    root = os.geteuid() == 0
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if root else {}
    port = str(free_port())
    # Not below pytest's folder, into which no other account may look.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        data, password = folder / "data", folder / "password"
        password.write_text(_PASSWORD)
        if root:
            shutil.chown(folder, "postgres")

        def run(program: str, *arguments: str | Path) -> None:
            command = [programs / program, *arguments]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **account)
            assert done.returncode == 0, done.stdout + done.stderr

        # Who reaches the socket may look into the folder; the port asks for the password, as in a team's network.
        access = ("--auth-local=trust", "--auth-host=scram-sha-256", f"--username={_USER}", f"--pwfile={password}")
        run("initdb", *access, "--pgdata", data)
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
        run("pg_ctl", "start", "--wait", "--pgdata", data, "--log", folder / "log", "--options", options)
        try:
            run("createdb", _DATABASE, f"--host={folder}", f"--port={port}", f"--username={_USER}")
            yield {
                "PREFECT_SERVER_DATABASE_DRIVER": "postgresql+asyncpg",
                "PREFECT_SERVER_DATABASE_HOST": "127.0.0.1",
                "PREFECT_SERVER_DATABASE_PORT": port,
                "PREFECT_SERVER_DATABASE_USER": _USER,
                "PREFECT_SERVER_DATABASE_NAME": _DATABASE,
                "PREFECT_SERVER_DATABASE_PASSWORD": _PASSWORD,
            }
        finally:
            run("pg_ctl", "stop", "--mode=immediate", "--pgdata", data)
    finally:
        shutil.rmtree(folder)
