import flows  # isort: skip  # its settings of the environment come before torch and Prefect are imported


import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from prefect.testing.utilities import prefect_test_harness

from tests.support.prefect_server import QUIET_SERVER

assert flows


@pytest.fixture(scope="session")
def prefect() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in QUIET_SERVER.items():
            monkeypatch.setenv(name, value)
        with prefect_test_harness(server_startup_timeout=120):
            yield


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
