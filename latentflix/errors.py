"""What can go wrong. Every message says what, where, found, expected and what to do."""

from collections.abc import Mapping
from typing import Literal


class LatentflixError(Exception):
    """An error whose cause lies outside the program and which its user can remove. stage: empty outside of stages."""

    stage = ""

    def __init__(self, what: str, *, where: str = "", found: str = "", expected: str = "", hint: str = "") -> None:
        parts = {"where": where, "found": found, "expected": expected, "what to do": hint}
        self.message = "; ".join([what, *(f"{name}: {text}" for name, text in parts.items() if text)])
        super().__init__(self.message)

    def __str__(self) -> str:
        """The stage and the message; not `args`, to which fastai adds its own text when a callback raises."""
        return f"{self.stage}: {self.message}" if self.stage else self.message


class SettingsError(LatentflixError):
    """A setting is unknown, of the wrong type, out of bounds, or contradicts another."""


class DataError(LatentflixError):
    """Data are not what they should be."""


class DataUnavailable(DataError):
    """A data set could not be fetched now; trying again may help."""


class NotEnoughData(LatentflixError):
    """There are too few items, factors or fits for what is asked."""


class NotFound(LatentflixError):
    """A name or id that this run or recommender does not know, or that fits more than one item."""


class ModelError(LatentflixError):
    """A model and what is asked of it do not fit together."""


class TrainingError(LatentflixError):
    """A training, or a process that takes part in one, failed."""


class DependencyError(LatentflixError):
    """An optional package or a service is missing."""


class ArtifactError(LatentflixError):
    """An artifact is missing, was altered, or cannot be written."""


class FetchError(LatentflixError):
    """A request failed."""


class PermanentFetchError(FetchError):
    """A request failed, and the same would fail again. outcome: what that means for the film that was asked about."""

    def __init__(
        self, what: str, *, outcome: Literal["not_covered", "blocked", "error"] = "error", **details: str
    ) -> None:
        super().__init__(what, **details)
        self.outcome = outcome


class TransientFetchError(FetchError):
    """A request failed that may succeed later.

    Attributes:
        retry_after: seconds that the server asks to wait; None if it does not say.
        films: of a batch, the films without an answer, by IMDb id, and why; empty for a single request.
    """

    def __init__(
        self, what: str, *, retry_after: float | None = None, films: Mapping[str, str] | None = None, **details: str
    ) -> None:
        super().__init__(what, expected="an answer", hint="try again later", **details)
        self.retry_after = retry_after
        self.films = dict(films or {})


class StoreError(LatentflixError):
    """The review store cannot be read or written, or is not what it should be."""


class StoreConflict(StoreError):
    """Another writer changed the same part of the review store: nothing was written, trying again may help."""


class StageFailed(Exception):
    """A stage failed for a cause that the program does not foresee."""
