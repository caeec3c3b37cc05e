"""Reviews: joined to the items of a run, and fetched into the review store in batches."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Annotated, Any, cast

from prefect import Task, task
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.concurrency.sync import rate_limit
from prefect.exceptions import ObjectNotFound
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import SecretStr

from latentflix.data.ratings import Ratings
from latentflix.errors import StoreError, TransientFetchError
from latentflix.reviews.join import ReviewConfig, film_of_each, gather_reviews, held_out_texts, read_own_reviews
from latentflix.reviews.refresh import Batch, RefreshConfig, finishing, stopping
from latentflix.reviews.texts import TextsSourceConfig, join_texts, read_texts
from tasks.stage import Artifact, Handle, Store, stage

_JITTER = 0.5


@stage("reviews", "reviews")
def join_reviews(
    artifact: Artifact,
    store: Store,
    *,
    corpus: Annotated[Handle, "datasets"],
    ratings: Handle,
    config: ReviewConfig,
) -> None:
    """Join reviews to all rated items, and count the items that have any."""
    items, texts = store.read_table(ratings, "items"), store.read_table(corpus, "reviews")
    item_ids, review_films = items.index.to_series(), film_of_each(texts)
    reviews, coverage = gather_reviews(texts, items, item_ids, review_films, config)
    artifact.write_table("reviews", reviews)
    artifact.write_table("unread", held_out_texts(reviews, items, item_ids, review_films))
    artifact.metrics.update(asdict(coverage))


@stage("reviews", "reviews")
def read_own_store(artifact: Artifact, store: Store, *, ratings: Handle, config: ReviewConfig) -> None:
    """Read the texts of items from a review store that knows them by the ids of their own source."""
    reviews, coverage, unread = read_own_reviews(store.read_table(ratings, "items"), config)
    artifact.write_table("reviews", reviews)
    artifact.write_table("unread", unread)
    artifact.metrics.update(asdict(coverage))


@stage("reviews", "texts")
def join_own_texts(artifact: Artifact, store: Store, *, ratings: Handle, config: TextsSourceConfig) -> None:
    """Join the user's own texts to the items by their ids."""
    item_ids = store.read_field(ratings, Ratings, "item_ids")
    texts, coverage = join_texts(read_texts(config), item_ids, config.max_characters, str(config.path))
    artifact.write_table("reviews", texts)
    artifact.write_table("unread", texts[["review_id"]].rename(columns={"review_id": "text_id"}))
    artifact.metrics.update(asdict(coverage))


def _is_transient(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), (TransientFetchError, StoreError))


# A task costs as much as many films of a fast source, so a task is a batch; it is Prefect that runs it again.
@task(
    name="refresh",
    task_run_name="refresh-{batch.name}",
    tags=["refresh"],
    cache_policy=NO_CACHE,
    persist_result=False,
    retry_condition_fn=_is_transient,
    retry_jitter_factor=_JITTER,
)
def refresh_batch(batch: Batch) -> None:
    """Query the films of a batch that are still unanswered, and store the answers."""
    batch.run()


def refresh_batches(batches: Sequence[Batch], config: RefreshConfig) -> None:
    """Run all batches, each again as long as that may help and the settings allow.

    A film that still fails is recorded as failed, and costs no other. Whatever ends the refresh, an interruption
    included, what was fetched is written.

    Raises:
        StoreError: the answers of a batch could not be written, even at the end.
        Exception: any other error of a batch, after all batches have ended.
    """
    delays = [config.backoff * 2**retry for retry in range(config.retries)]
    retried = refresh_batch.with_options(retries=config.retries, retry_delay_seconds=delays or 0)
    pool: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=config.workers)
    # When the refresh is interrupted, the pool waits for its threads, so the batches are stopped before.
    with finishing(batches), pool as runner, stopping(batches):
        futures = [runner.submit(retried, {"batch": batch}) for batch in batches]
        wait(list(futures))
    for future in futures:
        if not isinstance(future.state.result(raise_on_failure=False), (TransientFetchError, StoreError)):
            future.state.result()


def rate_limiter(sources: Collection[str]) -> Callable[[str], None]:
    """Make a function that waits before a source is queried, if the server limits `latentflix-<source>`.

    It raises TransientFetchError if the server does not let the query pass.
    """
    with get_client(sync_client=True) as client:
        limited = {source for source in sources if _has_limit(client, source)}

    def wait_for_turn(source: str) -> None:
        if source not in limited:
            return
        try:
            rate_limit(f"latentflix-{source}", strict=True)
        except Exception as error:
            limit = f"latentflix-{source}"
            raise TransientFetchError("the Prefect server allows no query", where=limit, found=str(error)) from error

    return wait_for_turn


def _has_limit(client: Any, source: str) -> bool:
    try:
        return bool(client.read_global_concurrency_limit_by_name(f"latentflix-{source}").active)
    except ObjectNotFound:
        return False


def read_secret(block: str, variable: str) -> SecretStr | None:
    """Read a secret from a Prefect Secret block, else from the environment; None if it is in neither. Never logged."""
    try:
        return SecretStr(str(cast("Secret[Any]", Secret.load(block)).get()))
    except ValueError:
        key = os.environ.get(variable, "")
        return SecretStr(key) if key else None
