"""The reviews of the labelled films."""

from dataclasses import asdict

from latentflix.reviews.join import ReviewConfig, film_links, gather_reviews, held_out_texts, review_links
from tasks.stage import Artifact, Handle, Store, stage


@stage("reviews", "reviews")
def join_film_reviews(
    artifact: Artifact, store: Store, corpus: Handle, ratings: Handle, labels: Handle, *, config: ReviewConfig
) -> None:
    """Join reviews and films, and say how many of the films have any."""
    films, movie_ids = store.read_table(ratings, "films"), store.read_table(labels, "films")["movie_id"]
    reviews, coverage = gather_reviews(
        store.read_table(corpus, "reviews"),
        films,
        movie_ids,
        review_links(),
        film_links(films),
        config,
    )
    artifact.write_table("reviews", reviews)
    artifact.write_table("unread", held_out_texts(reviews, movie_ids, review_links(), film_links(films)))
    artifact.metrics.update(asdict(coverage))
