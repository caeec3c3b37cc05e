import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.factors.baselines import (
    BaselineConfig,
    EmbeddingBaselineConfig,
    predict_by_embeddings,
    predict_by_tfidf,
)
from latentflix.reviews.join import ReviewConfig, join_reviews
from tests.support.synthetic_world import make_world

LABELS = ["A+", "A-", "B+", "B-"]


@pytest.fixture(scope="module")
def reviews_and_labels():
    world = make_world(n_items=60, n_factors=2, word_share=0.25)
    items = read_ratings(world.ratings, world.items, RatingsConfig()).items
    linked = items.join(world.item_titles.set_index("item_id")["tconst"])
    reviews, _ = join_reviews(world.reviews, linked, items.index.to_series(), world.review_films, ReviewConfig())
    leaning = world.true_factors.stack()
    item_labels = pd.DataFrame(
        [(item_id, factor + ("+" if score > 0 else "-")) for (item_id, factor), score in leaning.items()],
        columns=["item_id", "label"],
    )
    return reviews, item_labels


def fold_masks(reviews, n_folds=3):
    return pd.DataFrame(
        {str(fold): (reviews["item_id"] % n_folds == fold).to_numpy() for fold in range(n_folds)},
        index=reviews["review_id"],
    )


def small_case():
    reviews = pd.DataFrame(
        {
            "review_id": list("abcdefgh"),
            "item_id": [1, 1, 2, 2, 3, 3, 4, 4],
            "text": ["war guns", "guns war", "love kiss", "kiss love", "war guns", "guns", "love kiss", "kiss"],
        }
    )
    item_labels = pd.DataFrame({"item_id": [1, 2, 3, 4], "label": ["1+", "1-", "1+", "1-"]})
    held_out = pd.DataFrame({"0": reviews["item_id"].isin([3, 4]).to_numpy()}, index=reviews["review_id"])
    return reviews, item_labels, held_out


def test_planted_words_tell_the_labels_of_unseen_items(reviews_and_labels):
    reviews, item_labels = reviews_and_labels
    table = predict_by_tfidf(reviews, item_labels, LABELS, fold_masks(reviews), BaselineConfig())
    carried = item_labels.assign(carried=1).pivot(index="item_id", columns="label", values="carried").fillna(0)
    item_ids = reviews.set_index("review_id")["item_id"]
    items = table[LABELS].groupby(item_ids[table["review_id"]].to_numpy()).mean()
    for label in LABELS:
        assert roc_auc_score(carried.loc[items.index, label], items[label]) > 0.9


def test_every_held_out_review_has_one_row_a_classifier(reviews_and_labels):
    reviews, item_labels = reviews_and_labels
    masks = fold_masks(reviews)
    table = predict_by_tfidf(reviews, item_labels, LABELS, masks, BaselineConfig())
    assert list(table.columns) == ["classifier", "review_id", *LABELS]
    for name in masks.columns:
        assert table.loc[table["classifier"] == name, "review_id"].tolist() == masks.index[masks[name]].tolist()
    assert table[LABELS].to_numpy().min() >= 0
    assert table[LABELS].to_numpy().max() <= 1
    assert (table[LABELS].dtypes == np.float32).all()


def test_masks_are_found_by_review_not_by_row():
    reviews, item_labels, held_out = small_case()
    config = BaselineConfig(min_reviews=1)
    one, other = (
        predict_by_tfidf(reviews, item_labels, ["1+"], masks, config) for masks in (held_out, held_out.iloc[::-1])
    )
    pd.testing.assert_frame_equal(one, other)
    assert one["review_id"].tolist() == list("efgh")
    assert (one["1+"] > 0.5).tolist() == [True, True, False, False]


@pytest.mark.parametrize("carried", [0, 1])
def test_a_label_that_all_or_no_items_carry_gets_its_constant(carried):
    reviews, item_labels, held_out = small_case()
    constant = pd.DataFrame({"item_id": [1, 2] if carried else [3, 4], "label": "always"})
    table = predict_by_tfidf(
        reviews, pd.concat([item_labels, constant]), ["always", "1+"], held_out, BaselineConfig(min_reviews=1)
    )
    assert table["always"].tolist() == [carried] * 4
    assert table["1+"].min() < table["1+"].max()


