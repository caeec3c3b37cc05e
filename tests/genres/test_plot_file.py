import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from latentflix.data.tables import write_file
from latentflix.errors import DataError
from latentflix.genres.plot_file import PlotSource, load_plot_source, with_fingerprint
from latentflix.genres.plot_summaries import PlotSummaryConfig, prepare_plots
from tests.support.hostile_files import HOSTILE, hostile_bytes, read_or_refuse

TABLE = pd.DataFrame(
    {
        "Name": ["Solaris", "Alien"],
        "Story": ["A sea thinks.", "A ship is boarded."],
        "Kind": ["Drama; Sci-Fi", "Horror"],
    }
)
ONE_HOT = TABLE.drop(columns="Kind").assign(Drama=[1, 0], **{"Sci-Fi": [1, 1]})
NAMES = {"plot_column": "Story", "title_column": "Name"}


def load(path, **names):
    return load_plot_source(with_fingerprint(PlotSource(path=path, **names)))["plots"]


@pytest.mark.parametrize("name", ["plots.csv", "plots.parquet"])
def test_columns_of_the_users_own_names_are_read_and_one_hot_columns_become_names(tmp_path, name):
    write_file(TABLE, tmp_path / name)
    plots = load(tmp_path / name, **NAMES, genres_column="Kind")
    assert plots.to_dict("list") == {
        "plot_id": [0, 1],
        "plot": ["A sea thinks.", "A ship is boarded."],
        "title": ["Solaris", "Alien"],
        "genres": ["Drama; Sci-Fi", "Horror"],
    }
    write_file(ONE_HOT, tmp_path / name)
    assert load(tmp_path / name, **NAMES, one_hot=True)["genres"].tolist() == [["Drama", "Sci-Fi"], ["Sci-Fi"]]


@pytest.mark.parametrize(
    ("table", "names", "message"),
    [
        (
            ONE_HOT.astype({"Drama": "object"}).assign(Drama=[2, "yes"]),
            {**NAMES, "one_hot": True},
            "row 0, Drama: 2; row 1, Drama: yes; expected: 1 for a film",
        ),
        (pd.concat([ONE_HOT.assign(Drama=7)] * 8), {**NAMES, "one_hot": True}, "row 9, Drama: 7; and 6 more"),
        (TABLE, {}, "plots.csv; where: plot, genres; found: Name, Story, Kind"),
    ],
    ids=["other values in one-hot columns", "more than ten of them", "a missing column"],
)
def test_an_unusable_table_is_refused_and_its_cells_or_columns_are_named(tmp_path, table, names, message):
    table.to_csv(tmp_path / "plots.csv", index=False)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "plots.csv", **names)


def test_a_missing_file_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(DataError, match="no such file.*nowhere.csv"):
        with_fingerprint(PlotSource(path=tmp_path / "nowhere.csv"))


def test_the_same_file_elsewhere_is_the_same_source(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        TABLE.to_csv(tmp_path / folder / "plots.csv", index=False)
    first, second = (with_fingerprint(PlotSource(path=tmp_path / folder / "plots.csv")) for folder in ("a", "b"))
    assert first.model_dump() == second.model_dump()
    assert "path" not in first.model_dump()


def test_genres_must_be_somewhere():
    with pytest.raises(ValidationError, match="name a column of genres"):
        PlotSource(genres_column=None)


HOSTILE_TABLES = {
    False: b'Name,Story,Kind\nOne,"A plot, long","War, Drama"\n' + b"".join(b"t,p%d,War\n" % row for row in range(9)),
    True: b"Name,Story,War,Drama\n" + b"".join(b"t,p%d,1,0\n" % row for row in range(9)),
}


@pytest.mark.parametrize("one_hot", HOSTILE_TABLES)
@settings(HOSTILE)
@given(data=st.data())
def test_whatever_a_file_of_plots_holds_it_is_read_or_refused(tmp_path, one_hot, data):
    (tmp_path / "p.csv").write_bytes(data.draw(hostile_bytes(HOSTILE_TABLES[one_hot])))
    genres = {"one_hot": True} if one_hot else {"genres_column": "Kind"}
    read_or_refuse(lambda: prepare_plots(load(tmp_path / "p.csv", **NAMES, **genres), PlotSummaryConfig(min_films=5)))


def test_an_open_quote_does_not_swallow_plots(tmp_path):
    (tmp_path / "p.csv").write_text('Name,Story,Kind\nA,"Open,x\nB,"Swallowed, too",y\nC,z,x\n')
    with pytest.raises(DataError, match="a quote is not closed; where: .*p.csv, line 2"):
        load(tmp_path / "p.csv", **NAMES, genres_column="Kind")
