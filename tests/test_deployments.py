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
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
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
LOCK = (FOLDER / "requirements.txt").read_text()
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMAGE = f"latentflix:{PROJECT['version']}"


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
    # Every variable of the worker's own template is kept, except what no deployment is to change.
    assert set(default["variables"]["properties"]) - set(properties) <= {"container_create_kwargs", "privileged"}


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
    assert arguments["image"] == IMAGE


@pytest.mark.usefixtures("prefect")
def test_a_container_can_do_no_more_than_a_run_needs():
    settings = DockerWorker("gpu")._build_container_settings(
        None, configure("docker", privileged=True, env={"PREFECT_API_URL": "https://prefect.example/api"})
    )
    arguments = _create_container_args({**settings, "version": "1.44"})
    assert arguments["user"] == "1000:1000"
    host = arguments["host_config"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ReadonlyRootfs"] is True
    assert host["Tmpfs"] == {"/tmp": "mode=1777"}  # noqa: S108  # in the container
    assert host["Memory"] == 32 * 2**30
    assert "Privileged" not in host


@pytest.mark.usefixtures("prefect")
def test_a_pod_requests_its_gpus_and_its_storage():
    manifest = configure("kubernetes", gpus=2, artifacts_claim="results").job_manifest
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["latentflix"]["persistentVolumeClaim"] == {"claimName": "results"}
    assert volumes["shared-memory"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    assert container["image"] == IMAGE


@pytest.mark.usefixtures("prefect")
def test_a_pod_can_do_no_more_than_a_run_needs():
    pod = configure("kubernetes").job_manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"]["memory"] == "16Gi"
    assert container["resources"]["limits"]["memory"] == "32Gi"


def test_every_worker_shows_the_log_of_the_library_and_has_runs_wait_for_a_server_that_restarts():
    expected = {"PREFECT_LOGGING_EXTRA_LOGGERS": "latentflix", "PREFECT_CLIENT_MAX_RETRIES": "8"}
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
    copied = set(re.findall(r"^COPY (\w+) /src/\1$", DOCKERFILE, re.MULTILINE))
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert copied == {name.removesuffix("*") for name in found}
    allowed = (ROOT / ".dockerignore").read_text().split()
    assert {f"!{name}" for name in copied} <= set(allowed)
    assert "!deployments/requirements.txt" in allowed


def test_the_image_is_made_of_pinned_things_alone():
    (version,) = re.findall(r"^FROM python:([\d.]+)-slim-\w+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    assert version.startswith(PROJECT["requires-python"].removeprefix(">=") + ".")
    assert f"--python-version {version} " in (ROOT / "Makefile").read_text()
    locked, own = re.findall(r"RUN (pip install .*)", DOCKERFILE)
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(locked.split())
    assert {"--no-index", "--no-deps", "--no-build-isolation"} <= set(own.split())
    assert f"--tag {IMAGE} " in DOCKERFILE


def locked_versions():
    """The versions of the lock file, by package; each is on a line of its own, with hashes on the next ones."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\\n    --hash=sha256:", LOCK, re.MULTILINE))


def test_the_lock_file_has_a_hash_of_every_package_and_names_no_index():
    names = re.findall(r"^(\S+)==", LOCK, re.MULTILINE)
    assert locked_versions().keys() == set(names)
    assert len(names) > 100
    assert not re.search(r"://|^--|index-url", LOCK, re.MULTILINE)


def test_the_lock_file_has_what_the_project_asks_for():
    extras = PROJECT["optional-dependencies"]
    asked = [Requirement(line) for line in (*PROJECT["dependencies"], *extras["image"], *extras["genres"])]
    locked = locked_versions()
    for requirement in asked:
        if requirement.name != PROJECT["name"]:
            assert locked[canonicalize_name(requirement.name)] in requirement.specifier


@pytest.mark.parametrize("kind", WORKERS)
def test_volumes_are_mounted_where_runs_write(kind):
    assert "COPY deployments/prefect.yaml /srv/latentflix/deployments/" in DOCKERFILE
    assert "useradd --uid 1000 " in DOCKERFILE
    (home,) = re.findall(r"^WORKDIR (\S+)", DOCKERFILE, re.MULTILINE)
    text = json.dumps(template(kind))
    assert all(f"{home}/{folder}" in text for folder in ("artifacts", "cache"))
    assert f"XDG_CACHE_HOME={home}/cache" in DOCKERFILE
    # All other places where a run writes: the rest of the file system is read-only.
    assert {"HOME=/tmp", "PREFECT_HOME=/tmp/prefect"} <= set(DOCKERFILE.split())


def test_services_publish_ports_on_loopback_alone():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"proxy": ["127.0.0.1:4200:4200", "127.0.0.1:8080:8080"]}
    assert not any("network_mode" in service for service in SERVICES.values())


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_a_pinned_image_and_can_do_no_more_than_it_needs(name):
    service = SERVICES[name]
    assert service["image"] == IMAGE or re.fullmatch(r"[\w/-]+:\d+\.[\w.-]+@sha256:[0-9a-f]{64}", service["image"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert "mem_limit" in service
    assert not {"privileged", "cap_add", "pid", "devices"} & service.keys()
    assert "docker.sock" not in str(service)
    # The one that ends has nothing to say while it runs.
    assert name == "deploy" or service["healthcheck"]["test"][0] == "CMD"


def test_the_server_writes_where_it_can():
    server = SERVICES["server"]
    (volume,) = server["volumes"]
    assert server["environment"]["PREFECT_HOME"].startswith(volume.split(":")[1])
    assert server["environment"]["PREFECT_SERVER_UI_STATIC_DIRECTORY"].startswith("/tmp/")  # noqa: S108


def test_services_wait_for_those_that_they_need():
    waits = {name: service["depends_on"] for name, service in SERVICES.items() if "depends_on" in service}
    assert waits == {
        "server": {"postgres": {"condition": "service_healthy"}},
        "deploy": {"proxy": {"condition": "service_healthy"}},
        "worker": {"deploy": {"condition": "service_completed_successfully"}},
    }


def test_the_database_is_reached_by_the_server_alone_and_has_no_way_out():
    reached = [name for name, service in SERVICES.items() if "database" in service["networks"]]
    assert reached == ["postgres", "server"]
    assert COMPOSE["networks"]["database"] == {"internal": True}


def test_no_secret_is_in_the_repository():
    secret = re.compile("PASSWORD|AUTH_STRING")
    given = {
        value
        for each in SERVICES.values()
        for name, value in each.get("environment", {}).items()
        if secret.search(name)
    }
    # Without a value in `.env`, Compose refuses to start.
    assert given == {"${POSTGRES_PASSWORD:?}", "latentflix:${PREFECT_PASSWORD:?}"}
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {"deployments/.env", "deployments/report_readers"} <= set(ignored)
    assert COMPOSE["secrets"] == {"report_readers": {"file": "./report_readers"}}


def test_clients_reach_the_server_through_the_proxy_and_wait_as_long_as_runs():
    (retries,) = {
        deployment["work_pool"]["job_variables"]["env"]["PREFECT_CLIENT_MAX_RETRIES"] for deployment in DEPLOYMENTS
    }
    for name in ("deploy", "worker"):
        assert SERVICES[name]["environment"]["PREFECT_API_URL"] == "http://proxy:4200/api"
        assert SERVICES[name]["environment"]["PREFECT_CLIENT_MAX_RETRIES"] == retries
