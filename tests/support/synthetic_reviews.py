"""A review source with scripted answers, and films and texts for it."""

import hashlib
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from latentflix.reviews.sources.protocol import Answer, Availability, Film, Review

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [f"{first}{second}{third}" for first in "bdfgkl" for second in "aeiou" for third in ("n", "rt", "st", "ck")]


def films(count):
    return [Film(f"Film {number}", 1990, f"tt{number:07d}") for number in range(1, count + 1)]


def write(seed, length=60):
    return " ".join(np.random.default_rng(list(str(seed).encode())).choice(WORDS, length))


def review(tconst, number, text=None, source="synthetic", **fields):
    fields = {"written_at": BEGAN - timedelta(days=number), **fields}
    return Review(tconst, source, f"{tconst}-{number}", text or write(f"{tconst} {number}"), **fields)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def make_links(*rows):
    """Links as `review_links` returns them. rows: text, tconst and rating of each review."""
    table = pd.DataFrame(rows, columns=["text", "tconst", "rating"]).astype({"rating": "int8"})
    return table.assign(review_sha256=table["text"].map(sha256))[["review_sha256", "tconst", "rating"]]


class SyntheticSource:
    """Answers with `per_film` reviews of each film, or with the answers scripted for a film, one after the other.

    An answer that is an exception is raised. asked: how often each film was queried. markers: the last one passed.
    """

    def __init__(self, name="synthetic", per_film=3, answers=None, unavailable="", pause=0.0, local=False):
        self.name, self.per_film, self.unavailable, self.pause, self.local = name, per_film, unavailable, pause, local
        self.answers = {tconst: list(scripted) for tconst, scripted in (answers or {}).items()}
        self.asked, self.markers = Counter(), {}
        self._lock = threading.Lock()

    def availability(self):
        return Availability(not self.unavailable, self.unavailable)

    def fetch(self, film, marker):
        with self._lock:
            self.asked[film.tconst] += 1
            self.markers[film.tconst] = marker
            scripted = self.answers.get(film.tconst)
            answer = scripted.pop(0) if scripted else None
        time.sleep(self.pause)
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            return answer
        current = str(self.per_film)
        found = (
            () if marker == current else [review(film.tconst, each, source=self.name) for each in range(self.per_film)]
        )
        return Answer("ok", tuple(found), marker=current)
