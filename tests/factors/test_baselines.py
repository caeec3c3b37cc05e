import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from latentflix.factors.baselines import (
    BaselineConfig,
    EmbeddingBaselineConfig,
    predict_by_embeddings,
    predict_by_tfidf,
)
from tests.support.synthetic_world import join_world, make_world

LABELS = ["A+", "A-", "B+", "B-"]
ALL_WORDS = BaselineConfig(min_df=1)


@pytest.fixture(scope="module")
def reviews_and_labels():
    world = make_world(n_items=60, n_factors=2, word_share=0.25)
    item_labels = pd.DataFrame(
        [(item, factor + ("+" if score > 0 else "-")) for (item, factor), score in world.true_factors.stack().items()],
        columns=["item_id", "label"],
    )
    return join_world(world), item_labels


def hold_out(reviews, n_folds):
    masks = {str(fold): (reviews["item_id"] % n_folds == fold).to_numpy() for fold in range(n_folds)}
    return pd.DataFrame(masks, index=reviews["review_id"])


def make_texts():
    texts = ["war guns", "guns war", "love kiss", "kiss love", "war guns", "guns", "love kiss", "kiss"]
    reviews = pd.DataFrame({"review_id": list("abcdefgh"), "item_id": [1, 1, 2, 2, 3, 3, 4, 4], "text": texts})
    item_labels = pd.DataFrame({"item_id": [1, 2, 3, 4], "label": ["1+", "1-", "1+", "1-"]})
    return reviews, item_labels, pd.DataFrame({"0": reviews["item_id"].isin([3, 4]).to_numpy()}, list("abcdefgh"))


def make_embeddings(n_items=40, per_item=3, size=6):
    random = np.random.default_rng(0)
    items = np.repeat(np.arange(n_items), per_item)
    leaning = random.normal(size=n_items)
    embeddings = random.normal(size=(len(items), size)).astype(np.float32)
    embeddings[:, 0] += 3 * leaning[items]
    reviews = pd.DataFrame({"review_id": [f"r{row}" for row in range(len(items))], "item_id": items})
    item_labels = pd.DataFrame({"item_id": range(n_items), "label": np.where(leaning > 0, "1+", "1-")})
    return reviews, embeddings, item_labels, hold_out(reviews, 2), leaning


def predict(method, labels=("1+",), change=lambda item_labels: item_labels):
    """What a method predicts in its small case when the labels are changed."""
    if method == "tfidf":
        reviews, item_labels, held_out = make_texts()
        return predict_by_tfidf(reviews, change(item_labels), labels, held_out, ALL_WORDS)
    reviews, embeddings, item_labels, held_out, _ = make_embeddings()
    held_out = held_out[["0"]]
    return predict_by_embeddings(reviews, embeddings, change(item_labels), labels, held_out, EmbeddingBaselineConfig())


def test_synthetic_words_predict_the_labels_of_unseen_items(reviews_and_labels):
    reviews, item_labels = reviews_and_labels
    table = predict_by_tfidf(reviews, item_labels, LABELS, hold_out(reviews, 3), BaselineConfig())
    has_label = item_labels.assign(value=1).pivot(index="item_id", columns="label", values="value").fillna(0)
    item_ids = reviews.set_index("review_id")["item_id"]
    items = table[LABELS].groupby(item_ids[table["review_id"]].to_numpy()).mean()
    for label in LABELS:
        assert roc_auc_score(has_label.loc[items.index, label], items[label]) > 0.9


def test_a_synthetic_direction_predicts_the_labels_of_unseen_items_and_less_so_with_more_regularization():
    reviews, embeddings, item_labels, held_out, leaning = make_embeddings()
    tables = [
        predict_by_embeddings(reviews, embeddings, item_labels, ["1+", "1-"], held_out, config)
        for config in (EmbeddingBaselineConfig(inverse_regularization=value) for value in (1.0, 1e-4))
    ]
    items = reviews.set_index("review_id")["item_id"][tables[0]["review_id"]].to_numpy()
    assert ((tables[0]["1+"] > 0.5) == (leaning[items] > 0)).mean() > 0.8
    weak, strong = (table.loc[table["classifier"] == "0", "1+"].std() for table in tables)
    assert 0 < strong < 0.1 * weak


def test_every_held_out_review_has_one_row_per_classifier(reviews_and_labels):
    reviews, item_labels = reviews_and_labels
    held_out = hold_out(reviews, 3)
    embeddings = np.random.default_rng(0).normal(size=(len(reviews), 4)).astype(np.float32)
    for table in (
        predict_by_tfidf(reviews, item_labels, LABELS, held_out, BaselineConfig()),
        predict_by_embeddings(reviews, embeddings, item_labels, LABELS, held_out, EmbeddingBaselineConfig()),
    ):
        assert list(table.columns) == ["classifier", "review_id", *LABELS]
        for name in held_out.columns:
            predicted = table.loc[table["classifier"] == name, "review_id"]
            assert predicted.tolist() == held_out.index[held_out[name]].tolist()
        assert table[LABELS].stack().between(0, 1).all()
        assert (table[LABELS].dtypes == np.float32).all()


def test_masks_are_found_by_review_not_by_row():
    reviews, item_labels, held_out = make_texts()
    first, second = (
        predict_by_tfidf(reviews, item_labels, ["1+"], masks, ALL_WORDS) for masks in (held_out, held_out.iloc[::-1])
    )
    pd.testing.assert_frame_equal(first, second)
    assert first["review_id"].tolist() == list("efgh")
    assert (first["1+"] > 0.5).tolist() == [True, True, False, False]


@pytest.mark.parametrize("method", ["tfidf", "embeddings"])
def test_a_label_of_all_or_no_items_gets_its_constant(method):
    def add(item_labels):
        return pd.concat([item_labels, item_labels.drop_duplicates("item_id").assign(label="all")])

    table = predict(method, ["all", "none", "1+"], add)
    assert table["all"].tolist() == [1] * len(table)
    assert table["none"].tolist() == [0] * len(table)
    assert table["all"].dtype == np.float32
    assert table["1+"].min() < table["1+"].max()


@pytest.mark.parametrize("method", ["tfidf", "embeddings"])
def test_nothing_is_learned_from_held_out_labels(method):
    def flip(item_labels):
        held_out = item_labels["item_id"].isin([3, 4]) if method == "tfidf" else item_labels["item_id"] % 2 == 0
        flipped = item_labels["label"].map({"1+": "1-", "1-": "1+"})
        return item_labels.assign(label=item_labels["label"].where(~held_out, flipped))

    pd.testing.assert_frame_equal(predict(method), predict(method, change=flip))


def test_an_item_with_many_reviews_does_not_outvote_the_others():
    texts = ["war"] * 16 + ["war", "love", "love"]
    reviews = pd.DataFrame({"text": [*texts, "war"], "item_id": [1] * 16 + [2, 3, 4, 5]})
    reviews["review_id"] = [f"r{row}" for row in range(20)]
    item_labels = pd.DataFrame({"item_id": [1], "label": "1+"})
    held_out = pd.DataFrame({"0": reviews["item_id"].to_numpy() == 5}, index=reviews["review_id"])
    config = BaselineConfig(min_df=1, max_df=1, inverse_regularization=1e6)
    table = predict_by_tfidf(reviews, item_labels, ["1+"], held_out, config)
    assert table["1+"].tolist() == pytest.approx([4 / 5], abs=0.01)
