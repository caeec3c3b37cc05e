"""What works on this machine and what does not. Checking changes nothing and fetches nothing."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal, get_args

import httpx
from packaging.requirements import Requirement

from latentflix.artifacts import Store
from latentflix.cli.leftovers import sweep
from latentflix.data.datasets import DATA_SETS
from latentflix.data.download import find_cached
from latentflix.errors import ArtifactError, LatentflixError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.http.politeness import HttpConfig
from latentflix.reviews.sources.registry import SourceName, SourcesConfig, build_sources
from latentflix.reviews.store import ReviewStore
from latentflix.runs import list_runs

State = Literal["works", "missing", "broken"]

_EXTRAS = ("genres", "implicit", "dask", "imdbpy")
# A run of the profile `sample` and its downloads take a fifth of it.
_ENOUGH_DISK = 2 * 2**30
_SERVER_TIMEOUT = 3


@dataclass(frozen=True)
class CheckResult:
    """state: works; missing, if it is optional or will be fetched; broken, if it has to be fixed."""

    part: str
    name: str
    state: State
    detail: str


def check_all(artifacts_dir: Path, data_dir: Path | None, cache_dir: Path, store: str) -> Iterator[CheckResult]:
    """Every result, as soon as it is known. data_dir: data sets that were fetched by hand. store: the review store."""
    yield CheckResult("python", platform.python_version(), "works", sys.executable)
    yield from check_packages()
    yield check_device()
    for name, folder in (("artifacts", artifacts_dir), ("downloads", cache_dir)):
        yield check_disk(name, folder)
    yield from check_data_sets(data_dir, cache_dir)
    yield from check_results(artifacts_dir, store)
    yield check_server(_prefect_url())
    yield from check_sources()


def check_packages(
    required: Callable[[str], list[str] | None] = requires, installed: Callable[[str], str] = version
) -> Iterator[CheckResult]:
    """Check the packages of latentflix and its extras; `required`, `installed`: as in `importlib.metadata`."""
    try:
        requirements = [Requirement(text) for text in required("latentflix") or []]
    except PackageNotFoundError:
        yield CheckResult("packages", "latentflix", "missing", "is not installed, so its requirements are unknown")
        return
    states: Mapping[str, State] = {"": "broken", **dict.fromkeys(_EXTRAS, "missing")}
    for extra, state in states.items():
        of_extra = [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": extra})]
        own = [each for each in of_extra if not extra or each.marker is not None]
        unmet = "; ".join(filter(None, (_unmet(each, installed) for each in own)))
        name = f"latentflix[{extra}]" if extra else "latentflix"
        met = ", ".join(each.name for each in own) if extra else f"{len(own)} packages in the required versions"
        yield CheckResult("packages", name, state if unmet else "works", unmet or met)


def _unmet(requirement: Requirement, installed: Callable[[str], str]) -> str:
    """What is wrong with a package; empty if nothing is."""
    try:
        found = installed(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(found, prereleases=True):
        return ""
    return f"{requirement.name} {found} is installed, {requirement.specifier} is required"


def check_device() -> CheckResult:
    """Check that PyTorch can be imported and sees a GPU."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return CheckResult("torch", "torch", "broken", f"cannot be imported: {error}")
    if not torch.cuda.is_available():
        return CheckResult("torch", torch.__version__, "missing", f"no GPU; {os.cpu_count()} processors")
    cards = [torch.cuda.get_device_properties(place) for place in range(torch.cuda.device_count())]
    detail = ", ".join(f"{card.name} with {card.total_memory / 2**30:.0f} GiB" for card in cards)
    return CheckResult("torch", torch.__version__, "works", detail)


def check_disk(name: str, folder: Path) -> CheckResult:
    """Check that a folder, which may not exist yet, can be written and has space."""
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if os.access(parent, os.F_OK))
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return CheckResult("disk", name, "broken", f"{folder} cannot be written")
    free = shutil.disk_usage(existing).free
    state: State = "works" if free >= _ENOUGH_DISK else "broken"
    return CheckResult("disk", name, state, f"{free / 2**30:,.1f} GiB free at {folder}")


def check_data_sets(data_dir: Path | None, cache_dir: Path) -> Iterator[CheckResult]:
    """Check which data sets are here and unaltered, and say from where the others will be fetched."""
    for name, data_set in DATA_SETS.items():
        try:
            found = find_cached(data_set, data_dir, cache_dir)
        except LatentflixError as error:
            yield CheckResult("data", name, "broken", str(error))
            continue
        sources = f"will be fetched when it is needed: {' or '.join(source.url for source in data_set.files)}"
        yield CheckResult("data", name, "works" if found else "missing", str(found[1]) if found else sources)


def check_results(artifacts_dir: Path, uri: str) -> Iterator[CheckResult]:
    """Check whether there are finished runs and a review store."""
    try:
        runs = list_runs(Store(artifacts_dir))
    except ArtifactError as error:
        yield CheckResult("results", "runs", "broken", str(error))
        return
    last = f"{len(runs):,}, the last of {runs[0].made_at}" if runs else "none yet: latentflix run"
    yield CheckResult("results", "runs", "works" if runs else "missing", last)
    yield _check_leftovers(artifacts_dir)
    store = ReviewStore(uri)
    try:
        found = f"version {store.version():,} at {uri}" if store.reviews.exists() else ""
    except LatentflixError as error:
        yield CheckResult("results", "review store", "broken", str(error))
        return
    none = f"none at {uri}: latentflix reviews refresh"
    yield CheckResult("results", "review store", "works" if found else "missing", found or none)


def _check_leftovers(artifacts_dir: Path) -> CheckResult:
    """List what killed runs left."""
    try:
        found = list(sweep(Store(artifacts_dir), remove=False))
    except ArtifactError as error:
        return CheckResult("results", "left by killed runs", "works", str(error))
    paths = ", ".join(f"{each.path} ({each.size:,} bytes, {each.why})" for each in found)
    detail = f"remove with latentflix doctor --clean: {paths}" if found else "nothing"
    return CheckResult("results", "left by killed runs", "works", detail)


def _prefect_url() -> str | None:
    """The address of the server in Prefect's own settings; None if they name none, or Prefect does not work."""
    command = [sys.executable, "-m", "prefect", "config", "view", "--output", "json", "--hide-sources"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        settings = {setting["name"]: setting["value"] for setting in json.loads(output)["settings"]}
    except (OSError, ValueError, LookupError, subprocess.CalledProcessError):
        return None
    return settings.get("PREFECT_API_URL")


def check_server(url: str | None) -> CheckResult:
    """Check that the Prefect server at this address answers."""
    if url is None:
        detail = "PREFECT_API_URL is not set, so each run starts a server of its own"
        return CheckResult("prefect", "server", "missing", detail)
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=_SERVER_TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return CheckResult("prefect", "server", "broken", f"{url}: {error}; start it with prefect server start")
    state: State = "works" if answer.is_success else "broken"
    return CheckResult("prefect", "server", state, f"{url} answers {answer.status_code}")


def check_sources() -> Iterator[CheckResult]:
    """Check which sources of reviews can be used, judging by their settings, keys and packages."""
    # The corpus is a data set, and reading it might fetch it.
    yield CheckResult("sources", "corpus", "works", "the data set imdb_reviews")
    with CachedClient(HttpConfig()) as client:
        for name in [name for name in get_args(SourceName) if name != "corpus"]:
            (source,) = build_sources(SourcesConfig(names=(name,)), client)
            found = source.availability()
            yield CheckResult("sources", name, "works" if found.available else "missing", found.reason)
