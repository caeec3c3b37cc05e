import gzip
import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from latentflix.errors import DataError
from latentflix.recommender.vector_files import frame_vectors, read_vectors
from tests.support.hostile_files import HOSTILE, assert_linear, hostile_bytes, read_or_refuse

IDS = ["007", "a", "b"]
VALUES = np.array([[1, 2], [3, 4], [5.5, -6]], np.float32)
TABLE = pd.DataFrame({"item_id": IDS, "left": VALUES[:, 0], "right": VALUES[:, 1]})


def write_npz(path, **arrays):
    np.savez(path, **arrays)


WRITERS = {
    "v.csv": lambda path: TABLE.to_csv(path, index=False),
    "v.csv.gz": lambda path: TABLE.to_csv(path, index=False),
    "v.tsv": lambda path: TABLE.to_csv(path, index=False, sep="\t"),
    "v.parquet": lambda path: TABLE.to_parquet(path, index=False),
    "v.npz": lambda path: write_npz(path, ids=np.array(IDS), vectors=VALUES),
    "v.safetensors": lambda path: save_file({"vectors": VALUES}, path, {"ids": json.dumps(IDS)}),
    "v.txt": lambda path: path.write_text("3 2\n007 1 2\na 3 4\nb 5.5 -6\n"),
    "v.vec.gz": lambda path: path.write_bytes(gzip.compress(b"3 2\n007 1 2 \na 3 4 \nb 5.5 -6 \n")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_form_gives_the_same_vectors_and_ids_as_they_are_written(name, tmp_path):
    WRITERS[name](tmp_path / name)
    found = read_vectors(tmp_path / name, "item_id")
    assert found.ids == IDS
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.dimensions == (
        ["left", "right"] if "csv" in name or "tsv" in name or "parquet" in name else ["0", "1"]
    )


def test_numbers_are_ids_too(tmp_path):
    save_file({"item": np.array([3, 1]), "embedding": VALUES[:2]}, tmp_path / "v.safetensors")
    assert read_vectors(tmp_path / "v.safetensors", "item_id").ids == ["3", "1"]


def write_pickle(path):
    """An archive whose array of objects would be unpickled by who trusts it."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ids.npy", buffer.getvalue())


BAD = {
    "a csv that only claims to be npz": ("v.npz", lambda path: path.write_text("item_id,a\n1,2\n"), "not a zip file"),
    "objects": ("v.npz", write_pickle, "Object arrays cannot be loaded"),
    "no ids": (
        "v.npz",
        lambda path: write_npz(path, vectors=VALUES),
        r"found: vectors \(3, 2\); expected: an array of",
    ),
    "words as vectors": (
        "v.npz",
        lambda path: write_npz(path, ids=np.arange(2), vectors=np.array([["a"], ["b"]])),
        "a vector consists of numbers alone",
    ),
    "unequal lengths": ("v.txt", lambda path: path.write_text("2 2\na 1 2\nb 3\n"), "not of the same length; .*line 3"),
    "a line too few": (
        "v.txt",
        lambda path: path.write_text("3 2\na 1 2\n"),
        "vectors are missing; .*found: 1; expected: 3",
    ),
    "no first line": ("v.vec", lambda path: path.write_text("a 1 2\nb 3 4\n"), "vectors cannot be read"),
    "cut short": ("v.safetensors", lambda path: path.write_bytes(b"\x10"), "vectors cannot be read"),
    "another form": (
        "v.pkl",
        lambda path: path.write_bytes(b""),
        "in no form that is known; .*found: v.pkl; expected: csv",
    ),
    "no column of ids": (
        "v.csv",
        lambda path: path.write_text("id,a\n1,2\n"),
        "found: id, a; expected: item_id; .*id-column",
    ),
    "a column of words": (
        "v.csv",
        lambda path: path.write_text("item_id,title,a\n1,x,2\n"),
        "numbers alone; where: .*, column title; found: 'x'",
    ),
    "ids alone": ("v.csv", lambda path: path.write_text("item_id\n1\n"), "found: no column of numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_one_clear_error(case, tmp_path):
    name, write, message = BAD[case]
    write(tmp_path / name)
    with pytest.raises(DataError, match=message) as caught:
        read_vectors(tmp_path / name, "item_id")
    assert str(tmp_path / name) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no such file; where: .*v\.npz"):
        read_vectors(tmp_path / "v.npz", "item_id")


def test_names_of_dimensions_have_no_blanks_and_a_value_too_large_is_infinite():
    found = frame_vectors(pd.DataFrame({"item_id": [1], "first dimension": [1e39]}), "item_id", "here")
    assert found.dimensions == ["first_dimension"]
    assert np.isinf(found.values[0, 0])


def content(tmp_path, name):
    WRITERS[name](tmp_path / name)
    return (tmp_path / name).read_bytes()


@pytest.mark.parametrize("name", WRITERS)
@settings(HOSTILE)
@given(data=st.data())
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path, name, data):
    damaged = tmp_path / f"damaged {name}"
    damaged.write_bytes(data.draw(hostile_bytes(content(tmp_path, name))))
    read_or_refuse(read_vectors, damaged, "item_id")


ABSURD = {
    "v.safetensors": (2**62).to_bytes(8, "little") + b"{}",
    "long.safetensors": (2).to_bytes(8, "little") + b"[]",
    "v.txt": b"1 99999999999999999999\na 1\n",
    "negative.txt": b"1 -1\na 1\n",
    "v.csv.gz": gzip.compress(TABLE.to_csv(index=False).encode())[:-4],
}


@pytest.mark.parametrize("name", ABSURD)
def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(ABSURD[name])
    with pytest.raises(DataError):
        read_vectors(tmp_path / name, "item_id")


def test_an_array_larger_than_any_memory_is_refused(tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000), }".ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "v.npz", "w") as archive:
        archive.writestr("v.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(DataError, match="vectors cannot be read"):
        read_vectors(tmp_path / "v.npz", "item_id")


@pytest.mark.parametrize("name", ["v.csv", "v.txt"])
def test_reading_takes_no_longer_than_linear(tmp_path, name):
    head = {"v.csv": "item_id,left\n", "v.txt": "{} 1\n"}[name]
    line = {"v.csv": "a{},1\n", "v.txt": "a{} 1\n"}[name]

    def read(size):
        (tmp_path / name).write_text(head.format(size) + "".join(map(line.format, range(size))))
        read_vectors(tmp_path / name, "item_id")

    assert_linear(read, (2_000, 16_000))
