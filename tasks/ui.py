"""What the Prefect UI shows of a run: highlights as Prefect artifacts, and the progress of trainings.

Prefect's client repeats a request that the server is too busy for. What still fails costs the UI an artifact, not the
run its result.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from httpx import HTTPError
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from latentflix.report.highlights import Highlight, Table, Text
from latentflix.training import Epoch

if TYPE_CHECKING:
    from uuid import UUID

logger = logging.getLogger("latentflix.ui")

# A request takes as long as many small epochs.
_SECONDS_BETWEEN_UPDATES = 1.0


def publish(highlights: Iterable[Highlight]) -> None:
    """Show highlights on the page of the run. If the server cannot be reached, that is only logged."""
    for highlight in highlights:
        try:
            match highlight:
                case Table(name, title):
                    create_table_artifact(table=highlight.cells(), key=name, description=title)
                case Text(name, title, markdown):
                    create_markdown_artifact(markdown=markdown, key=name, description=title)
        except HTTPError as error:
            logger.warning("the UI will not show %s: %s", highlight.name, error)


def progress_publisher() -> Callable[[Epoch], None]:
    """Make a function that shows the progress of each training of a task as a progress artifact."""
    # By training: its artifact, and when it was last updated.
    shown: dict[str, tuple[UUID, float]] = {}

    def show(epoch: Epoch) -> None:
        percent = 100 * epoch.done / epoch.planned
        now = time.monotonic()
        scores = ", ".join(f"{name} {value:.4f}" for name, value in epoch.scores.items())
        description = f"{epoch.training}: epoch {epoch.done} of {epoch.planned}: {scores}"
        try:
            if epoch.training not in shown:
                key = re.sub("[^a-z0-9]+", "-", epoch.training.lower())
                artifact = cast("UUID", create_progress_artifact(percent, f"training-{key}", description))
                shown[epoch.training] = artifact, now
            elif epoch.done == epoch.planned or now - shown[epoch.training][1] > _SECONDS_BETWEEN_UPDATES:
                artifact, _ = shown[epoch.training]
                update_progress_artifact(artifact, percent, description)
                shown[epoch.training] = artifact, now
        except HTTPError as error:
            logger.warning("the UI will not show epoch %d of %s: %s", epoch.done, epoch.training, error)

    return show
