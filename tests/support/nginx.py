"""nginx with the configuration that is deployed, on ports of this machine."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.debian import missing
from tests.support.prefect_server import ROOT, free_port

_CONFIGURATION = ROOT / "deployments" / "nginx.conf"


@dataclass(frozen=True)
class Proxy:
    """The addresses under which it answers for Prefect's server, and for the pages."""

    prefect: str
    pages: str


@contextmanager
def nginx(folder: Path, server: str, artifacts: Path, readers: str) -> Iterator[Proxy]:
    """Run nginx in front of a Prefect server and of pages.

    Args:
        folder: where its own files lie.
        server: the host and the port of Prefect's server.
        artifacts: the folder with the pages.
        readers: who may read them, a line for each: a name, a colon, and the hash of a password.
    """
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or missing("nginx", "nginx-light")
    passwords = folder / "report_readers"
    passwords.write_text(readers)
    ports = {4200: free_port(), 8080: free_port()}
    text = _CONFIGURATION.read_text()
    replaced = {f"listen {old};": f"listen 127.0.0.1:{new};" for old, new in ports.items()}
    replaced |= {
        "/tmp/": f"{folder}/",  # noqa: S108  # in the container
        "$prefect server:4200": f"$prefect {server}",
        "root /srv/latentflix/artifacts": f"root {artifacts}",
        "/run/secrets/report_readers": str(passwords),
    }
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    # Its workers would give up root, and then could not look into a folder of the tests.
    account = "user root;" if os.geteuid() == 0 else ""
    log = folder / "nginx.log"
    with log.open("w") as file:
        process = subprocess.Popen([program, "-c", configuration, "-g", f"daemon off; {account}"], stderr=file)
    try:
        for port in ports.values():
            _wait_for(port, log)
        yield Proxy(*(f"http://127.0.0.1:{port}" for port in ports.values()))
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int, log: Path) -> None:
    for _ in range(100):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(log.read_text())
