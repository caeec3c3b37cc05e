import pandas as pd

from latentflix.reviews.attribution import CORPUS, attribution_by_review, attributions, count_sources

STORED = pd.DataFrame(
    {
        "item_id": [1, 1, 2, 3],
        "source": ["wikipedia", "file", "wikipedia", "wikipedia"],
        "attribution": ["“Heat”, CC BY-SA 4.0", None, "“Alien”, CC BY-SA 4.0", "“Alien”, CC BY-SA 4.0"],
    }
)


def test_items_and_reviews_are_counted_by_source_or_else_belong_to_the_corpus():
    assert count_sources(STORED).to_dict("index") == {
        "wikipedia": {"items": 3, "reviews": 3},
        "file": {"items": 1, "reviews": 1},
    }
    counts = count_sources(STORED.drop(columns=["source", "attribution"]))
    assert counts.to_dict("index") == {CORPUS: {"items": 3, "reviews": 4}}


def test_each_attribution_is_listed_once_and_reviews_that_have_one_are_credited():
    assert attributions(STORED) == ["“Alien”, CC BY-SA 4.0", "“Heat”, CC BY-SA 4.0"]
    assert attributions(STORED.drop(columns="attribution")) == []
    stored = STORED.assign(review_id=["a", "b", "c", "d"])
    assert attribution_by_review(stored) == {
        "a": "“Heat”, CC BY-SA 4.0",
        "c": "“Alien”, CC BY-SA 4.0",
        "d": "“Alien”, CC BY-SA 4.0",
    }
    assert attribution_by_review(stored.drop(columns="attribution")) == {}
