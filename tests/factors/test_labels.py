import numpy as np
import pandas as pd
import pytest

from latentflix.errors import TooFewAxes, TooFewFilms
from latentflix.factors.labels import LabelConfig, indicator_matrix, label_films

SCORES = pd.DataFrame(
    [[2.0, -1.0, 0.5], [0.1, -0.3, 0.2], [-1.0, 0.0, 3.0], [5.0, -4.0, 0.0]],
    index=pd.Index([10, 20, 30, 40], name="movie_id"),
    columns=["1", "2", "3"],
)
AXES = pd.DataFrame({"stable": True}, index=pd.Index(["1", "2", "3"], name="axis"))
OFTEN = pd.Series(100, index=SCORES.index)
TWO = LabelConfig(top_k=2)


def labels_of(labels):
    return labels.films.groupby("movie_id")["label"].agg(list).to_dict()


def test_a_film_gets_its_strongest_axes_with_their_poles_strongest_first():
    labels = label_films(SCORES, AXES, OFTEN, TWO)
    assert labels_of(labels) == {10: ["1+", "2-"], 20: ["2-", "3+"], 30: ["3+", "1-"], 40: ["1+", "2-"]}
    assert labels.films["strength"].tolist() == pytest.approx([2, 1, 0.3, 0.2, 3, 1, 5, 4])
    assert labels.films.dtypes.astype(str).to_dict() == {"movie_id": "int32", "label": "str", "strength": "float32"}


def test_labels_are_counted():
    table = label_films(SCORES, AXES, OFTEN, TWO).labels
    assert list(table.index) == ["1+", "1-", "2+", "2-", "3+", "3-"]
    assert table["axis"].tolist() == ["1", "1", "2", "2", "3", "3"]
    assert table["films"].tolist() == [2, 1, 0, 3, 2, 0]
    assert table["share"].tolist() == [0.5, 0.25, 0, 0.75, 0.5, 0]
    assert table.index[table["dominating"]].tolist() == ["2-"]


def test_labels_as_frequent_as_each_other_both_dominate():
    table = label_films(SCORES.loc[[10, 40]], AXES, OFTEN, TWO).labels
    assert table.index[table["dominating"]].tolist() == ["1+", "2-"]


def test_dropping_the_dominating_label_drops_exactly_its_carriers():
    labels = label_films(SCORES, AXES, OFTEN, TWO.model_copy(update={"drop_dominating": True}))
    assert labels_of(labels) == {30: ["3+", "1-"]}
    assert labels.films.index.tolist() == [0, 1]
    assert labels.labels["films"].tolist() == [0, 1, 0, 0, 1, 0]
    assert labels.labels["share"].tolist() == [0, 1, 0, 0, 1, 0]


def test_what_is_dropped_with_the_dominating_label_is_counted():
    kept = label_films(SCORES, AXES, OFTEN, TWO)
    assert (kept.dominating, kept.dropped, kept.unlabelled) == (("2-",), 0, 0)
    dropped = label_films(SCORES, AXES, OFTEN, TWO.model_copy(update={"drop_dominating": True}))
    assert (dropped.dominating, dropped.dropped, dropped.unlabelled) == (("2-",), 3, 0)


def test_z_scores_give_a_film_every_label_it_stands_far_enough_out_for():
    labels = label_films(SCORES, AXES, OFTEN, LabelConfig(rule="z_score", z_from=1.0))
    assert labels_of(labels) == {10: ["1+", "2-"], 30: ["3+", "1-"], 40: ["1+", "2-"]}
    assert labels.films["strength"].tolist() == [2, 1, 3, 1, 5, 4]
    assert labels.films.dtypes.astype(str).to_dict() == {"movie_id": "int32", "label": "str", "strength": "float32"}


