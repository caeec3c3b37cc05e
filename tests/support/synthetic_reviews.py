"""Sources of reviews whose answers are planted, and films and texts for them."""

import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np

from latentflix.reviews.sources.protocol import Answer, Check, Film, Review

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [f"{first}{second}{third}" for first in "bdfgkl" for second in "aeiou" for third in ("n", "rt", "st", "ck")]


WORKS = Check(True)


def films(count):
    return [Film(f"Film {number}", 1990, f"tt{number:07d}") for number in range(1, count + 1)]


def write(seed, length=60):
    return " ".join(np.random.default_rng(list(str(seed).encode())).choice(WORDS, length))


def review(tconst, number, text=None, source="planted", **fields):
    fields = {"written_at": BEGAN - timedelta(days=number), **fields}
    return Review(tconst, source, f"{tconst}-{number}", text or write(f"{tconst} {number}"), **fields)


class PlantedSource:
    """Answers with what is planted: `per_film` reviews of each film, or what `answers` names for a film, in turn.

    An answer that is an exception is raised. asked: how often each film was asked about. since: what was passed last.
    """

    def __init__(self, name="planted", per_film=3, answers=None, works=WORKS, pause=0.0):
        self.name, self.per_film, self.works, self.pause = name, per_film, works, pause
        self.answers = {tconst: list(planned) for tconst, planned in (answers or {}).items()}
        self.asked, self.since = Counter(), {}
        self._lock = threading.Lock()

    def check(self):
        return self.works

    def fetch(self, film, since, limit):
        with self._lock:
            self.asked[film.tconst] += 1
            self.since[film.tconst] = since
            planned = self.answers.get(film.tconst)
            answer = planned.pop(0) if planned else None
        time.sleep(self.pause)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        found = [review(film.tconst, number, source=self.name) for number in range(self.per_film)]
        return Answer("ok", tuple(each for each in found if not since or each.written_at > since)[:limit])
