from types import SimpleNamespace

import pytest

from flows import steps
from latentflix.artifacts import Handle
from latentflix.errors import DataUnavailable
from latentflix.settings import FullSettings


@pytest.mark.parametrize(
    ("source", "available", "expected"),
    [
        (
            {"data_set": "movielens_1m"},
            {"movielens_20m_items", "movielens_100k"},
            ["movielens_20m_items", "movielens_100k"],
        ),
        ({"data_set": "movielens_10m"}, {"movielens_latest_small"}, ["movielens_latest_small"]),
        ({"data_set": "movielens_1m"}, set(), []),
        ({"data_set": "movielens_20m"}, {"movielens_20m_items"}, []),
        ({"path": "mine.csv"}, {"movielens_20m_items"}, []),
        ({"path": "ml-1m", "links": "movielens_latest_small"}, {"movielens_latest_small"}, ["movielens_latest_small"]),
    ],
)
def test_links_come_from_the_first_set_that_can_be_had(monkeypatch, caplog, source, available, expected):
    def fetch(_, __, name):
        if name not in available:
            raise DataUnavailable(f"{name} could not be fetched")
        return Handle(stage="datasets", key=name)

    monkeypatch.setattr(steps, "fetch", fetch)
    found = steps._fetch_links(None, FullSettings.model_validate({"ratings_source": source}))
    assert [handle.key for handle in found] == expected
    wanted = bool(FullSettings.model_validate({"ratings_source": source}).ratings_source.link_sets)
    assert ("fewer items can be linked to IMDb" in caplog.text) == (wanted and len(expected) < 2)


class Runner:
    """Stands in for a runner of stages: what the factors' mean stability is from so many tasks."""

    def __init__(self, stability):
        self.stability, self.store, self.tasks = stability, self, 0

    def map(self, _, *, configs, **_inputs):
        self.tasks = len(configs)
        return [Handle(stage="collab", key=str(config.seed)) for config in configs]

    def __call__(self, _, *, fits, **_inputs):
        return fits

    def manifest(self, fits):
        return SimpleNamespace(metrics={"fits": 10 * len(fits), "mean_stability": self.stability[len(fits)]})


@pytest.mark.parametrize(
    ("n_seeds", "stability", "expected"),
    [
        (10, {}, 1),
        (20, {}, 2),
        (80, {2: 0.5, 4: 0.519}, 4),
        (80, {2: 0.5, 4: 0.6}, 8),
        (60, {2: 0.5, 4: 0.6}, 6),
    ],
)
def test_seeds_are_added_until_the_factors_gain_too_little_stability(n_seeds, stability, expected):
    collab = {"n_seeds": n_seeds, "seeds_per_task": 10}
    runner = Runner(stability)
    fits = steps.fit_until_stable(
        runner, Handle(stage="ratings", key="0"), FullSettings.model_validate({"collab": collab})
    )
    assert runner.tasks == len(fits) == expected
    assert [handle.key for handle in fits] == [str(10 * number) for number in range(expected)]
