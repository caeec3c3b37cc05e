import os

# Processes that test side by side share the cores. The OpenMP runtime reads this when torch is imported.
if n_processes := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ["OMP_NUM_THREADS"] = str(max((os.cpu_count() or 1) // int(n_processes), 1))

import flows  # isort: skip  # its settings of the environment come before torch and Prefect are imported

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, sync_playwright
from prefect.testing.utilities import prefect_test_harness
from xdist.scheduler import LoadFileScheduling

from latentflix.artifacts import Store
from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.data.ratings import Ratings, RatingsConfig, read_ratings
from tests.support.fake_web import FakeWeb, fake_web
from tests.support.prefect_server import QUIET_SERVER

assert flows
# These share a run of the full flow, and a server of Prefect's is not to answer while another of them trains.
FULL_FLOW = [f"tests/flows/test_{name}.py" for name in ("deployment", "full", "llm_names", "refresh_reviews")]


class Scheduling(LoadFileScheduling):
    """Runs each file in one process, and all files of FULL_FLOW in the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "full flow" if file in FULL_FLOW else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have what takes longest begin first."""
    items.sort(key=lambda item: item.nodeid.split("::")[0] not in FULL_FLOW)


@pytest.fixture(scope="session")
def prefect() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in QUIET_SERVER.items():
            monkeypatch.setenv(name, value)
        with prefect_test_harness(server_startup_timeout=120):
            yield


@pytest.fixture(scope="session")
def movielens_tables() -> dict[str, pd.DataFrame]:
    return load_data_set(DataSetConfig(name="movielens_100k"))


@pytest.fixture(scope="session")
def movielens(movielens_tables: dict[str, pd.DataFrame]) -> Ratings:
    tables = movielens_tables
    return read_ratings(tables["ratings"], tables["items"], RatingsConfig(), tables["scale"])


@pytest.fixture(scope="session")
def imdb_reviews() -> pd.DataFrame:
    return load_data_set(DataSetConfig(name="imdb_reviews"))["reviews"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "artifacts")


@pytest.fixture
def web() -> Iterator[FakeWeb]:
    with fake_web() as web:
        yield web


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium of the system, without a window.

    It lives as long as a module: Playwright's loop of events would else be in the way of Prefect's.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("no Chromium is installed; what to do: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
