"""Makes the pictures of the Prefect UI that the documentation shows: `make ui-screenshots`.

They are of the server whose API `PREFECT_API_URL` names, after a run of `full` has come to its end there.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).parents[1] / "docs"
SCREEN = {"width": 1280, "height": 900}
# A busy machine draws a page slowly.
TIMEOUT = 120_000


def ask(api: str, path: str, given: Any) -> Any:
    """What the server's API answers."""
    data = json.dumps(given).encode()
    with urlopen(Request(f"{api}{path}", data, {"Content-Type": "application/json"})) as answer:  # noqa: S310
        return json.load(answer)


def last_run(api: str) -> dict[str, Any]:
    """The last run of the full flow that has completed. Exits with a word on what to do if there is none."""
    wanted = {
        "flows": {"name": {"any_": ["full"]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}, "deployment_id": {"is_null_": False}},
        "sort": "END_TIME_DESC",
        "limit": 1,
    }
    runs: list[dict[str, Any]] = ask(api, "/flow_runs/filter", wanted)
    if not runs:
        sys.exit(f"no deployed run of the full flow has completed on {api}; what to do: start one from the UI")
    return runs[0]


def histograms(api: str, run: dict[str, Any]) -> str:
    """The id of the run's artifact with the pictures of histograms."""
    of_run = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}, "key": {"any_": ["histograms"]}}}
    return str(ask(api, "/artifacts/filter", of_run)[0]["id"])


def photograph(browser: Browser, address: str, sign: str, name: str) -> None:
    """Write `docs/<name>.png`: a page of the UI, once what `sign` selects is in it."""
    page = browser.new_page(viewport=SCREEN)  # type: ignore[arg-type]
    page.set_default_timeout(TIMEOUT)
    page.goto(address)
    page.locator(sign).first.wait_for()
    # What is drawn last has no sign of its own.
    page.wait_for_timeout(2000)
    page.screenshot(path=DOCS / f"{name}.png")
    page.close()


def main() -> None:
    """Make the screenshots of form, run and histograms."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("no Chromium is installed; what to do: apt-get install chromium")
    api = os.environ.get("PREFECT_API_URL")
    if api is None:
        sys.exit("no server is named; what to do: export PREFECT_API_URL=http://127.0.0.1:4200/api")
    ui, run = api.removesuffix("/api"), last_run(api)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        form = f"{ui}/deployments/deployment/{run['deployment_id']}/run"
        photograph(browser, form, "text=Language Model (Optional)", "ui-form")
        photograph(browser, f"{ui}/runs/flow-run/{run['id']}", "text=Completed", "ui-run")
        photograph(
            browser, f"{ui}/artifacts/artifact/{histograms(api, run)}", "img[src^='data:image']", "ui-histograms"
        )
        browser.close()


if __name__ == "__main__":
    main()
