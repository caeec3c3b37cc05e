import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from latentflix.errors import StoreError
from latentflix.reviews.delta import Table, one_of, select

SCHEMA = pa.schema({"name": pa.string(), "count": pa.int32()})


@pytest.fixture
def table(tmp_path):
    table = Table(str(tmp_path / "table"), SCHEMA)
    for name in ("one", "two", "three"):
        table.append(rows(name))
    return table


def rows(*names):
    return pa.table({"name": list(names), "count": [1] * len(names)}, schema=SCHEMA)


def names(table, version=None):
    return sorted(select(table.open(version), ["name"])["name"].to_pylist())


def test_a_table_is_made_when_it_is_first_opened(tmp_path):
    table = Table(str(tmp_path / "new"), SCHEMA)
    assert not table.exists()
    assert table.open().version() == 0
    assert table.exists()
    assert names(table) == []


def test_every_version_can_be_read(table):
    assert [names(table, version) for version in (0, 1, 2, 3)] == [
        [],
        ["one"],
        ["one", "two"],
        ["one", "three", "two"],
    ]


@pytest.mark.parametrize("version", [4, 100])
def test_a_version_that_never_was_is_told(table, version):
    with pytest.raises(
        StoreError, match=f"no such version; where: .*table; found: version {version}; expected: 0 to 3"
    ):
        table.open(version)


def test_a_version_of_no_table_is_told(tmp_path):
    with pytest.raises(StoreError, match="a table cannot be read"):
        Table(str(tmp_path / "none"), SCHEMA).open(1)


def test_a_table_with_other_columns_is_told(tmp_path):
    write_deltalake(str(tmp_path), pa.table({"name": pa.array([1]), "more": pa.array(["x"])}))
    with pytest.raises(StoreError) as caught:
        Table(str(tmp_path), SCHEMA).open()
    assert "found: count: not there; more: " in str(caught.value)
    assert "name: PrimitiveType" in str(caught.value)


def test_a_missing_file_is_told_and_an_older_version_still_read(table):
    (added,) = set(table.open().file_uris()) - set(table.open(2).file_uris())
    Path(added).unlink()
    with pytest.raises(StoreError, match="a table cannot be read; where: .*; what to do: put the missing files back"):
        names(table)
    assert names(table, 2) == ["one", "two"]


def test_a_file_that_was_cut_short_is_told(table):
    file = Path(table.open().file_uris()[0])
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(StoreError, match="a table cannot be read"):
        names(table)


@pytest.mark.parametrize("content", ["", "{", json.dumps({"add": 7})], ids=["empty", "cut", "nonsense"])
def test_a_damaged_log_is_told(table, tmp_path, content):
    (tmp_path / "table" / "_delta_log" / "00000000000000000000.json").write_text(content)
    with pytest.raises(StoreError, match="a table cannot be read; where: "):
        names(table)


def test_a_file_where_a_table_should_be_is_told(tmp_path):
    (tmp_path / "table").write_text("no folder")
    with pytest.raises(StoreError, match="a table cannot be read"):
        Table(str(tmp_path / "table"), SCHEMA).open()


def test_a_value_with_a_quote_ends_no_statement(tmp_path):
    table = Table(str(tmp_path), SCHEMA)
    table.append(rows("it's", "x') OR ('1'='1"))
    assert select(table.open(), ["name"], one_of("name", ["it's"]))["name"].to_pylist() == ["it's"]
    assert select(table.open(), ["name"], one_of("name", ["y') OR ('1'='1"])).num_rows == 0
