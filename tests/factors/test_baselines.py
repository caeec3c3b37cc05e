import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.factors.baselines import BaselineConfig, VectorConfig, predict_by_vectors, predict_by_words
from latentflix.reviews.join import ReviewConfig, join_reviews
from tests.support.synthetic_world import make_world

LABELS = ["A+", "A-", "B+", "B-"]


@pytest.fixture(scope="module")
def reviews_and_labels():
    world = make_world(n_films=60, n_factors=2, word_share=0.25)
    films = read_ratings(world.ratings, world.items, RatingsConfig()).films
    reviews, _ = join_reviews(
        world.reviews, films, films.index.to_series(), world.review_films, world.film_titles, ReviewConfig()
    )
    leaning = world.true_factors.stack()
    film_labels = pd.DataFrame(
        [(movie_id, factor + ("+" if score > 0 else "-")) for (movie_id, factor), score in leaning.items()],
        columns=["movie_id", "label"],
    )
    return reviews, film_labels


def fold_masks(reviews, n_folds=3):
    return pd.DataFrame(
        {str(fold): (reviews["movie_id"] % n_folds == fold).to_numpy() for fold in range(n_folds)},
        index=reviews["review_id"],
    )


def small_case():
    reviews = pd.DataFrame(
        {
            "review_id": list("abcdefgh"),
            "movie_id": [1, 1, 2, 2, 3, 3, 4, 4],
            "text": ["war guns", "guns war", "love kiss", "kiss love", "war guns", "guns", "love kiss", "kiss"],
        }
    )
    film_labels = pd.DataFrame({"movie_id": [1, 2, 3, 4], "label": ["1+", "1-", "1+", "1-"]})
    held_out = pd.DataFrame({"0": reviews["movie_id"].isin([3, 4]).to_numpy()}, index=reviews["review_id"])
    return reviews, film_labels, held_out


def test_planted_words_tell_the_labels_of_unseen_films(reviews_and_labels):
    reviews, film_labels = reviews_and_labels
    table = predict_by_words(reviews, film_labels, LABELS, fold_masks(reviews), BaselineConfig())
    carried = film_labels.assign(carried=1).pivot(index="movie_id", columns="label", values="carried").fillna(0)
    movie_ids = reviews.set_index("review_id")["movie_id"]
    films = table[LABELS].groupby(movie_ids[table["review_id"]].to_numpy()).mean()
    for label in LABELS:
        assert roc_auc_score(carried.loc[films.index, label], films[label]) > 0.9


def test_every_held_out_review_has_one_row_a_classifier(reviews_and_labels):
    reviews, film_labels = reviews_and_labels
    masks = fold_masks(reviews)
    table = predict_by_words(reviews, film_labels, LABELS, masks, BaselineConfig())
    assert list(table.columns) == ["classifier", "review_id", *LABELS]
    for name in masks.columns:
        assert table.loc[table["classifier"] == name, "review_id"].tolist() == masks.index[masks[name]].tolist()
    assert table[LABELS].to_numpy().min() >= 0
    assert table[LABELS].to_numpy().max() <= 1
    assert (table[LABELS].dtypes == np.float32).all()


def test_masks_are_found_by_review_not_by_row():
    reviews, film_labels, held_out = small_case()
    config = BaselineConfig(min_reviews=1)
    one, other = (
        predict_by_words(reviews, film_labels, ["1+"], masks, config) for masks in (held_out, held_out.iloc[::-1])
    )
    pd.testing.assert_frame_equal(one, other)
    assert one["review_id"].tolist() == list("efgh")
    assert (one["1+"] > 0.5).tolist() == [True, True, False, False]


@pytest.mark.parametrize("carried", [0, 1])
def test_a_label_that_all_or_no_films_carry_gets_its_constant(carried):
    reviews, film_labels, held_out = small_case()
    constant = pd.DataFrame({"movie_id": [1, 2] if carried else [3, 4], "label": "always"})
    table = predict_by_words(
        reviews, pd.concat([film_labels, constant]), ["always", "1+"], held_out, BaselineConfig(min_reviews=1)
    )
    assert table["always"].tolist() == [carried] * 4
    assert table["1+"].min() < table["1+"].max()


