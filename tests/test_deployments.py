"""The files of `deployments/`, checked against the workers that read them, the flows and the package."""

import asyncio
import json
import re
import tomllib
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest
import yaml
from docker.models.containers import _create_container_args
from prefect import Flow
from prefect.client.schemas.actions import WorkPoolCreate
from prefect_docker.worker import DockerWorker, DockerWorkerJobConfiguration
from prefect_kubernetes.worker import KubernetesWorker, KubernetesWorkerJobConfiguration
from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deployments"
WORKERS = {"docker": DockerWorker, "kubernetes": KubernetesWorker}
DEPLOYMENTS = yaml.safe_load((FOLDER / "prefect.yaml").read_text())["deployments"]
DOCKERFILE = (FOLDER / "Dockerfile").read_text()


def template(kind):
    return json.loads((FOLDER / f"{kind}-gpu.json").read_text())


def configure(kind, **values):
    """The configuration that the worker makes of the template; it asks a server whether values name blocks."""
    configuration = {"docker": DockerWorkerJobConfiguration, "kubernetes": KubernetesWorkerJobConfiguration}[kind]
    return asyncio.run(configuration.from_template_and_values(template(kind), values))


@pytest.mark.parametrize("kind", WORKERS)
def test_a_template_can_be_read_by_its_worker(kind):
    own, default = template(kind), WORKERS[kind].get_default_base_job_template()
    WorkPoolCreate(name="gpu", type=kind, base_job_template=own)
    assert own["job_configuration"].keys() == default["job_configuration"].keys()
    properties = own["variables"]["properties"]
    jsonschema.Draft202012Validator.check_schema(own["variables"])
    assert set(re.findall(r"{{ (\w+) }}", json.dumps(own["job_configuration"]))) == set(properties)
    # Every variable of the worker's own template is kept, except the one that has variables of its own here.
    assert set(default["variables"]["properties"]) - set(properties) <= {"container_create_kwargs"}


@pytest.mark.parametrize("kind", WORKERS)
def test_the_defaults_of_a_template_satisfy_its_schema(kind):
    variables = template(kind)["variables"]
    defaults = {name: field["default"] for name, field in variables["properties"].items() if "default" in field}
    jsonschema.validate(defaults, variables)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**defaults, "gpus": "all"}, variables)


@pytest.mark.usefixtures("prefect")
def test_a_container_gets_its_gpus():
    configuration = configure("docker", gpus=["0", "1"], env={"PREFECT_API_URL": "https://prefect.example/api"})
    settings = DockerWorker("gpu")._build_container_settings(None, configuration)
    arguments = _create_container_args({**settings, "version": "1.44"})
    (request,) = arguments["host_config"]["DeviceRequests"]
    expected = {"Driver": "nvidia", "DeviceIDs": ["0", "1"], "Capabilities": [["gpu"]]}
    assert expected.items() <= request.items()
    assert arguments["host_config"]["ShmSize"] == 2 * 2**30
    assert arguments["host_config"]["Binds"] == [
        "latentflix-artifacts:/srv/latentflix/artifacts",
        "latentflix-cache:/srv/latentflix/cache",
    ]
    assert arguments["image"] == "latentflix:latest"


@pytest.mark.usefixtures("prefect")
def test_a_pod_requests_its_gpus_and_its_storage():
    manifest = configure("kubernetes", gpus=2, artifacts_claim="results").job_manifest
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["latentflix"]["persistentVolumeClaim"] == {"claimName": "results"}
    assert volumes["shared-memory"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}
    assert pod["securityContext"] == {"fsGroup": 1000}
    assert "useradd --uid 1000 " in DOCKERFILE
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)


def test_the_logs_of_the_library_reach_the_ui_from_every_worker():
    expected = {"PREFECT_LOGGING_EXTRA_LOGGERS": "latentflix"}
    assert [template(kind)["variables"]["properties"]["env"]["default"] for kind in WORKERS] == [expected] * 2
    assert all(deployment["work_pool"]["job_variables"]["env"] == expected for deployment in DEPLOYMENTS)


def test_every_flow_has_a_deployment_and_only_the_refresh_a_schedule_that_is_off():
    schedules = {deployment["name"]: deployment.get("schedules") for deployment in DEPLOYMENTS}
    assert schedules.keys() == {
        "sample",
        "standard",
        "ulmfit",
        "collab-study",
        "genres",
        "sentiment",
        "refresh-reviews",
    }
    (refresh,) = schedules.pop("refresh-reviews")
    assert refresh["active"] is False
    assert set(schedules.values()) == {None}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_a_deployment_is_of_a_flow_that_takes_its_parameters(deployment):
    module, name = deployment["entrypoint"].rsplit(".", 1)
    flow = getattr(import_module(module), name)
    assert isinstance(flow, Flow)
    flow.validate_parameters(deployment.get("parameters", {"settings": {}}))
    assert deployment["concurrency_limit"] == 1


def form_values(model, given):
    """What the form of the UI sends: every field, with its own default where the deployment gives no value."""
    values = {}
    for name, field in model.model_fields.items():
        shown = field.alias or name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            values[shown] = form_values(field.annotation, given.get(shown, {}))
        else:
            values[shown] = given.get(shown, field.get_default(call_default_factory=True))
    return values


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_an_unchanged_form_gives_the_settings_of_the_deployment(deployment):
    settings = type(import_module(deployment["entrypoint"].rsplit(".", 1)[0]).DEFAULTS)
    given = deployment.get("parameters", {"settings": {}})["settings"]
    # The profile alone, without the values that are given because a form would replace them.
    expected = settings.model_validate({name: value for name, value in given.items() if not isinstance(value, dict)})
    assert settings.model_validate(form_values(settings, given)) == expected


def test_the_image_has_every_package_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    copied = set(re.findall(r"^COPY (\w+) /src/\1$", DOCKERFILE, re.MULTILINE))
    found = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert copied == {name.removesuffix("*") for name in found}
    (extras,) = re.findall(r"/src\[([\w,]+)\]", DOCKERFILE)
    assert set(extras.split(",")) <= set(project["project"]["optional-dependencies"])
    allowed = (ROOT / ".dockerignore").read_text().split()
    assert {f"!{name}" for name in copied} <= set(allowed)
    (version,) = re.findall(r"^FROM python:([\d.]+)", DOCKERFILE, re.MULTILINE)
    assert project["project"]["requires-python"] == f">={version}"


@pytest.mark.parametrize("kind", WORKERS)
def test_volumes_are_mounted_where_runs_write(kind):
    assert "COPY deployments/prefect.yaml /srv/latentflix/deployments/" in DOCKERFILE
    (home,) = re.findall(r"^WORKDIR (\S+)", DOCKERFILE, re.MULTILINE)
    text = json.dumps(template(kind))
    assert all(f"{home}/{folder}" in text for folder in ("artifacts", "cache"))
    assert f"XDG_CACHE_HOME={home}/cache" in DOCKERFILE
