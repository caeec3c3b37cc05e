"""The reviews that come with the software: the labelled half of the Large Movie Review Dataset, joined to its films."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from latentflix.reviews.sources.protocol import Answer, Check, Film, Review


class CorpusSource:
    """Answers from the corpus, without any network."""

    name = "corpus"

    def __init__(self, texts: Iterable[str], links: pd.DataFrame) -> None:
        """Join the texts to their films. links: as `latentflix.reviews.join.review_links`.

        A text that stands under several films is nobody's.
        """
        by_hash = {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}
        links = links.drop_duplicates(["review_sha256", "tconst"])
        only = links[~links["review_sha256"].duplicated(keep=False)]
        only = only[only["review_sha256"].isin(by_hash)].sort_values("review_sha256")
        self._reviews: dict[str, list[Review]] = {}
        for sha256, tconst, rating in only[["review_sha256", "tconst", "rating"]].itertuples(index=False):
            review = Review(tconst, self.name, sha256, by_hash[sha256], rating=float(rating))
            self._reviews.setdefault(tconst, []).append(review)

    def check(self) -> Check:
        """It works wherever there are reviews."""
        return Check(True) if self._reviews else Check(False, "none of the corpus's reviews is linked to a film")

    def fetch(self, film: Film, since: datetime | None, limit: int) -> Answer:
        """The film's reviews, in the order of their hashes. The corpus has no dates, and never anything new."""
        reviews = self._reviews.get(film.tconst or "", ())
        if not reviews:
            return Answer("not_covered", reason="the corpus has no review of the film")
        return Answer("ok", () if since else tuple(reviews[:limit]))
