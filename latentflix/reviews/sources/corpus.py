"""The reviews that come with the software: the labelled half of the Large Movie Review Dataset, joined to its films."""

import hashlib
from collections.abc import Iterable

import pandas as pd

from latentflix.reviews.sources.protocol import Answer, Availability, Film, Review, from_data_set


class CorpusSource:
    """Answers from the corpus, without network access."""

    name = "corpus"
    local = True

    def __init__(self, texts: Iterable[str], links: pd.DataFrame) -> None:
        """Join the texts to their films by `review_links`; a text that is linked to several films is left out."""
        by_hash = {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}
        only = links.drop_duplicates(["review_sha256", "tconst"]).drop_duplicates("review_sha256", keep=False)
        only = only[only["review_sha256"].isin(by_hash)].sort_values("review_sha256")
        self._reviews: dict[str, list[Review]] = {}
        for sha256, tconst, rating in only[["review_sha256", "tconst", "rating"]].itertuples(index=False):
            review = Review(tconst, self.name, sha256, by_hash[sha256], rating=float(rating))
            self._reviews.setdefault(tconst, []).append(review)

    def availability(self) -> Availability:
        """Available if any of the corpus's reviews is linked to a film."""
        if self._reviews:
            return Availability(True)
        return Availability(False, "no review of the corpus is linked to a film")

    def fetch(self, film: Film, _marker: str) -> Answer:
        """Fetch the film's reviews, in the order of their hashes."""
        return from_data_set(self._reviews.get(film.tconst or "", ()))
