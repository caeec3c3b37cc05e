"""The deployments, on a server and a worker that the tests start and stop, in the browser as a user sees them."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page

from latentflix.artifacts import MANIFEST
from latentflix.recommender.model import CollabConfig
from tests.support.nginx import nginx
from tests.support.prefect_server import PATIENCE, ROOT, Server, running, serve, when_not_busy
from tests.support.synthetic_run import SYNTHETIC

SETTINGS = {
    **SYNTHETIC,
    "collab": {**SYNTHETIC["collab"], "epochs": 15},
    "language_model": {**SYNTHETIC["language_model"], "embedding_size": 32, "epochs": 2},
    "classifier": {"n_folds": 2, "random_split": False, "dropout": 0.1, "all_epochs": 2, "all_learning_rate": 1e-2},
    "evaluation": {"permutations": 50, "bootstraps": 50},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with serve(folder, SYNTHETIC_FOLDER=str(folder)) as server:
        yield server


@pytest.fixture(scope="module")
def deployed(server: Server) -> set[str]:
    """The names of what `prefect.yaml` deploys."""
    server.prefect("work-pool", "create", "latentflix", "--type", "process")
    server.prefect("deploy", "--prefect-file", "deployments/prefect.yaml", "--all")
    return {deployment["name"] for deployment in server.ask("/deployments/filter", {})}


@pytest.fixture(scope="module")
def deployment_id(server: Server, deployed: set[str]) -> Iterator[str]:
    """A deployment like `full/sample` that reads the synthetic world, while a worker runs it."""
    sample = server.ask("/deployments/name/full/sample")
    same = ("flow_id", "work_pool_name", "parameter_openapi_schema", "enforce_parameter_schema", "job_variables")
    settings = {**SETTINGS, "artifacts_dir": str(server.artifacts), "data_dir": str(server.folder)}
    made = server.ask(
        "/deployments/",
        {
            **{name: sample[name] for name in same},
            "name": "synthetic",
            "entrypoint": "tests.support.synthetic_flow.full",
            "parameters": {"settings": settings},
        },
    )
    with running(["worker", "start", "--pool", "latentflix"], server.environment, server.log):
        yield made["id"]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(PATIENCE * 1000)
    yield page
    page.close()


def field(page: Page, label: str) -> Locator:
    """The inputs of the form below a label."""
    named = f".schema-form-property__label:text-is('{label} (Optional)')"
    return page.locator(f".schema-form-property:has(> .p-label__header {named}) input")


def submit(page: Page) -> tuple[int, Any]:
    """The status and the body of the server's answer to the form."""

    def once() -> tuple[int, Any]:
        with page.expect_response("**/create_flow_run") as answer:
            page.get_by_role("button", name="Submit").click()
        return answer.value.status, answer.value.json()

    return when_not_busy(once)


@pytest.fixture(scope="module")
def form(server: Server, deployment_id: str, page: Page) -> Page:
    page.goto(f"{server.url}/deployments/deployment/{deployment_id}/run")
    field(page, "Epochs").first.wait_for()
    return page


@pytest.fixture(scope="module")
def refusal(server: Server, form: Page) -> tuple[int, str, int]:
    """What follows from a form with -1 epochs: status, answer, and the number of runs once the page shows the error."""
    epochs = field(form, "Epochs").nth(1)
    valid = epochs.input_value()
    epochs.fill("-1")
    status, answer = submit(form)
    form.get_by_text("-1 is less than the minimum of 1").first.wait_for()
    epochs.fill(valid)
    return status, answer["detail"], len(server.ask("/flow_runs/filter", {}))


@pytest.fixture(scope="module")
def finished(server: Server, refusal: Any, form: Page) -> Any:
    """The run that the corrected form starts, once it has ended."""
    status, run = submit(form)
    assert status == 201
    return server.wait_for_end(run["id"])


def test_every_deployment_is_there(deployed: set[str]) -> None:
    assert deployed == {"sample", "standard", "ulmfit", "collab-study", "genres", "sentiment", "refresh-reviews"}


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_a_server_takes_the_template_of_a_pool_with_gpus(server: Server, kind: str) -> None:
    template = json.loads((ROOT / "deployments" / f"{kind}-gpu.json").read_text())
    pool = {"name": f"gpu-{kind}", "type": kind, "base_job_template": template, "concurrency_limit": 1}
    made = server.ask("/work_pools/", pool)
    assert made["base_job_template"] == template
    assert made["concurrency_limit"] == 1


def test_the_form_describes_settings_and_their_bounds(form: Page) -> None:
    description = str(CollabConfig.model_fields["epochs"].description)
    assert description.endswith("[>= 1 and <= 200]")
    assert form.get_by_text(description).count() == 1
    assert form.get_by_text("the settings of all stages; what is not given is as the profile has it").count() == 1
    assert [epochs.input_value() for epochs in field(form, "Epochs").all()] == ["15", "2"]


def test_a_form_with_a_value_out_of_bounds_is_refused_and_starts_no_run(refusal: tuple[int, str, int]) -> None:
    status, answer, runs = refusal
    assert status == 409
    assert "settings.language_model.epochs" in answer
    assert "-1 is less than the minimum of 1" in answer
    assert runs == 0


