"""A refresh of the review store as Prefect tasks: batches of films over a bounded pool of threads."""

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any, cast

from prefect import Task, task
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.concurrency.sync import rate_limit
from prefect.exceptions import ObjectNotFound
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import SecretStr

from latentflix.errors import FetchFailed, StoreConflict
from latentflix.reviews.refresh import Batch, RefreshConfig

# A task call costs as much as many films of a fast source, so a task is a batch; it is Prefect that runs it again.
_JITTER = 0.5


def _may_pass(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), (FetchFailed, StoreConflict))


@task(
    name="refresh",
    task_run_name="refresh-{batch.name}",
    tags=["refresh"],
    cache_policy=NO_CACHE,
    persist_result=False,
    retry_condition_fn=_may_pass,
    retry_jitter_factor=_JITTER,
)
def run_batch(batch: Batch) -> None:
    """Ask about the films of a batch that are still to be asked about, and keep what comes."""
    batch.run()


def run_batches(batches: Sequence[Batch], config: RefreshConfig) -> None:
    """Run all batches, each again as long as that may help and the settings allow.

    What still fails of a film is written down, and costs no other. Raises what a batch raised that is no such failure,
    when all are through.
    """
    delays = [config.backoff * 2**retry for retry in range(config.retries)]
    retried = run_batch.with_options(retries=config.retries, retry_delay_seconds=delays or 0)
    pool: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=config.workers)
    with pool as runner:
        futures = [runner.submit(retried, {"batch": batch}) for batch in batches]
        for future in futures:
            future.wait()
    for batch in batches:
        batch.give_up()
    for future in futures:
        if not isinstance(future.state.result(raise_on_failure=False), FetchFailed):
            future.state.result()


def wait_for_turn(sources: Collection[str]) -> Callable[[str], None]:
    """What waits before a source is asked, where the server has a global limit `latentflix-<source>` for it."""
    with get_client(sync_client=True) as client:
        limited = {source for source in sources if _has_limit(client, source)}

    def wait(source: str) -> None:
        if source in limited:
            rate_limit(f"latentflix-{source}", strict=True)

    return wait


def _has_limit(client: Any, source: str) -> bool:
    try:
        return bool(client.read_global_concurrency_limit_by_name(f"latentflix-{source}").active)
    except ObjectNotFound:
        return False


def read_key(block: str, variable: str) -> SecretStr | None:
    """A key from a Prefect Secret block, else from the environment, None if it is in neither. It is never logged."""
    try:
        return SecretStr(str(cast("Secret[Any]", Secret.load(block)).get()))
    except ValueError:
        key = os.environ.get(variable, "")
        return SecretStr(key) if key else None
