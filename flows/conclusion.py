"""How every flow that makes a page ends."""

from collections.abc import Mapping
from typing import Any

from flows.command_line import Outcome
from latentflix.report.highlights import page_text
from latentflix.report.rendering import PAGE
from latentflix.settings import FlowSettings
from tasks.publishing import publish
from tasks.stage import Handle, StageRunner


def conclude(
    run: StageRunner, page: Handle, sentence: str, headline: Mapping[str, Any], settings: FlowSettings
) -> Outcome:
    """Show where the page of the run is and what it says, and return the same."""
    publish([page_text(run.store, page, sentence, settings.artifacts_url)])
    return Outcome(
        report=str((run.store.path(page) / PAGE).resolve()),
        headline=dict(headline),
        sentence=sentence,
        seconds=run.seconds,
        cached=run.cached,
    )
