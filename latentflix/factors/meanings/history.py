"""Which meanings were tested on a run: a file of JSON lines beside its artifacts, to which lines are only added."""

import fcntl
import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from latentflix.artifacts import Store
from latentflix.errors import ArtifactError
from latentflix.runs import Run
from latentflix.system.disk import advice

logger = logging.getLogger(__name__)

MEANINGS, USER = "meanings", "user"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class TestedMeaning(BaseModel):
    """A phrase that was tested.

    axis, pole: of a phrase for which all factors were tried, empty and the label of the best one. tested_by: a model's
    name, or USER.
    """

    __test__ = False
    model_config = ConfigDict(frozen=True)

    phrase: str
    axis: str
    pole: str
    by: str
    rho: float | None
    p: float | None
    tested_at: str = Field(default_factory=_now)
    tested_by: str = USER

    @property
    def question(self) -> tuple[str, ...]:
        """What was asked: the same question has the same answer, so it counts once."""
        return self.phrase.casefold(), self.axis, self.pole if self.axis else "", self.by


@dataclass(frozen=True)
class Count:
    """Where a meaning stands among all that were tested on a run, and of how many p would be below 0.05 by chance."""

    number: int
    tested: int
    expected_by_chance: float


def history_path(store: Store, run: Run) -> Path:
    """Where the meanings that were tested on a run are kept."""
    return store.root / MEANINGS / f"{run.key}.jsonl"


def add_meaning(path: Path, meaning: TestedMeaning) -> None:
    """Add a line, all of it or nothing, whoever else does. Raises ArtifactError if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # A line that was cut off must not spoil this one.
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            start = b"" if file.read() in (b"", b"\n") else b"\n"
            file.write(start + meaning.model_dump_json().encode() + b"\n")
    except OSError as error:
        raise ArtifactError(
            "the meaning was tested but cannot be counted",
            where=str(path),
            found=str(error),
            expected="a folder with free space that may be written to",
            hint=", or ".join(filter(None, (advice(error), "count yourself how many you test"))),
        ) from error


def read_meanings(path: Path) -> list[TestedMeaning]:
    """All meanings of a file, in their order; none if there is no file. Broken lines are left out, with a warning."""
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            found.append(TestedMeaning.model_validate(json.loads(line)))
        except ValueError:
            logger.warning("a tested meaning cannot be read and does not count; where: %s, line %d", path, number)
    return found


def count_meanings(tested: Iterable[TestedMeaning], meaning: TestedMeaning) -> Count:
    """Count different questions. meaning: one that was tested just now; it counts whether or not it is among them."""
    questions: Sequence[tuple[str, ...]] = list(dict.fromkeys([*(each.question for each in tested), meaning.question]))
    return Count(questions.index(meaning.question) + 1, len(questions), 0.05 * len(questions))
