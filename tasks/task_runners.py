"""The Prefect task runner that the settings choose."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner
from prefect.utilities.asyncutils import run_coro_as_sync

from latentflix.config import ParallelConfig
from latentflix.errors import DependencyError
from latentflix.system.processes import end_with_parent


@contextmanager
def task_runner(config: ParallelConfig) -> Iterator[TaskRunner[Any]]:
    """Start the task runner. Raises DependencyError if it is Dask, and Dask is not installed or does not answer."""
    with _one_server(), _choose(config) as runner:
        yield runner


@contextmanager
def _one_server() -> Iterator[None]:
    """Have other processes use the temporary server of this one, if it has one, instead of starting their own."""
    settings = get_current_settings()
    server = SubprocessASGIServer()
    if settings.api.url or not server.running:
        yield
        return
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        yield


def _choose(config: ParallelConfig) -> TaskRunner[Any]:
    match config.kind:
        case "sequence":
            return ThreadPoolTaskRunner(max_workers=1)
        case "threads":
            return ThreadPoolTaskRunner(max_workers=config.n_workers())
        case "processes":
            return ProcessPoolTaskRunner(max_workers=config.n_workers(), initializer=end_with_parent)
        case "dask":
            return _dask(config)


def _dask(config: ParallelConfig) -> TaskRunner[Any]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise DependencyError(
            "Dask is not installed", where="--parallel.kind dask", hint="pip install 'latentflix[dask]'"
        ) from error
    if config.dask_address is None:
        return DaskTaskRunner(cluster_kwargs={"n_workers": config.n_workers(), "threads_per_worker": 1})
    try:
        run_coro_as_sync(_ping_scheduler(config.dask_address, config.dask_timeout))
    except (OSError, ValueError) as error:
        raise DependencyError(
            "the Dask scheduler does not answer",
            where=f"--parallel.dask-address {config.dask_address}",
            found=str(error) or type(error).__name__,
            expected=f"a scheduler that answers within {config.dask_timeout:g} seconds",
            hint="start one with `dask scheduler`, or correct the address",
        ) from error
    return DaskTaskRunner(address=config.dask_address)


async def _ping_scheduler(address: str, timeout: float) -> None:
    """Check that a scheduler answers; a Client would wait for ever if anything else listens there."""
    from distributed.core import rpc

    async with rpc(address) as scheduler:
        answer = await asyncio.wait_for(scheduler.identity(), timeout)
    if answer["type"] != "Scheduler":
        raise ValueError(f"the address of a {answer['type']}")
