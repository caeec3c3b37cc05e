"""The steps of `explain`, one after the other: a bar, and what each was set to and came to."""

import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, TypeVar

from tqdm.auto import tqdm

from latentflix.artifacts import Manifest
from latentflix.config import StageConfig

Made = TypeVar("Made")

N_STEPS = 8


class Steps:
    """Runs steps, and keeps a manifest of each."""

    def __init__(self, progress: bool | None) -> None:
        """Show the bar. progress: whether; None: in a notebook and on a terminal."""
        # A notebook is no terminal.
        shown = progress if progress is not None else ("ipykernel" in sys.modules or None)
        self._bar = tqdm(total=N_STEPS, desc="explain", disable=None if shown is None else not shown)
        self.manifests: list[Manifest] = []

    def run(
        self,
        stage: str,
        config: StageConfig,
        make: Callable[[], Made],
        summarise: Callable[[Made], Mapping[str, Any]] = lambda _: {},
    ) -> Made:
        """Run a step. summarise: the figures of what it makes."""
        started = time.monotonic()
        self._bar.set_description(stage)
        made = make()
        self.note(stage, config, summarise(made), time.monotonic() - started)
        self._bar.update()
        return made

    def note(
        self,
        stage: str,
        config: StageConfig | None = None,
        figures: Mapping[str, Any] | None = None,
        seconds: float = 0,
    ) -> None:
        """Note a step, as the manifest of an artifact does."""
        self.manifests.append(
            Manifest(
                stage=stage,
                key="",
                inputs={},
                config=config.model_dump(mode="json") if config else {},
                files={},
                metrics=dict(figures or {}),
                versions={name: version(name) for name in ("latentflix", "numpy", "pandas", "scikit-learn")},
                made_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                seconds=round(seconds, 3),
            )
        )

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
