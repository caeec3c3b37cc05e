import numpy as np
import pandas as pd

from latentflix.vectors import VectorConfig, predict_by_vectors


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
