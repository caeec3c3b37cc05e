from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from latentflix.factors.drift import DriftConfig, StoredDriftConfig, compare_histograms, find_new_reviews
from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.factors.histograms import HistogramConfig
from latentflix.reviews.store import ReviewStore
from tests.support.synthetic_reviews import BEGAN, review, write

LABELS = ["1+", "1-", "2+", "2-"]
ITEMS = pd.DataFrame({"tconst": ["tt1", "tt2", None]}, index=pd.Index([1, 2, 3], name="item_id"))
FOLDS = pd.Series([0, 1], index=pd.Index([1, 9], name="item_id"), name="fold")
LATER = BEGAN + timedelta(days=7)
TOP_1 = HistogramConfig(top_k=1)


@pytest.fixture
def store(tmp_path):
    store = ReviewStore(str(tmp_path))
    store.merge([review("tt1", 1), review("tt2", 1)], BEGAN)
    store.merge([review("tt1", number) for number in (1, 2, 3)], LATER)
    store.merge([review("tt2", 2), review("tt5", 2), review("tt1", 4, kind="plot")], LATER)
    return store


def config(store, **changed):
    known = {"store": store.uri, "store_id": store.table_id(), "store_version": store.version()}
    return StoredDriftConfig(**known | {"new_since": LATER.isoformat()} | changed)


def read(*reviews):
    return pd.DataFrame({"review_id": [each.content_sha256 for each in reviews]}, dtype="str")


def found(store, *known, **changed):
    return find_new_reviews(ITEMS, read(*known), FOLDS, config(store, **changed))


def test_new_reviews_are_those_of_the_refresh_and_version_that_the_run_has_not_read(store):
    new = found(store, review("tt1", 3)).reviews
    assert sorted(zip(new["item_id"], new["review_id"], strict=True)) == sorted(
        [(1, review("tt1", 2).content_sha256), (2, review("tt2", 2).content_sha256)]
    )
    assert sorted(found(store, store_version=2).reviews["item_id"]) == [1, 1]
    assert found(store, store_version=1).reviews.empty


def test_new_reviews_are_cleaned_and_a_text_of_several_items_is_left_out(store):
    text = write("both")
    store.merge([review("tt1", 7, text), review("tt2", 8, text)], LATER)
    assert review("tt1", 7, text).content_sha256 not in set(found(store).reviews["review_id"])
    store.merge([review("tt1", 5, "<script>x</script>Good <b>item</b>" + write(1))], LATER)
    assert any(text.startswith("Good  item") for text in found(store).reviews["text"])
    assert not found(store).reviews["text"].str.contains("<").any()


def test_reviews_that_are_too_long_are_left_out(store):
    store.merge([review("tt1", 5, "<b>" * 1000 + "short"), review("tt1", 6, "long " * 1000)], LATER)
    assert len(found(store, max_characters=2000).reviews) == len(found(store).reviews) - 2 == 3


def test_a_review_is_predicted_by_classifiers_that_have_not_read_about_its_item(store):
    new = found(store)
    by_item = new.held_out.groupby(new.reviews["item_id"].to_numpy()).first()
    assert by_item.loc[1].to_dict() == {"0": True, "1": False}
    assert by_item.loc[2].to_dict() == {"0": True, "1": True}
    assert new.held_out.index.tolist() == new.reviews["review_id"].tolist()


def predict(*rows, classifier="0"):
    """One prediction per row: the review and the label that it votes for."""
    table = pd.DataFrame(np.eye(4, dtype=np.float32)[[LABELS.index(label) for _, label in rows]], columns=LABELS)
    table.insert(0, "review_id", [name for name, _ in rows])
    table.insert(0, "classifier", classifier)
    return table


def of_items(**items):
    return pd.DataFrame({"review_id": list(items), "item_id": list(items.values())}).astype({"item_id": "int32"})


PREVIOUS = (predict(("a", "1+"), ("b", "1+"), ("c", "2+")), of_items(a=1, b=1, c=2))


def compare(new, previous=PREVIOUS, **settings):
    return compare_histograms(previous, new, LABELS, TOP_1, DriftConfig(**settings)).set_index("item_id")


def test_a_histogram_drifts_by_the_share_of_votes_that_went_elsewhere_and_stays_if_none_did():
    drift = compare((predict(("d", "1-"), ("e", "2-")), of_items(d=1, e=1)))
    assert drift.loc[1, ["reviews", "new_reviews", "drifted", "lost"]].tolist() == [2, 2, True, "1+"]
    assert drift.loc[1, "distance"] == pytest.approx(0.5)
    assert set(drift.loc[1, "gained"].split(", ")) == {"1-", "2-"}
    assert list(drift.index) == [1]
    same = compare((predict(("d", "1+")), of_items(d=1)))
    assert same.loc[1, ["distance", "drifted", "gained", "lost"]].tolist() == [0, False, "", ""]


@pytest.mark.parametrize(("drifted_from", "drifted"), [(0.3, True), (0.34, False)])
def test_a_histogram_has_drifted_from_the_distance_in_the_settings(drifted_from, drifted):
    drift = compare((predict(("d", "1-")), of_items(d=1)), drifted_from=drifted_from)
    assert drift.loc[1, "distance"] == pytest.approx(1 / 3)
    assert drift.loc[1, "drifted"] == drifted


def test_an_item_drifts_with_its_first_reviews():
    drift = compare((predict(("d", "2-")), of_items(d=7)))
    assert drift.loc[7, ["reviews", "new_reviews", "drifted", "gained"]].tolist() == [0, 1, True, "2-"]
    assert np.isnan(drift.loc[7, "distance"])


def test_items_that_drifted_most_come_first_and_without_new_reviews_nothing_drifts():
    new = predict(("d", "1+"), ("e", "2-"), ("f", "2-"))
    assert compare((new, of_items(d=1, e=2, f=2))).index.tolist() == [2, 1]
    drift = compare((predict(), of_items()))
    assert drift.empty
    assert "distance" in drift


def test_several_classifiers_of_a_review_count_once_and_that_of_the_random_split_does_not():
    both = pd.concat([predict(("d", "1-")), predict(("d", "1-"), classifier="1")])
    assert compare((both, of_items(d=1))).loc[1, "distance"] == pytest.approx(1 / 3)
    leaking = (pd.concat([PREVIOUS[0], predict(("a", "2-"), classifier=RANDOM_SPLIT)]), PREVIOUS[1])
    assert compare((predict(("d", "1+")), of_items(d=1)), leaking).loc[1, "distance"] == 0