def test_held_out_labels_are_not_learned_from():
    reviews, film_labels, held_out = small_case()
    swapped = film_labels.assign(label=["1+", "1-", "1-", "1+"])
    config = BaselineConfig(min_reviews=1)
    one, other = (predict_by_words(reviews, table, ["1+"], held_out, config) for table in (film_labels, swapped))
    pd.testing.assert_frame_equal(one, other)


def test_a_film_of_many_reviews_does_not_outvote_the_others():
    texts = ["war"] * 16 + ["war", "love", "love"]
    reviews = pd.DataFrame({"text": [*texts, "war"], "movie_id": [1] * 16 + [2, 3, 4, 5]})
    reviews["review_id"] = [f"r{row}" for row in range(20)]
    film_labels = pd.DataFrame({"movie_id": [1], "label": "1+"})
    held_out = pd.DataFrame({"0": reviews["movie_id"].to_numpy() == 5}, index=reviews["review_id"])
    config = BaselineConfig(min_reviews=1, max_share=1, inverse_regularization=1e6)
    table = predict_by_words(reviews, film_labels, ["1+"], held_out, config)
    assert table["1+"].tolist() == pytest.approx([4 / 5], abs=0.01)


def make_case(n_films=40, per_film=3, size=6, seed=0):
    random = np.random.default_rng(seed)
    films = np.repeat(np.arange(n_films), per_film)
    leaning = random.normal(size=n_films)
    vectors = random.normal(size=(len(films), size)).astype(np.float32)
    vectors[:, 0] += 3 * leaning[films]
    reviews = pd.DataFrame({"review_id": [f"r{row}" for row in range(len(films))], "movie_id": films})
    rows = [(film, "1+" if lean > 0 else "1-") for film, lean in enumerate(leaning)] + [
        (film, "all") for film in range(n_films)
    ]
    held_out = pd.DataFrame({"0": films % 2 == 0, "1": films % 2 == 1}, index=reviews["review_id"])
    return reviews, vectors, pd.DataFrame(rows, columns=["movie_id", "label"]), held_out, leaning


def test_a_planted_direction_tells_films_that_were_held_out():
    reviews, vectors, film_labels, held_out, leaning = make_case()
    config = VectorConfig(inverse_regularization=1)
    table = predict_by_vectors(reviews, vectors, film_labels, ["1+", "1-"], held_out, config)
    assert list(table.columns) == ["classifier", "review_id", "1+", "1-"]
    films = reviews.set_index("review_id")["movie_id"][table["review_id"]].to_numpy()
    assert ((table["1+"] > 0.5) == (leaning[films] > 0)).mean() > 0.8
    for name in ("0", "1"):
        said = table.loc[table["classifier"] == name, "review_id"].tolist()
        assert said == held_out.index[held_out[name]].tolist()


def test_held_out_labels_are_nothing_to_what_is_said():
    reviews, vectors, film_labels, held_out, _ = make_case()
    other = film_labels.assign(label=np.where(film_labels["movie_id"] % 2 == 0, "1+", film_labels["label"]))
    other = other.drop_duplicates()
    tables = [
        predict_by_vectors(reviews, vectors, each, ["1+"], held_out[["0"]], VectorConfig())
        for each in (film_labels, other)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_a_label_that_all_films_carry_gets_its_constant():
    reviews, vectors, film_labels, held_out, _ = make_case()
    table = predict_by_vectors(reviews, vectors, film_labels, ["all", "none"], held_out, VectorConfig())
    assert table["all"].tolist() == [1] * len(reviews)
    assert table["none"].tolist() == [0] * len(reviews)
    assert table["all"].dtype == np.float32


def test_stronger_regularization_says_less():
    reviews, vectors, film_labels, held_out, _ = make_case()
    weak, strong = (
        predict_by_vectors(
            *(reviews, vectors, film_labels, ["1+"], held_out[["0"]]),
            VectorConfig(inverse_regularization=value),
        )["1+"]
        for value in (1.0, 1e-4)
    )
    assert 0 < strong.std() < 0.1 * weak.std()
