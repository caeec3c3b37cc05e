import numpy as np
import pandas as pd
import pytest

from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.errors import DataError
from latentflix.genres.plot_summaries import (
    PlotSummaryConfig,
    prepare_plots,
    split_genres,
    stratified_split,
    unify_spelling,
)
from tests.support.factories.genres import make_plots, prepare
from tests.support.hostile_files import assert_linear


@pytest.mark.parametrize(
    ("raw", "separator", "expected"),
    [
        ('"Thriller",  "Science Fiction",  "Horror"', ",", ["Thriller", "Science Fiction", "Horror"]),
        ("Drama|Comedy", "|", ["Drama", "Comedy"]),
        ('"Gay, Lesbian", Drama', ",", ["Gay, Lesbian", "Drama"]),
        (' Drama ,, "Drama",drama, \'Film  noir\' ,"', ",", ["Drama", "Film noir"]),
        (["Drama ", " Comedy", "", "drama"], ",", ["Drama", "Comedy"]),
        (np.array(["War"]), ",", ["War"]),
        ("Drama :: War", "::", ["Drama", "War"]),
        ("", ",", []),
        (None, ",", []),
        (float("nan"), ",", []),
    ],
)
def test_genres_are_read_without_stray_quotes_blanks_and_duplicates(raw, separator, expected):
    assert split_genres(raw, separator) == expected


def test_names_that_differ_in_case_are_one_genre_in_its_most_frequent_spelling():
    assert unify_spelling([["Drama"], ["drama", "War"], ["Drama"]]) == [["Drama"], ["Drama", "War"], ["Drama"]]


def change(**columns):
    """The small table of plots, with cells changed by row."""
    table = make_plots()
    for column, cells in columns.items():
        table.loc[[*cells], column] = [*cells.values()]
    return table


def test_every_row_that_cannot_be_used_is_listed_with_the_reason_and_a_very_long_plot_is_kept_whole():
    plots = {0: "word " * 100_000, 3: "  ", 4: None, 9: make_plots().loc[8, "plot"]}
    prepared = prepare(change(plot=plots, genres={5: ' "" ,'}))
    assert prepared.left_out.to_dict("list") == {
        "plot_id": [3, 4, 5, 9],
        "reason": ["no plot", "no plot", "no genre", "same plot as an earlier row"],
    }
    assert sorted([*prepared.plot_summaries.index, *prepared.left_out["plot_id"]]) == list(range(240))
    assert prepared.plot_summaries.loc[0, "plot"] == plots[0].strip()


def test_the_genres_are_those_of_the_table_except_that_of_a_single_film_which_is_listed():
    table = change(genres={7: "Biopic"})
    prepared = prepare(table)
    assert prepared.rare["films"].to_dict() == {"Biopic": 1}
    assert sorted(prepared.has_genre) == ["Comedy", "Horror", "Western"]
    assert not prepared.has_genre.loc[7].any()
    for genre in prepared.has_genre:
        assert prepared.has_genre[genre].tolist() == table["genres"].str.contains(genre).tolist()


def test_too_few_genres_are_refused_with_what_there_is():
    with pytest.raises(DataError, match="found: Comedy: .* films.*at least 1000 films.*--plot-summaries.min-films"):
        prepare(min_films=1000)


def test_rare_genres_are_in_every_part_as_often_as_the_part_is_large():
    has_genre = np.random.default_rng(0).random((2000, 8)) < np.array([0.4, 0.2, 0.1, 0.05, 0.02, 0.02, 0.01, 0.01])
    config = PlotSummaryConfig()
    parts = stratified_split(has_genre, config)
    for part, share in ((TEST, 0.2), (VALID, 0.16), (TRAIN, 0.64)):
        assert (parts == part).mean() == pytest.approx(share, abs=0.01)
        assert np.abs(has_genre[parts == part].sum(0) - share * has_genre.sum(0)).max() <= 3
    assert (stratified_split(has_genre, config) == parts).all()
    assert (stratified_split(has_genre, PlotSummaryConfig(seed=1)) != parts).any()


def test_the_plots_of_the_data_set_have_54_genres_with_50_films():
    prepared = prepare_plots(load_data_set(DataSetConfig(name="film_plots"))["plots"], PlotSummaryConfig())
    assert prepared.has_genre.shape == (5000, 54)
    assert prepared.has_genre.iloc[:, :3].sum().to_dict() == {"Drama": 2296, "Comedy": 1247, "Romance Film": 811}
    assert len(prepared.rare) == 210
    assert prepared.left_out.empty
    assert isinstance(prepared.plot_summaries["plot"].dtype, pd.StringDtype)


@pytest.mark.parametrize("piece", ['""a,', " ", ' ""', '"', "g,", "'["])
def test_splitting_genres_takes_no_longer_than_linear(piece):
    assert_linear(lambda size: split_genres(f'"{piece * size}', ","), (4_000, 32_000))
