"""How well genres are told."""

from latentflix.calibration import calibration_error
from latentflix.genre_evaluation import (
    OURS,
    WORDS,
    GenreEvaluation,
    GenreEvaluationConfig,
    evaluate_genres,
)
from tasks.stage import Artifact, Handle, Store, stage

_TABLES = ("scores", "genres", "curve", "calibration", "confusion")


@stage("genre_evaluation", "genre_evaluation")
def score_genres(
    artifact: Artifact, store: Store, plots: Handle, genres: Handle, *, config: GenreEvaluationConfig
) -> None:
    """Score the test plots' genres beside words alone and a plain guess."""
    evaluation = evaluate_genres(
        {
            name: store.read_table(genres, table)
            for name, table in ((OURS, "probabilities"), ("vectors", "vectors"), (WORDS, "words"))
        },
        store.read_table(plots, "carried"),
        store.read_table(plots, "plots")["part"],
        store.manifest(genres).config["shrinkage"],
        config,
    )
    for name in _TABLES:
        artifact.write_table(name, getattr(evaluation, name))
    artifact.metrics["calibration_error"] = calibration_error(evaluation.calibration)


def read_evaluation(store: Store, handle: Handle) -> GenreEvaluation:
    """The evaluation of a genre_evaluation artifact."""
    return GenreEvaluation(**{name: store.read_table(handle, name) for name in _TABLES})
