import gc
import gzip
import io
import tracemalloc
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentflix.data.tables import append_columns, read_file, write_file
from latentflix.errors import DataError
from tests.support.hostile_files import HOSTILE, hostile_bytes, read_or_refuse

AWKWARD = ["", "one", 'a "quoted", one', "two\nlines", "映画 🎬", "<br />&amp;<script>", "nul \x00 inside", "x" * 2**20]


def measure(texts):
    """The length of each text, and what is wrong with it."""
    lengths = [len(text) if isinstance(text, str) else None for text in texts]
    notes = [{str: "", bytes: "not UTF-8"}.get(type(text), "none") for text in texts]
    return pd.DataFrame({"length": pd.array(lengths, "Float32"), "note": pd.Series(notes, dtype="str")})


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_written_table_is_read_back(tmp_path, name):
    table = pd.DataFrame({"text": ["a", "b"], "year": [1999, 2001]})
    write_file(table, tmp_path / name)
    pd.testing.assert_frame_equal(read_file(tmp_path / name), table)


@pytest.mark.parametrize(("name", "content"), [("p.parquet", b"not a table"), ("p.csv", b'a,b\n"x')])
def test_a_broken_file_is_refused_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    for read in (read_file, lambda path: append_columns(path, tmp_path / "o.parquet", "a", measure)):
        with pytest.raises(DataError, match=f"(cannot be read|a quote is not closed); where: .*{name}") as error:
            read(tmp_path / name)
        assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("target", ["o.csv", "o.parquet"])
@pytest.mark.parametrize("source", ["t.csv", "t.parquet"])
def test_rows_keep_their_order_and_their_other_columns_whatever_the_texts(tmp_path, source, target):
    table = pd.DataFrame({"text": AWKWARD * 3, "row": np.arange(3 * len(AWKWARD))})
    write_file(table, tmp_path / source)
    assert append_columns(tmp_path / source, tmp_path / target, "text", measure, batch_rows=5) == len(table)
    out = read_file(tmp_path / target)
    assert list(out) == ["text", "row", "length", "note"]
    assert out["row"].astype(int).tolist() == table["row"].tolist()
    assert out["length"].tolist() == table["text"].str.len().tolist()
    if target == "o.parquet":
        assert out["text"].tolist() == table["text"].tolist()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_may_be_of_any_kind_and_missing(tmp_path, kind):
    column = pa.array(["a", None, "ccc"], pa.string()).cast(kind)
    pq.write_table(pa.table({"text": column}), tmp_path / "t.parquet")
    append_columns(tmp_path / "t.parquet", tmp_path / "o.parquet", "text", measure)
    out = pq.read_table(tmp_path / "o.parquet")
    assert out["note"].to_pylist() == ["", "none", ""]
    assert out["length"].to_pylist() == [1, None, 3]
    assert out["text"].type == kind


def test_a_text_that_is_not_utf_8_is_passed_on_as_bytes_and_does_not_affect_others(tmp_path):
    offsets = pa.py_buffer(np.array([0, 1, 3, 4], np.int32))
    broken = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b"a\xff\xfeb"))
    pq.write_table(pa.table({"text": broken}), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_bytes(b"text,row\na,1\n\xff\xfe,2\nb,3\n")
    for source in ("t.parquet", "t.csv"):
        append_columns(tmp_path / source, tmp_path / "o.parquet", "text", measure)
        out = pq.read_table(tmp_path / "o.parquet", columns=["length", "note"])
        assert out["note"].to_pylist() == ["", "not UTF-8", ""]
        assert out["length"].to_pylist() == [1, None, 1]


@pytest.mark.parametrize("texts", [[], ["a", "bb"]], ids=["empty", "of two rows"])
def test_a_table_may_be_empty_or_written_over_itself(tmp_path, texts):
    path = tmp_path / "t.parquet"
    write_file(pd.DataFrame({"text": pd.Series(texts, dtype="str")}), path)
    assert append_columns(path, path, "text", measure, batch_rows=1) == len(texts)
    out = read_file(path)
    assert list(out) == ["text", "length", "note"]
    assert out["length"].tolist() == [len(text) for text in texts]


def test_a_failure_half_way_leaves_the_target_as_it_was(tmp_path):
    write_file(pd.DataFrame({"text": ["a", "b", "bad"]}), tmp_path / "t.parquet")
    (tmp_path / "o.parquet").write_text("as it was")

    def fail(texts):
        if "bad" in texts:
            raise RuntimeError("half way")
        return measure(texts)

    with pytest.raises(RuntimeError, match="half way"):
        append_columns(tmp_path / "t.parquet", tmp_path / "o.parquet", "text", fail, batch_rows=1)
    assert (tmp_path / "o.parquet").read_text() == "as it was"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"review": ["a"]}, "no such column; where: .*t.parquet: text; found: review"),
        ({"text": [1, 2]}, "holds no texts; where: .*t.parquet: text; found: int64"),
        ({"text": ["a"], "note": [1]}, "already has columns of the names to be added.*found: note"),
    ],
)
def test_a_table_that_cannot_be_extended_is_refused(tmp_path, table, message):
    write_file(pd.DataFrame(table), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=message):
        append_columns(tmp_path / "t.parquet", tmp_path / "o.parquet", "text", measure)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match="cannot be read.*where: .*nowhere.csv"):
        append_columns(tmp_path / "nowhere.csv", tmp_path / "o.csv", "text", measure)
    write_file(pd.DataFrame({"text": ["a"]}), tmp_path / "t.csv")
    with pytest.raises(DataError, match="cannot be written; where: .*o.csv"):
        append_columns(tmp_path / "t.csv", tmp_path / "no" / "o.csv", "text", measure)


