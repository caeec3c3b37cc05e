"""What happens where the server does not answer, and how often progress is published."""

import logging
from unittest.mock import Mock

import pytest
from httpx import ConnectError

from latentflix.report.highlights import Table, Text
from latentflix.training import Epoch
from tasks import ui
from tasks.ui import progress_publisher, publish

HIGHLIGHTS = [Table("a-table", "A table", [{"a": 1}]), Text("a-text", "A text", "words")]


def test_a_server_that_does_not_answer_ends_no_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("create_table_artifact", "create_markdown_artifact", "create_progress_artifact"):
        monkeypatch.setattr(ui, name, Mock(side_effect=ConnectError("no answer")))
    with caplog.at_level(logging.WARNING, "latentflix"):
        publish(HIGHLIGHTS)
        progress_publisher()(Epoch("a training", 1, 2, {}))
    assert [record.getMessage() for record in caplog.records] == [
        "the UI will not show a-table: no answer",
        "the UI will not show a-text: no answer",
        "the UI will not show epoch 1 of a training: no answer",
    ]


def test_short_epochs_are_published_now_and_then_and_the_last_one_always(monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[tuple[object, ...]] = []
    monkeypatch.setattr(ui, "create_progress_artifact", lambda *arguments: published.append(arguments) or "id")
    monkeypatch.setattr(ui, "update_progress_artifact", lambda *arguments: published.append(arguments))
    show = progress_publisher()
    for done in range(1, 101):
        show(Epoch("collab bias, seeds 0 to 3", done, 100, {"mse": 1 / done}))
    first, *_, last = published
    assert len(published) < 10
    assert first == (1, "training-collab-bias-seeds-0-to-3", "collab bias, seeds 0 to 3: epoch 1 of 100: mse 1.0000")
    assert last == ("id", 100, "collab bias, seeds 0 to 3: epoch 100 of 100: mse 0.0100")
