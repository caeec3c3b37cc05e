"""What new reviews change in the histograms of the last report."""

from latentflix.factors.drift import StoredShiftConfig, compare_histograms, find_new_reviews
from latentflix.factors.histograms import HistogramConfig
from latentflix.text.classifier import ClassifierConfig, read_reviews
from latentflix.text.predictions import PredictionConfig, predict_held_out
from tasks.stage import Artifact, Handle, Store, stage


@stage("shifts", "shifts-{config.store_version}")
def predict_new_reviews(
    artifact: Artifact,
    store: Store,
    ratings: Handle,
    reviews: Handle,
    language_model: Handle,
    classifier: Handle,
    predictions: Handle,
    histograms: Handle,
    *,
    config: StoredShiftConfig,
) -> None:
    """Predict the reviews that are new since the last run, and compare the histograms."""
    films = store.read_table(ratings, "films")
    read = store.read_table(reviews, "reviews")
    names = store.read_json(classifier, "names")
    vocabulary = store.read_json(language_model, "vocabulary")
    trained_as = ClassifierConfig.model_validate(store.manifest(classifier).config)
    new = find_new_reviews(films, read, store.read_table(classifier, "folds")["fold"], config)
    told = predict_held_out(
        {name: store.read_arrays(classifier, f"classifier_{name}") for name in names["classifiers"]},
        new.held_out,
        new.reviews["review_id"],
        read_reviews(new.reviews["text"], vocabulary, trained_as),
        vocabulary,
        names["labels"],
        trained_as,
        PredictionConfig(batch_size=config.batch_size),
    )
    shifts = compare_histograms(
        (store.read_table(predictions, "predictions"), read),
        (told, new.reviews),
        names["labels"],
        HistogramConfig.model_validate(store.manifest(histograms).config),
        config,
    )
    artifact.write_table("predictions", told)
    artifact.write_table("shifts", shifts.join(films["title"], on="movie_id"))
    artifact.metrics.update(new_reviews=len(new.reviews), films=len(shifts), moved=int(shifts["moved"].sum()))