def test_memory_does_not_grow_with_the_rows(tmp_path):
    row_group = pa.table({"text": pa.array([f"{number:0200d}" for number in range(2000)])})
    for n_groups in (4, 40):
        with pq.ParquetWriter(tmp_path / f"{n_groups}.parquet", row_group.schema) as file:
            for _ in range(n_groups):
                file.write_table(row_group)
    del row_group

    def peak(n_groups):
        gc.collect()
        tracemalloc.start()
        before = pa.total_allocated_bytes()
        seen = []

        def predict(texts):
            seen.append(pa.total_allocated_bytes() - before + tracemalloc.get_traced_memory()[0])
            return measure(texts)

        append_columns(tmp_path / f"{n_groups}.parquet", tmp_path / "o.parquet", "text", predict)
        tracemalloc.stop()
        return max(seen)

    assert peak(40) < 2 * peak(4)


TABLE = b'item_id,text,year\nx,"Good, and\nlong.",1999\ny,Fine.,\n'


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.parquet"])
@settings(HOSTILE)
@given(data=st.data())
def test_whatever_a_table_holds_it_is_read_or_refused(tmp_path, name, data):
    pd.read_csv(io.BytesIO(TABLE)).to_parquet(tmp_path / "good.parquet")
    good = {".gz": gzip.compress(TABLE), ".parquet": (tmp_path / "good.parquet").read_bytes()}
    (tmp_path / name).write_bytes(data.draw(hostile_bytes(good.get(Path(name).suffix, TABLE))))
    read_or_refuse(read_file, tmp_path / name, ["item_id"])
    read_or_refuse(append_columns, tmp_path / name, tmp_path / "o.parquet", "text", measure)


def test_an_open_quote_does_not_swallow_rows(tmp_path):
    (tmp_path / "t.csv").write_text('text,n\n"Open,1\n"Swallowed, too",2\nz,3\n')
    for read in (read_file, lambda path: append_columns(path, tmp_path / "o.csv", "text", measure)):
        with pytest.raises(DataError, match="a quote is not closed; where: .*t.csv, line 2"):
            read(tmp_path / "t.csv")


def test_a_source_that_may_not_be_read_is_not_taken_for_a_target_that_cannot_be_written(tmp_path, monkeypatch):
    write_file(pd.DataFrame({"text": ["a"]}), tmp_path / "t.csv")
    monkeypatch.setattr(Path, "open", Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(DataError, match="a table cannot be read; .*t.csv; .*ask for permission to read it"):
        append_columns(tmp_path / "t.csv", tmp_path / "o.csv", "text", measure)


def test_two_columns_of_one_name_are_refused(tmp_path):
    pq.write_table(pa.table([["a"], ["b"]], names=["text", "text"]), tmp_path / "t.parquet")
    for read in (read_file, lambda path: append_columns(path, tmp_path / "o.csv", "text", measure)):
        with pytest.raises(DataError, match="two columns have the same name; .*found: text"):
            read(tmp_path / "t.parquet")
