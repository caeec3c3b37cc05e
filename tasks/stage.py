"""What makes a function that fills an artifact a Prefect task, and what runs such tasks one after the other."""

import inspect
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect import Task, task
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext

from latentflix.artifacts import Artifact, Handle, Store, artifact_key
from latentflix.config import ParallelConfig, StageConfig
from latentflix.errors import DataSetUnavailable, LatentflixError, StageFailed
from latentflix.report.highlights import highlights
from latentflix.training import observe_epochs
from tasks.parallel import task_runner
from tasks.publishing import progress_publisher, publish

Make = Callable[..., None]


def stage(name: str, run_name: str, *, fetches: bool = False) -> Callable[[Make], "StageTask"]:
    """Make a stage of a function `make(artifact, store, *inputs, config)` that writes an artifact's files.

    run_name: the task run's name, with `{config.…}` filled in. fetches: whether the stage reads from a network; it
    is then tried again if that fails.
    """

    def decorate(make: Make) -> StageTask:
        module = sys.modules[make.__module__]

        def handle(inputs: tuple[Handle, ...], config: StageConfig) -> Handle:
            return Handle(stage=name, key=artifact_key(name, inputs, config, [module]))

        def run(store: Store, inputs: tuple[Handle, ...], config: StageConfig) -> Handle:
            made = handle(inputs, config)
            with observe_epochs(progress_publisher()):
                return store.ensure(
                    made, inputs, config, lambda artifact: make(artifact, store, *inputs, config=config)
                )

        def cache_key(_: TaskRunContext, parameters: dict[str, Any]) -> str:
            return handle(parameters["inputs"], parameters["config"]).key

        as_task = task(
            name=name,
            description=inspect.getdoc(make),
            task_run_name=run_name,
            tags=[name],
            cache_policy=CacheKeyFnPolicy(cache_key_fn=cache_key),
            persist_result=True,
            result_serializer="json",
            retries=2 if fetches else 0,
            retry_delay_seconds=5,
            retry_condition_fn=_may_pass,
        )
        return StageTask(handle, as_task(run))

    return decorate


def _may_pass(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), DataSetUnavailable)


@dataclass(frozen=True)
class StageTask:
    """A Prefect task and the handle of what it makes from given inputs and config."""

    handle: Callable[[tuple[Handle, ...], StageConfig], Handle]
    task: Task[..., Any]


@dataclass(frozen=True)
class StageRunner:
    """Runs stages against one store, shows what they made, keeps how long each took and whether the cache had it."""

    store: Store
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    seconds: dict[str, float] = field(default_factory=dict)
    cached: dict[str, bool] = field(default_factory=dict)

    def __call__(self, stage_task: StageTask, *inputs: Handle, config: StageConfig) -> Handle:
        """The handle of the stage's artifact, made now if it is not there or not as it was written."""
        (made,) = self.map(stage_task, *inputs, configs=[config])
        return made

    def map(self, stage_task: StageTask, *inputs: Handle, configs: Sequence[StageConfig]) -> list[Handle]:
        """The handles of the stage's artifacts, one for each config, those that are to be made at the same time.

        Raises what the first stage that failed raised, with the stage's name, StageFailed if that is no
        LatentflixError, and ClusterUnavailable as `task_runner` does.
        """
        started = time.monotonic()
        made = [stage_task.handle(inputs, config) for config in configs]
        missing = [self.store.fault(handle) is not None for handle in made]
        states: list[Any] = [None] * len(made)
        if sum(missing) > 1:
            with task_runner(self.parallel) as runner:
                futures = {
                    place: runner.submit(
                        stage_task.task.with_options(refresh_cache=True),
                        {"store": self.store, "inputs": inputs, "config": configs[place]},
                    )
                    for place in range(len(made))
                    if missing[place]
                }
                for place, future in futures.items():
                    future.wait()
                    states[place] = future.state
        for place, state in enumerate(states):
            if state is None:
                run = stage_task.task.with_options(refresh_cache=missing[place])
                states[place] = run(self.store, inputs, configs[place], return_state=True)
        name = made[0].stage
        self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - started, 3)
        self.cached[name] = self.cached.get(name, True) and all(state.name == "Cached" for state in states)
        handles = _results(name, states)
        publish(highlights(self.store, handles))
        return handles


def _results(stage_name: str, states: Sequence[State[Any]]) -> list[Handle]:
    try:
        return [state.result() for state in states]
    except LatentflixError as error:
        error.stage = stage_name
        raise
    except Exception as error:
        raise StageFailed(f"{stage_name}: {type(error).__name__}: {error}") from error


__all__ = ["Artifact", "Handle", "StageRunner", "StageTask", "Store", "stage"]
