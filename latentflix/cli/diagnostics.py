"""What works on this machine and what does not. Looking changes nothing and fetches nothing."""

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
from typing import Literal

import httpx
import pooch
from packaging.requirements import Requirement

from latentflix.artifacts import Store
from latentflix.data.datasets import DATA_SETS
from latentflix.data.download import find_cached
from latentflix.errors import LatentflixError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.http.politeness import HttpConfig
from latentflix.reviews.sources.registry import SourceName, SourcesConfig, build_sources
from latentflix.reviews.store import ReviewStore
from latentflix.runs import list_runs

State = Literal["works", "missing", "broken"]

_EXTRAS = ("genres", "dask", "imdbpy")
# A run of the profile `sample` and its downloads take a fifth of it.
_ENOUGH_DISK = 2 * 2**30
# These answer without a setting of the user's, a key or a package.
_SOURCES: tuple[SourceName, ...] = ("large_movie", "file", "tmdb", "wikipedia", "imdbpy")
_SERVER_TIMEOUT = 3


@dataclass(frozen=True)
class CheckResult:
    """state: works; missing, if something optional or yet to be fetched is not there; broken, if it hinders."""

    part: str
    name: str
    state: State
    detail: str


@dataclass(frozen=True)
class Paths:
    """Where things are kept. data_dir: data sets that were fetched by hand. store: the review store."""

    artifacts_dir: Path
    data_dir: Path | None
    cache_dir: Path
    store: str


def default_cache() -> Path:
    """Where downloads are kept if nothing else is said."""
    return Path(pooch.os_cache("latentflix"))


def examine(places: Paths) -> Iterator[CheckResult]:
    """Every finding, as soon as it is known."""
    yield CheckResult("python", platform.python_version(), "works", sys.executable)
    yield from examine_packages()
    yield _examine_device()
    for name, folder in (("artifacts", places.artifacts_dir), ("downloads", places.cache_dir)):
        yield examine_disk(name, folder)
    yield from examine_data_sets(places.data_dir, places.cache_dir)
    yield from _examine_kept(places)
    yield examine_server(_prefect_url())
    yield from _examine_sources()


def examine_packages(
    required: Callable[[str], list[str] | None] = requires, installed: Callable[[str], str] = version
) -> Iterator[CheckResult]:
    """Whether the packages are there that latentflix asks for, and those of its extras, in the releases it asks for.

    required, installed: as in `importlib.metadata`.
    """
    try:
        asked = [Requirement(text) for text in required("latentflix") or []]
    except PackageNotFoundError:
        yield CheckResult("packages", "latentflix", "missing", "is not installed, so what it requires is not known")
        return
    kinds: Mapping[str, State] = {"": "broken", **dict.fromkeys(_EXTRAS, "missing")}
    for extra, state in kinds.items():
        of_extra = [each for each in asked if each.marker is None or each.marker.evaluate({"extra": extra})]
        own = [each for each in of_extra if not extra or each.marker is not None]
        unmet = [text for each in own if (text := _unmet(each, installed))]
        name = f"latentflix[{extra}]" if extra else "latentflix"
        there = ", ".join(each.name for each in own) if extra else f"{len(own)} packages in the releases it asks for"
        yield CheckResult("packages", name, state if unmet else "works", "; ".join(unmet) or there)


def _unmet(requirement: Requirement, installed: Callable[[str], str]) -> str:
    """What is wrong with a package; empty if nothing is."""
    try:
        found = installed(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(found, prereleases=True):
        return ""
    return f"{requirement.name} {found} is installed, {requirement.specifier} is asked for"


def _examine_device() -> CheckResult:
    try:
        import torch
    except (ImportError, OSError) as error:
        return CheckResult("torch", "torch", "broken", f"cannot be imported: {error}")
    if not torch.cuda.is_available():
        return CheckResult("torch", torch.__version__, "missing", f"no GPU; {os.cpu_count()} processors")
    cards = [torch.cuda.get_device_properties(place) for place in range(torch.cuda.device_count())]
    told = ", ".join(f"{card.name} with {card.total_memory / 2**30:.0f} GiB" for card in cards)
    return CheckResult("torch", torch.__version__, "works", told)


def examine_disk(name: str, folder: Path) -> CheckResult:
    """Whether a folder, which may not be there yet, can be written and has space."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return CheckResult("disk", name, "broken", f"{folder} cannot be written")
    free = shutil.disk_usage(there).free
    return CheckResult(
        "disk", name, "works" if free >= _ENOUGH_DISK else "broken", f"{free / 2**30:,.1f} GiB free at {folder}"
    )


def examine_data_sets(data_dir: Path | None, cache_dir: Path) -> Iterator[CheckResult]:
    """Which data sets are here as they should be, and where the others will be fetched."""
    for name, data_set in DATA_SETS.items():
        try:
            kept = find_cached(data_set, data_dir, cache_dir)
        except LatentflixError as error:
            yield CheckResult("data", name, "broken", str(error))
            continue
        to_fetch = f"is fetched when it is asked for: {' or '.join(source.url for source in data_set.files)}"
        yield CheckResult("data", name, "works" if kept else "missing", str(kept[1]) if kept else to_fetch)


def _examine_kept(places: Paths) -> Iterator[CheckResult]:
    runs = list_runs(Store(places.artifacts_dir))
    last = f"{len(runs):,}, the last of {runs[0].made_at}" if runs else "none yet: latentflix run"
    yield CheckResult("kept", "runs", "works" if runs else "missing", last)
    store = ReviewStore(places.store)
    try:
        told = f"version {store.version():,} at {places.store}" if store.reviews.exists() else ""
    except LatentflixError as error:
        yield CheckResult("kept", "review store", "broken", str(error))
        return
    none = f"none at {places.store}: latentflix reviews refresh"
    yield CheckResult("kept", "review store", "works" if told else "missing", told or none)


def _prefect_url() -> str | None:
    """The address of the server that Prefect's own settings name; None if they name none, or Prefect does not work."""
    asked = [sys.executable, "-m", "prefect", "config", "view", "--output", "json", "--hide-sources"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        settings = {setting["name"]: setting["value"] for setting in json.loads(told)["settings"]}
    except (OSError, ValueError, LookupError, subprocess.CalledProcessError):
        return None
    return settings.get("PREFECT_API_URL")


def examine_server(url: str | None) -> CheckResult:
    """Whether the Prefect server of this address answers."""
    if url is None:
        return CheckResult(
            "prefect", "server", "missing", "PREFECT_API_URL names none, so each run brings one of its own"
        )
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=_SERVER_TIMEOUT)
        told = f"{url} answers {answer.status_code}"
        return CheckResult("prefect", "server", "works" if answer.is_success else "broken", told)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return CheckResult("prefect", "server", "broken", f"{url}: {error}; start it with prefect server start")


def _examine_sources() -> Iterator[CheckResult]:
    yield CheckResult("sources", "corpus", "works", "the data set imdb_reviews")
    with CachedClient(HttpConfig()) as client:
        for name in _SOURCES:
            (source,) = build_sources(SourcesConfig(names=(name,)), client)
            found = source.availability()
            yield CheckResult("sources", name, "works" if found.available else "missing", found.reason)
