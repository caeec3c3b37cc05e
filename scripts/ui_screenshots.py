"""Takes the screenshots of the Prefect UI that the documentation shows: `make ui-screenshots`.

They show the server whose API `PREFECT_API_URL` names, after a deployed run of `full` has completed there.
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


def query(api: str, path: str, body: Any) -> Any:
    """The answer of the server's API."""
    data = json.dumps(body).encode()
    with urlopen(Request(f"{api}{path}", data, {"Content-Type": "application/json"})) as answer:  # noqa: S310
        return json.load(answer)


def last_run(api: str) -> dict[str, Any]:
    """The last completed run of the full flow. Exits with a hint if there is none."""
    body = {
        "flows": {"name": {"any_": ["full"]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}, "deployment_id": {"is_null_": False}},
        "sort": "END_TIME_DESC",
        "limit": 1,
    }
    runs: list[dict[str, Any]] = query(api, "/flow_runs/filter", body)
    if not runs:
        sys.exit(f"no deployed run of the full flow has completed on {api}; what to do: start one from the UI")
    return runs[0]


def histograms(api: str, run: dict[str, Any]) -> str:
    """The id of the run's artifact with the histograms."""
    of_run = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}, "key": {"any_": ["histograms"]}}}
    return str(query(api, "/artifacts/filter", of_run)[0]["id"])


def photograph(browser: Browser, address: str, selector: str, name: str) -> None:
    """Write `docs/<name>.png`: a page of the UI, once it has an element that matches `selector`."""
    page = browser.new_page(viewport=SCREEN)  # type: ignore[arg-type]
    page.set_default_timeout(TIMEOUT)
    page.goto(address)
    page.locator(selector).first.wait_for()
    # What is drawn last cannot be selected.
    page.wait_for_timeout(2000)
    page.screenshot(path=DOCS / f"{name}.png")
    page.close()


def main() -> None:
    """Take the screenshots of form, run and histograms."""
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