def test_films_without_a_label_are_counted_and_have_no_share():
    labels = label_films(SCORES, AXES, OFTEN.replace(100, 10), LabelConfig(rule="z_score", z_from=2.5))
    assert labels_of(labels) == {30: ["3+"], 40: ["1+", "2-"]}
    assert labels.unlabelled == 2
    assert labels.labels["share"].tolist() == [0.5, 0, 0, 0.5, 0.5, 0]


def test_a_film_rated_too_seldom_is_no_film_without_a_label():
    n_ratings = pd.Series({10: 9, 20: 100, 30: 100, 40: 100})
    assert label_films(SCORES, AXES, n_ratings, LabelConfig(rule="z_score", z_from=1.0)).unlabelled == 1


def test_z_scores_need_one_axis():
    config = LabelConfig(rule="z_score", top_k=3, z_from=1.0)
    labels = label_films(SCORES, AXES.assign(stable=[True, False, False]), OFTEN, config)
    assert labels_of(labels) == {10: ["1+"], 30: ["1-"], 40: ["1+"]}
    with pytest.raises(TooFewAxes, match="expected: at least 1; what to do: raise --collab.n-seeds"):
        label_films(SCORES, AXES.assign(stable=False), OFTEN, config)


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (LabelConfig(rule="z_score", z_from=9), "4 films without one, 0 left out with none"),
        (LabelConfig(top_k=3, drop_dominating=True), "0 films without one, 4 left out with 3+"),
    ],
)
def test_no_film_left_with_a_label_is_refused(config, found):
    with pytest.raises(TooFewFilms) as raised:
        label_films(SCORES, AXES, OFTEN, config)
    assert found in str(raised.value)
    assert "lower --labels.z-from, or leave out --labels.drop-dominating" in str(raised.value)


def test_a_film_in_the_middle_of_an_axis_counts_as_plus():
    scores = pd.DataFrame({"1": [0.0]}, index=pd.Index([1], name="movie_id"))
    labels = label_films(scores, AXES.loc[["1"]], pd.Series({1: 100}), LabelConfig(top_k=1))
    assert labels.films["label"].tolist() == ["1+"]


def test_unstable_axes_give_no_label():
    axes = AXES.assign(stable=[True, False, True])
    labels = label_films(SCORES, axes, OFTEN, TWO)
    assert labels_of(labels) == {10: ["1+", "3+"], 20: ["3+", "1+"], 30: ["3+", "1-"], 40: ["1+", "3+"]}
    assert list(labels.labels.index) == ["1+", "1-", "3+", "3-"]


def test_unstable_axes_give_labels_if_they_may():
    config = TWO.model_copy(update={"only_stable": False})
    labels = label_films(SCORES, AXES.assign(stable=False), OFTEN, config)
    assert labels_of(labels) == labels_of(label_films(SCORES, AXES, OFTEN, TWO))


def test_only_films_rated_often_enough_are_labelled():
    n_ratings = pd.Series({10: 9, 20: 10, 30: 11})
    assert list(labels_of(label_films(SCORES, AXES, n_ratings, TWO))) == [20, 30]


def test_too_few_axes_are_refused_with_found_expected_and_remedy():
    with pytest.raises(TooFewAxes) as raised:
        label_films(SCORES, AXES.assign(stable=[True, False, True]), OFTEN, LabelConfig(top_k=3))
    message = str(raised.value)
    assert "found: 2 stable axes (1, 3); expected: at least 3; what to do: lower --labels.top-k" in message
    assert "--no-labels.only-stable" in message


def test_no_film_rated_often_enough_is_refused():
    with pytest.raises(TooFewFilms, match="found: at most 9 ratings; expected: 10 or more"):
        label_films(SCORES, AXES, pd.Series({10: 9, 20: 3}), TWO)


def test_indicators_follow_the_order_of_films_and_labels():
    films = pd.DataFrame({"movie_id": [1, 1, 2], "label": ["a", "b", "c"]})
    matrix = indicator_matrix(films, pd.Series([2, 1, 3, 1]), ["c", "b", "d", "a"])
    np.testing.assert_array_equal(matrix, [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]])
    assert matrix.dtype == np.float32
