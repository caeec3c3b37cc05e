"""What the Prefect UI shows of a run: highlights as artifacts of Prefect's, and how far trainings are."""

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

logger = logging.getLogger("latentflix.publishing")

# A call of the server takes as long as many small epochs.
_SECONDS_BETWEEN_UPDATES = 1.0


def publish(highlights: Iterable[Highlight]) -> None:
    """Show highlights on the page of the run. A server that cannot be reached is told of in the log alone."""
    for highlight in highlights:
        try:
            match highlight:
                case Table(name, title, rows):
                    create_table_artifact(table=[dict(row) for row in rows], key=name, description=title)
                case Text(name, title, markdown):
                    create_markdown_artifact(markdown=markdown, key=name, description=title)
        except HTTPError as error:
            logger.warning("the UI will not show %s: %s", highlight.name, error)


def progress_publisher() -> Callable[[Epoch], None]:
    """What shows how far each training of a task is, as a progress artifact."""
    shown: dict[str, tuple[UUID, float]] = {}

    def show(epoch: Epoch) -> None:
        percent = 100 * epoch.done / epoch.planned
        now = time.monotonic()
        scores = ", ".join(f"{name} {value:.4f}" for name, value in epoch.scores.items())
        said = f"{epoch.training}: epoch {epoch.done} of {epoch.planned}: {scores}"
        try:
            if epoch.training not in shown:
                key = re.sub("[^a-z0-9]+", "-", epoch.training.lower())
                artifact = cast("UUID", create_progress_artifact(percent, f"training-{key}", said))
                shown[epoch.training] = artifact, now
            elif epoch.done == epoch.planned or now - shown[epoch.training][1] > _SECONDS_BETWEEN_UPDATES:
                artifact, _ = shown[epoch.training]
                update_progress_artifact(artifact, percent, said)
                shown[epoch.training] = artifact, now
        except HTTPError as error:
            logger.warning("the UI will not show epoch %d of %s: %s", epoch.done, epoch.training, error)

    return show
