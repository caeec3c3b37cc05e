import gzip
import sqlite3

import pandas as pd
import pytest

from latentflix.data.title_catalogs import (
    TitleConfig,
    catalog_of_cinemagoer,
    catalog_of_items,
    catalog_of_links,
    open_catalogs,
)
from latentflix.data.titles import resolve_titles
from latentflix.errors import DataError
from tests.support.files import write_folder
from tests.support.movielens_files import layout_csv
from tests.support.title_cases import HARD, OTHERS, films


def basics():
    """Rows of IMDb's title.basics: tconst, titleType, primaryTitle, originalTitle, isAdult, startYear."""
    yield from ((tconst, "movie", name, original or name, "0", str(year)) for _, tconst, name, original, year in HARD)
    yield from ((tconst, "movie", name, original or name, "0", str(year)) for tconst, name, original, year in OTHERS)
    yield "tt0000107", "tvEpisode", "The African Queen", "The African Queen", "0", "1951"
    yield "tt0000108", "movie", "No Year", "No Year", "0", r"\N"


@pytest.fixture
def database(tmp_path):
    """A database as cinemagoer's importer lays it out."""
    path = tmp_path / "cinemagoer.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE title_basics (tconst INTEGER, titleType TEXT, primaryTitle TEXT, originalTitle TEXT, "
            "isAdult INTEGER, startYear INTEGER)"
        )
        rows = [(int(tconst[2:]), *rest, None if year == r"\N" else int(year)) for tconst, *rest, year in basics()]
        database.executemany("INSERT INTO title_basics VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.close()
    return path


def test_hard_titles_of_the_requested_years_are_found_in_the_database_of_cinemagoer(database):
    titles = [title for title, *_ in HARD]
    resolved = resolve_titles(films(*titles), [catalog_of_cinemagoer(database, 1900, 2000)])
    expected = {title: tconst for title, tconst, *_ in HARD}
    assert dict(zip(resolved.links["title"], resolved.links["tconst"], strict=True)) == expected
    assert resolved.ambiguous.empty
    resolved = resolve_titles(films("African Queen, The (1951)"), [catalog_of_cinemagoer(database, 1960, 2000)])
    assert len(resolved.unknown) == 1


def test_other_names_of_the_database_are_tried(database):
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE title_akas (titleId INTEGER, title TEXT)")
        connection.execute("INSERT INTO title_akas VALUES (103905, 'It Happened in Your Neighborhood')")
    connection.close()
    catalog = catalog_of_cinemagoer(database, 1990, 1995)
    resolved = resolve_titles(films("It Happened in Your Neighborhood (1992)"), [catalog])
    assert resolved.links["tconst"].tolist() == ["tt0103905"]


def test_a_database_built_by_cinemagoers_own_tool_can_be_read(tmp_path):
    importer = pytest.importorskip("imdb.parser.s3.importer")
    with gzip.open(tmp_path / "title.basics.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\n")
        file.writelines("\t".join([*row, r"\N", r"\N"]) + "\n" for row in basics())
    importer.import_dir(str(tmp_path), f"sqlite:///{tmp_path / 'own.db'}")
    catalog = catalog_of_cinemagoer(tmp_path / "own.db", 1900, 2000)
    resolved = resolve_titles(films(*(title for title, *_ in HARD)), [catalog])
    assert resolved.links["tconst"].tolist() == [tconst for title, tconst, *_ in HARD]


def test_a_missing_or_broken_database_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no such database; where: .*none.db"):
        catalog_of_cinemagoer(tmp_path / "none.db", 1990, 2000)
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(DataError, match="database cannot be read; where: .*; found: file is not a database"):
        catalog_of_cinemagoer(tmp_path / "text.db", 1990, 2000)
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(DataError, match="found: no such table: title_basics"):
        catalog_of_cinemagoer(tmp_path / "empty.db", 1990, 2000)


def test_titles_are_found_in_the_links_of_a_newer_set(tmp_path):
    catalog = catalog_of_links(write_folder(tmp_path / "new", layout_csv()))
    resolved = resolve_titles(films("Misérables, Les (1996)", "unknown"), [catalog])
    assert resolved.links[["tconst", "method"]].to_numpy().tolist() == [["tt0113828", "title, year off by one"]]
    assert resolved.unknown["title"].tolist() == ["unknown"]


def test_a_set_without_links_and_a_missing_set_are_refused(tmp_path):
    folder = write_folder(tmp_path / "old", layout_csv())
    (folder / "links.csv").unlink()
    with pytest.raises(DataError, match=r"no links to IMDb; where: .*old; expected: links.csv"):
        catalog_of_links(folder)
    with pytest.raises(DataError, match="a MovieLens set cannot be read"):
        catalog_of_links(tmp_path / "none.zip")


def test_the_table_of_the_package_comes_first(tmp_path, database):
    config = TitleConfig(links_path=write_folder(tmp_path / "new", layout_csv()), cinemagoer_path=database)
    catalogs = open_catalogs(config, ["Emma (1996)", "unknown"])
    assert [catalog.name for catalog in catalogs] == ["latentflix", "links.csv", "cinemagoer"]
    resolved = resolve_titles(films("Toy Story (1995)", "Star Wars (1977)"), catalogs)
    assert resolved.links["tconst"].tolist() == ["tt0114709", "tt0076759"]
    assert [catalog.name for catalog in open_catalogs(TitleConfig(), [])] == ["latentflix"]


def test_items_without_links_make_an_empty_catalog():
    items = pd.DataFrame({"title": ["Emma (1996)"]})
    assert len(resolve_titles(films("Emma (1996)"), [catalog_of_items("none", items)]).unknown) == 1
