"""Turns a function that fills an artifact into a Prefect task, and runs such tasks one after the other."""

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, get_args, get_origin, get_type_hints

from prefect import Task, task
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext

from latentflix.artifacts import Artifact, Handle, Inputs, Store
from latentflix.config import ParallelConfig, StageConfig
from latentflix.errors import DataUnavailable, LatentflixError, StageFailed
from latentflix.keys import artifact_key, source_digest
from latentflix.report.formatting import NEUTRAL, Nouns
from latentflix.report.highlights import highlights
from latentflix.training import observe_epochs
from tasks.task_runners import task_runner
from tasks.ui import progress_publisher, publish

Make = Callable[..., None]


@dataclass(frozen=True)
class StageTask:
    """A stage: its name, the function that fills its artifact, and the Prefect task that runs this function.

    Each keyword parameter of the function is an input: a Handle, or a tuple of them. It takes artifacts of the stage
    that it is named after, or of those that its annotation names: `Annotated[Handle, "plot_summaries", "reviews"]`.
    """

    name: str
    make: Make
    task: Task[..., Any]

    def __reduce__(self) -> tuple[Callable[[str, str], Any], tuple[str, str]]:
        """Pickle the stage by name: a function that is pickled by value forgets its file, which the key needs."""
        return _import_stage, (self.make.__module__, self.make.__name__)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        parameters = inspect.signature(self.make).parameters.values()
        hints = get_type_hints(self.make, include_extras=True)
        names = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.name != "config"]
        return {name: hints[name] for name in names}

    def bind(self, inputs: Mapping[str, Handle | Sequence[Handle]]) -> Inputs:
        """Check inputs by name against what the stage takes.

        Args:
            inputs: by parameter, the artifact or artifacts.

        Returns:
            The handles of each parameter, in the order of the function's own.

        Raises:
            TypeError: an input is missing or unknown, is one artifact instead of several, or of another stage.
        """
        if inputs.keys() != self._hints.keys():
            raise TypeError(f"{self.name} takes {sorted(self._hints)}, not {sorted(inputs)}")
        return {name: self._check(name, inputs[name]) for name in self._hints}

    def _check(self, name: str, given: Handle | Sequence[Handle]) -> tuple[Handle, ...]:
        if isinstance(given, Handle) == self._takes_several(name):
            wanted = "several artifacts, not one" if self._takes_several(name) else "one artifact, not several"
            raise TypeError(f"{self.name}: {name} takes {wanted}")
        handles = (given,) if isinstance(given, Handle) else tuple(given)
        stages = getattr(self._hints[name], "__metadata__", (name,))
        if wrong := [handle.stage for handle in handles if handle.stage not in stages]:
            raise TypeError(f"{self.name}: {name} takes an artifact of {' or '.join(stages)}, not of {wrong[0]}")
        return handles

    def _takes_several(self, name: str) -> bool:
        hint = self._hints[name]
        return get_origin(get_args(hint)[0] if hasattr(hint, "__metadata__") else hint) is tuple

    def handle(self, inputs: Inputs, config: StageConfig) -> Handle:
        """Compute the handle of what the stage makes of these inputs."""
        return Handle(stage=self.name, key=artifact_key(self.name, inputs, config, source_digest(self.make)))

    def run(self, store: Store, inputs: Inputs, config: StageConfig) -> Handle:
        """Fill the stage's artifact, unless it is there as it was written."""
        arguments = {name: given if self._takes_several(name) else given[0] for name, given in inputs.items()}
        with observe_epochs(progress_publisher()):
            return store.ensure(
                self.handle(inputs, config),
                inputs,
                config,
                lambda artifact: self.make(artifact, store, **arguments, config=config),
            )


def _import_stage(module: str, name: str) -> StageTask:
    found: StageTask = getattr(import_module(module), name)
    return found


def stage(name: str, run_name: str, *, fetches: bool = False) -> Callable[[Make], StageTask]:
    """Make a stage of a function `make(artifact, store, *, …inputs, config)` that writes an artifact's files.

    Args:
        name: the stage's name; its artifacts lie in a folder of that name.
        run_name: the task run's name, with `{config.…}` filled in.
        fetches: whether the stage reads from a network; if that fails, it is tried again.
    """

    def decorate(make: Make) -> StageTask:
        def run(store: Store, inputs: Inputs, config: StageConfig) -> Handle:
            return made.run(store, inputs, config)

        def cache_key(_: TaskRunContext, parameters: dict[str, Any]) -> str:
            return made.handle(parameters["inputs"], parameters["config"]).key

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
            retry_condition_fn=_is_transient,
        )
        made = StageTask(name, make, as_task(run))
        return made

    return decorate


def _is_transient(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), DataUnavailable)


@dataclass(frozen=True)
class StageRunner:
    """Runs stages against one store, shows what they made, keeps how long each took and whether the cache had it."""

    store: Store
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    nouns: Nouns = NEUTRAL
    seconds: dict[str, float] = field(default_factory=dict)
    cached: dict[str, bool] = field(default_factory=dict)

    def __call__(self, stage_task: StageTask, *, config: StageConfig, **inputs: Handle | Sequence[Handle]) -> Handle:
        """Make the stage's artifact, unless it is there as it was written. Raises as `map` does."""
        (made,) = self.map(stage_task, configs=[config], **inputs)
        return made

    def map(
        self, stage_task: StageTask, *, configs: Sequence[StageConfig], **inputs: Handle | Sequence[Handle]
    ) -> list[Handle]:
        """Make an artifact of the stage for each config, those that are missing at the same time.

        Raises:
            LatentflixError: what the first stage that failed raised, with the stage's name.
            StageFailed: a stage failed with any other error.
            DependencyError: Dask is asked for and cannot be used.
            TypeError: the inputs are not those that the stage takes.
        """
        started = time.monotonic()
        bound = stage_task.bind(inputs)
        made = [stage_task.handle(bound, config) for config in configs]
        missing = [self.store.find_problem(handle) is not None for handle in made]
        states: list[Any] = [None] * len(made)
        if sum(missing) > 1:
            with task_runner(self.parallel) as runner:
                futures = {
                    place: runner.submit(
                        stage_task.task.with_options(refresh_cache=True),
                        {"store": self.store, "inputs": bound, "config": configs[place]},
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
                states[place] = run(self.store, bound, configs[place], return_state=True)
        self.seconds[stage_task.name] = round(self.seconds.get(stage_task.name, 0) + time.monotonic() - started, 3)
        cached = all(state.name == "Cached" for state in states)
        self.cached[stage_task.name] = self.cached.get(stage_task.name, True) and cached
        handles = _results(stage_task.name, states)
        publish(highlights(self.store, handles, self.nouns))
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
