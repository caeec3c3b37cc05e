"""How well genres are told."""

from latentflix.calibration import calibration_error
from latentflix.genres.evaluation import (
    OURS,
    WORDS,
    GenreEvaluation,
    GenreEvaluationConfig,
    evaluate_genres,
)
from tasks.stage import Artifact, Handle, Store, stage


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
    artifact.write_table_fields(evaluation)
    artifact.metrics["calibration_error"] = calibration_error(evaluation.calibration)


def read_evaluation(store: Store, handle: Handle) -> GenreEvaluation:
    """The evaluation of a genre_evaluation artifact."""
    return GenreEvaluation(**store.read_table_fields(handle, GenreEvaluation))