def test_a_run_started_from_the_form_completes_and_the_ui_shows_it(server: Server, finished: Any, page: Page) -> None:
    assert finished["state"]["type"] == "COMPLETED", server.log.read_text()[-3000:]
    page.goto(f"{server.url}/runs/flow-run/{finished['id']}")
    page.get_by_text("full-sample-movielens_100k").first.wait_for()
    page.get_by_text("Completed").first.wait_for()
    (report,) = (server.artifacts / "report").glob("*/index.html")
    assert report.is_file()


@pytest.fixture(scope="module")
def artifacts(server: Server, finished: Any) -> dict[str, Any]:
    """The artifacts that the UI shows of the run, by key."""
    made = server.ask("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [finished["id"]]}}})
    return {artifact["key"]: artifact for artifact in made}


def test_its_artifacts_are_scores_names_and_the_progress_of_trainings(artifacts: dict[str, Any]) -> None:
    coverage = {row["metric"]: row["value"] for row in json.loads(artifacts["reviews-metrics"]["data"])}
    assert (coverage["items_with_review"], coverage["reviews"]) == (80, 480)
    assert all(0 <= row["auc"] <= 1 for row in json.loads(artifacts["label-evaluation-labels"]["data"]))
    assert artifacts["factor-names"]["data"].startswith("## 6 of 6 names hold\n\n3 of 3 factors are stable")
    language_model = artifacts["training-language-model-forward"]
    assert (language_model["type"], language_model["data"]) == ("progress", 100)
    assert language_model["description"].startswith("language model, forward: epoch 2 of 2: train_loss")


def test_the_ui_shows_the_pictures_of_histograms(server: Server, artifacts: dict[str, Any], page: Page) -> None:
    page.goto(f"{server.url}/artifacts/artifact/{artifacts['histograms']['id']}")
    page.locator("img[src^='data:image/png']").first.wait_for()
    widths = page.evaluate("Array.from(document.images).map(image => image.naturalWidth).filter(width => width > 300)")
    assert len(widths) == 6


def test_the_ui_says_where_the_report_is(server: Server, artifacts: dict[str, Any], page: Page) -> None:
    (report,) = (server.artifacts / "report").glob("*/index.html")
    page.goto(f"{server.url}/artifacts/artifact/{artifacts['report']['id']}")
    page.get_by_text(str(report)).first.wait_for()


def test_the_proxy_serves_every_file_of_the_report_except_its_manifest(
    server: Server, finished: Any, tmp_path: Path
) -> None:
    (report,) = (server.artifacts / "report").glob("[!.]*")
    files = [path for path in report.rglob("*") if path.is_file()]
    with nginx(tmp_path, server.url.removeprefix("http://"), server.artifacts, "reader:{PLAIN}secret") as proxy:
        site = httpx.Client(base_url=proxy.pages, auth=("reader", "secret"))
        found = {path.name: site.get(f"/report/{path.relative_to(report.parent)}") for path in files}
    assert found.pop(MANIFEST).status_code == HTTPStatus.NOT_FOUND
    assert len(found) > 80
    assert {answer.status_code for answer in found.values()} == {HTTPStatus.OK}
    assert found["index.html"].content == (report / "index.html").read_bytes()


def test_the_ui_shows_the_log_of_the_library(server: Server, finished: Any) -> None:
    logs = server.ask("/logs/filter", {"logs": {"flow_run_id": {"any_": [finished["id"]]}}, "limit": 200})
    messages = [log["message"] for log in logs if log["name"].startswith("latentflix")]
    assert any(re.match("language model, forward: epoch 2 of 2: train_loss", message) for message in messages)


def test_every_task_has_the_tag_of_its_stage(server: Server, finished: Any) -> None:
    tasks = server.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [finished["id"]]}}})
    tags = {tag for task in tasks for tag in task["tags"]}
    assert {"ratings", "collab", "classifier", "report"} <= tags


def test_a_failed_run_names_stage_and_cause_and_a_retry_continues_from_there(
    server: Server, deployment_id: str, finished: Any
) -> None:
    settings = {**SETTINGS, "artifacts_dir": str(server.artifacts), "data_dir": str(server.folder)}
    changed = {"settings": {**settings, "report": {"min_reviews": 2}}}
    reports = server.artifacts / "report"
    reports.rename(aside := server.artifacts / "aside")
    reports.write_text("in the way")
    run = server.ask(f"/deployments/{deployment_id}/create_flow_run", {"parameters": changed})
    failed = server.wait_for_end(run["id"])
    assert failed["state"]["type"] == "FAILED"
    assert "ArtifactError: report: an artifact cannot be written; where: " in failed["state"]["message"]

    reports.unlink()
    aside.rename(reports)
    made = {path: path.stat().st_mtime_ns for path in server.artifacts.glob("*/[!.]*/manifest.json")}
    retry = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": False}
    answer = server.ask(f"/flow_runs/{run['id']}/set_state", retry)
    assert answer["status"] == "ACCEPT"
    again = server.wait_for_end(run["id"])
    assert again["state"]["type"] == "COMPLETED"
    assert again["run_count"] == 2
    after = {path: path.stat().st_mtime_ns for path in server.artifacts.glob("*/[!.]*/manifest.json")}
    assert [path.parent.parent.name for path in after.keys() - made.keys()] == ["report"]
    assert made.items() <= after.items()
