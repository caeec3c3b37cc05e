"""The reviews of the labelled films."""

from dataclasses import asdict

from latentflix.reviews import ReviewConfig, film_links, gather_reviews, review_links
from tasks.stage import Artifact, Handle, Store, stage


@stage("reviews", "reviews")
def join_film_reviews(
    artifact: Artifact, store: Store, corpus: Handle, ratings: Handle, labels: Handle, *, config: ReviewConfig
) -> None:
    """Join reviews and films, and say how many of the films have any."""
    films = store.read_table(ratings, "films")
    reviews, coverage = gather_reviews(
        store.read_table(corpus, "reviews"),
        films,
        store.read_table(labels, "films")["movie_id"],
        review_links(),
        film_links(films),
        config,
    )
    artifact.write_table("reviews", reviews)
    # Of no film that is asked for may the language model read a review before it is held out.
    artifact.write_table("unread", reviews[["review_id"]])
    artifact.metrics.update(asdict(coverage))
