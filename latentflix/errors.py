"""What can go wrong, as one small tree. Every message says what, where, found, expected and what to do."""

from typing import Literal


class LatentflixError(Exception):
    """An error whose cause lies outside the program and which its user can mend. stage: in which it came up, if in one.

    A run says what its last error says, so that names the stage.
    """

    stage = ""

    def __init__(self, what: str, *, where: str = "", found: str = "", expected: str = "", remedy: str = "") -> None:
        """Put the message together from its parts; empty parts are left out."""
        parts = {"where": where, "found": found, "expected": expected, "what to do": remedy}
        self.message = "; ".join([what, *(f"{name}: {text}" for name, text in parts.items() if text)])
        super().__init__(self.message)

    def __str__(self) -> str:
        """The message. fastai puts words of its own into `args` of an error that passes through a callback."""
        return f"{self.stage}: {self.message}" if self.stage else self.message


class StageFailed(Exception):
    """A stage failed for a cause that the program does not foresee."""


class InvalidSettings(LatentflixError):
    """A setting is unknown, of the wrong type or out of its bounds."""


class DataSetError(LatentflixError):
    """A data set cannot be had, or is not what it should be."""


class DataSetUnavailable(DataSetError):
    """A data set could not be fetched now; another time it may."""


class InvalidRatings(LatentflixError):
    """The ratings or the items cannot be used as they are."""


class InvalidSplit(LatentflixError):
    """The ratings cannot be split as asked."""


class InvalidReviews(LatentflixError):
    """The reviews cannot be used as they are."""


class TokenizingStopped(LatentflixError):
    """A process that tokenises came to its end too early."""


class ProcessFailed(LatentflixError):
    """One of the processes that train a model together failed."""


class InvalidPlots(LatentflixError):
    """The plots or their genres cannot be used as they are."""


class MissingPackage(LatentflixError):
    """An optional package is not installed."""


class UnknownIds(LatentflixError):
    """A prediction is asked for of users or films that the recommender has never seen."""


class NoSharedFactors(LatentflixError):
    """A recommender has no factors that its users share with its films."""


class TooFewAxes(LatentflixError):
    """There are fewer factors than the labels need."""


class TooFewFilms(LatentflixError):
    """There are too few films to learn from or to hold out."""


class TooFewSeeds(LatentflixError):
    """There are too few fits to compare."""


class ClusterUnavailable(LatentflixError):
    """A cluster that is to run fits cannot be reached or used."""


class TrainingDiverged(LatentflixError):
    """A loss became NaN or infinite."""


class InvalidWeights(LatentflixError):
    """Saved weights do not fit the model or the vocabulary they are to be loaded with."""


class ArtifactError(LatentflixError):
    """An artifact is missing, altered or cannot be written."""


class UnknownRun(LatentflixError):
    """There is no such run."""


class UnknownFilm(LatentflixError):
    """No film, or more than one, is called so."""


class UnknownFactor(LatentflixError):
    """There is no such factor."""


class FetchFailed(LatentflixError):
    """A request failed in a way that may pass: asking again, after `retry_after` seconds, may help."""

    def __init__(self, what: str, *, retry_after: float | None = None, where: str = "", found: str = "") -> None:
        """Keep how long the other side asks to be left alone, None if it does not say."""
        super().__init__(what, where=where, found=found, expected="an answer", remedy="try again later")
        self.retry_after = retry_after


class NotFetched(LatentflixError):
    """A request brought nothing, and asking again would bring nothing else.

    `outcome` is what that means for the film that was asked about: not_covered, blocked or error.
    """

    def __init__(
        self,
        what: str,
        *,
        outcome: Literal["not_covered", "blocked", "error"] = "error",
        where: str = "",
        found: str = "",
        expected: str = "",
        remedy: str = "",
    ) -> None:
        """Keep the outcome beside the message."""
        super().__init__(what, where=where, found=found, expected=expected, remedy=remedy)
        self.outcome = outcome


class StoreError(LatentflixError):
    """The review store cannot be read or written, or is not what it should be."""


class StoreConflict(LatentflixError):
    """Another writer changed the same part of the review store: nothing was written, trying again may help."""


class NoReviewSource(LatentflixError):
    """No source of reviews is named, or none of those named can work here."""


class FilmsUnanswered(FetchFailed):
    """Some films of a batch could not be asked about; all others are done. `films` says why, by tconst."""

    def __init__(self, films: dict[str, str]) -> None:
        """Keep the films."""
        super().__init__(f"{len(films):,} films could not be asked about", found=next(iter(films.values()), ""))
        self.films = films