def test_held_out_labels_are_not_learned_from():
    reviews, item_labels, held_out = small_case()
    swapped = item_labels.assign(label=["1+", "1-", "1-", "1+"])
    config = BaselineConfig(min_reviews=1)
    one, other = (predict_by_tfidf(reviews, table, ["1+"], held_out, config) for table in (item_labels, swapped))
    pd.testing.assert_frame_equal(one, other)


def test_a_item_of_many_reviews_does_not_outvote_the_others():
    texts = ["war"] * 16 + ["war", "love", "love"]
    reviews = pd.DataFrame({"text": [*texts, "war"], "item_id": [1] * 16 + [2, 3, 4, 5]})
    reviews["review_id"] = [f"r{row}" for row in range(20)]
    item_labels = pd.DataFrame({"item_id": [1], "label": "1+"})
    held_out = pd.DataFrame({"0": reviews["item_id"].to_numpy() == 5}, index=reviews["review_id"])
    config = BaselineConfig(min_reviews=1, max_df=1, inverse_regularization=1e6)
    table = predict_by_tfidf(reviews, item_labels, ["1+"], held_out, config)
    assert table["1+"].tolist() == pytest.approx([4 / 5], abs=0.01)


def make_case(n_items=40, per_item=3, size=6, seed=0):
    random = np.random.default_rng(seed)
    items = np.repeat(np.arange(n_items), per_item)
    leaning = random.normal(size=n_items)
    vectors = random.normal(size=(len(items), size)).astype(np.float32)
    vectors[:, 0] += 3 * leaning[items]
    reviews = pd.DataFrame({"review_id": [f"r{row}" for row in range(len(items))], "item_id": items})
    rows = [(item, "1+" if lean > 0 else "1-") for item, lean in enumerate(leaning)] + [
        (item, "all") for item in range(n_items)
    ]
    held_out = pd.DataFrame({"0": items % 2 == 0, "1": items % 2 == 1}, index=reviews["review_id"])
    return reviews, vectors, pd.DataFrame(rows, columns=["item_id", "label"]), held_out, leaning


def test_a_planted_direction_tells_items_that_were_held_out():
    reviews, vectors, item_labels, held_out, leaning = make_case()
    config = EmbeddingBaselineConfig(inverse_regularization=1)
    table = predict_by_embeddings(reviews, vectors, item_labels, ["1+", "1-"], held_out, config)
    assert list(table.columns) == ["classifier", "review_id", "1+", "1-"]
    items = reviews.set_index("review_id")["item_id"][table["review_id"]].to_numpy()
    assert ((table["1+"] > 0.5) == (leaning[items] > 0)).mean() > 0.8
    for name in ("0", "1"):
        said = table.loc[table["classifier"] == name, "review_id"].tolist()
        assert said == held_out.index[held_out[name]].tolist()


def test_held_out_labels_are_nothing_to_what_is_said():
    reviews, vectors, item_labels, held_out, _ = make_case()
    other = item_labels.assign(label=np.where(item_labels["item_id"] % 2 == 0, "1+", item_labels["label"]))
    other = other.drop_duplicates()
    tables = [
        predict_by_embeddings(reviews, vectors, each, ["1+"], held_out[["0"]], EmbeddingBaselineConfig())
        for each in (item_labels, other)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_a_label_that_all_items_carry_gets_its_constant():
    reviews, vectors, item_labels, held_out, _ = make_case()
    table = predict_by_embeddings(reviews, vectors, item_labels, ["all", "none"], held_out, EmbeddingBaselineConfig())
    assert table["all"].tolist() == [1] * len(reviews)
    assert table["none"].tolist() == [0] * len(reviews)
    assert table["all"].dtype == np.float32


def test_stronger_regularization_says_less():
    reviews, vectors, item_labels, held_out, _ = make_case()
    weak, strong = (
        predict_by_embeddings(
            *(reviews, vectors, item_labels, ["1+"], held_out[["0"]]),
            EmbeddingBaselineConfig(inverse_regularization=value),
        )["1+"]
        for value in (1.0, 1e-4)
    )
    assert 0 < strong.std() < 0.1 * weak.std()
