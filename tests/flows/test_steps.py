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
