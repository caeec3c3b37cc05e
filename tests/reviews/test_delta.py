import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from latentflix.errors import StoreError
from latentflix.reviews import delta
from latentflix.reviews.delta import MIN_FREE, Table, one_of, select

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


def test_a_table_is_created_when_it_is_first_opened(tmp_path):
    table = Table(str(tmp_path / "new"), SCHEMA)
    assert not table.exists()
    assert table.open().version() == 0
    assert table.exists()
    assert names(table) == []


def test_every_version_can_be_read_and_an_unknown_one_is_refused(table):
    assert [names(table, version) for version in (0, 1, 2, 3)] == [[], ["one"], ["one", "two"], ["one", "three", "two"]]
    for version in (4, 100):
        message = f"no such version; where: .*table; found: version {version}; expected: 0 to 3"
        with pytest.raises(StoreError, match=message):
            table.open(version)


def test_a_table_with_other_columns_is_refused(tmp_path):
    write_deltalake(str(tmp_path), pa.table({"name": pa.array([1]), "more": pa.array(["x"])}))
    with pytest.raises(StoreError) as caught:
        Table(str(tmp_path), SCHEMA).open()
    assert "found: count: missing; more: " in str(caught.value)
    assert "name: PrimitiveType" in str(caught.value)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:100])])
def test_a_missing_or_cut_file_is_reported_and_an_older_version_can_be_read(table, damage):
    (added,) = set(table.open().file_uris()) - set(table.open(2).file_uris())
    damage(Path(added))
    with pytest.raises(StoreError, match="a table cannot be read; where: .*; what to do: put the missing files back"):
        names(table)
    assert names(table, 2) == ["one", "two"]


@pytest.mark.parametrize("content", ["", "{", json.dumps({"add": 7})], ids=["empty", "cut", "nonsense"])
def test_a_damaged_log_is_reported(table, tmp_path, content):
    (tmp_path / "table" / "_delta_log" / "00000000000000000000.json").write_text(content)
    with pytest.raises(StoreError, match="a table cannot be read; where: "):
        names(table)


@pytest.mark.parametrize(("is_file", "version"), [(True, None), (False, 1)], ids=["a file", "a version of no table"])
def test_what_is_no_table_is_refused(tmp_path, is_file, version):
    if is_file:
        (tmp_path / "table").write_text("no folder")
    with pytest.raises(StoreError, match="a table cannot be read"):
        Table(str(tmp_path / "table"), SCHEMA).open(version)


def test_columns_that_were_added_since_come_with_the_first_rows(table):
    wider = pa.schema([*SCHEMA, pa.field("size", pa.int32())])
    later = Table(table.uri, wider, added=("size",))
    assert names(later) == ["one", "three", "two"]
    later.append(pa.Table.from_pylist([{"name": "four", "count": 1, "size": 7}], schema=wider))
    assert select(later.open(), ["size"], "name = 'four'")["size"].to_pylist() == [7]
    with pytest.raises(StoreError, match="found: size: missing"):
        Table(str(table.uri) + "-other", SCHEMA).open()
        Table(str(table.uri) + "-other", wider).open()


def test_quotes_in_values_are_escaped(tmp_path):
    table = Table(str(tmp_path), SCHEMA)
    table.append(rows("it's", "x') OR ('1'='1"))
    assert select(table.open(), ["name"], one_of("name", ["it's"]))["name"].to_pylist() == ["it's"]
    assert select(table.open(), ["name"], one_of("name", ["y') OR ('1'='1"])).num_rows == 0


def test_nothing_is_written_to_a_disk_that_is_nearly_full(table, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(delta, "disk_usage", lambda _: usage._replace(free=MIN_FREE - 1))
    with pytest.raises(StoreError, match="its disk is nearly full; where: .*; found: 255 MiB free"):
        table.append(rows("four"))
    assert names(table) == ["one", "three", "two"]
    monkeypatch.setattr(delta, "disk_usage", lambda _: usage._replace(free=MIN_FREE))
    table.append(rows("four"))
    assert names(table) == ["four", "one", "three", "two"]
