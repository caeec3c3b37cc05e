import io

import pandas as pd
import pytest

from latentflix.data.csv_records import MAX_LINES, read_csv, read_records
from latentflix.errors import DataError


def read(text):
    records = read_records(io.StringIO(text, newline=""), ",")
    return [(each.first, each.last, each.cells or each.fault) for each in records]


def table(text, **options):
    file = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    return read_csv(file, "a.csv", **options)


def test_records_name_the_lines_that_they_span():
    assert read('a,b\n1,"two\n\nlines"\n\r\n3,"quoted ""word"""\r\n4,last') == [
        (1, 1, ["a", "b"]),
        (2, 4, ["1", "two\n\nlines"]),
        (5, 5, ""),
        (6, 6, ["3", 'quoted "word"']),
        (7, 7, ["4", "last"]),
    ]


def test_an_open_quote_costs_its_line_alone_and_records_after_it_may_span_lines():
    assert read('1,"open\n2,fine\n3,"two\nlines"\n4,"open\n5,fine\n') == [
        (1, 3, "',' expected after '\"': a quote opens a text in this line that goes on to line 3"),
        (2, 2, ["2", "fine"]),
        (3, 4, ["3", "two\nlines"]),
        (5, 6, "a quote is not closed: a quote opens a text in this line that goes on to line 6"),
        (6, 6, ["5", "fine"]),
    ]


def test_a_record_of_more_lines_than_a_text_has_is_not_read_as_one():
    lines = "".join(f"{number},fine\n" for number in range(MAX_LINES))
    (first, *others) = read(f'0,"open\n{lines}1,closed"\n')
    assert first[0] == 1
    assert "a quote is not closed" in first[2]
    assert len(others) == MAX_LINES + 1
    (whole,) = read('0,"open\n' + "line\n" * (MAX_LINES - 2) + 'closed"\n')
    assert whole[:2] == (1, MAX_LINES)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('a,b\n1,"Open\n2,Fine\n3,"Quoted"\n4,x\n', r"line 2; found: a record that goes on to line 4"),
        ('a,b\n1,x\n2,"Open\n3,Fine\n', "line 3; found: a record that goes on to line 4"),
        ('a,b\n1,"' + "long\n" * 40_000 + '"\n', "line 2; found: a record that goes on to line 1,00"),
    ],
    ids=["up to the next quote", "up to the end", "too long"],
)
def test_a_table_with_an_open_quote_is_refused_by_its_line(text, where):
    with pytest.raises(DataError, match=f"a quote is not closed; where: a.csv, {where}"):
        table(text)


@pytest.mark.parametrize(
    "cell", ['"two\nlines"', 'a "hot" film', f'"{"x" * 200_000}"', '"A ""hot"" film"', "x" * 200_000, "nul\0"]
)
def test_other_cells_are_read_as_pandas_reads_them(cell):
    text = f"a,b\n1,{cell}\n2,y\n"
    pd.testing.assert_frame_equal(table(text), pd.read_csv(io.StringIO(text)))


@pytest.mark.parametrize("text", ["\ufeffa,b\n1,2\n", '\n\na,b\n1,"2"', "a,b\r1,2\r"])
def test_a_byte_order_mark_blank_lines_and_any_line_end_are_passed_over(text):
    assert table(text).to_dict("list") == {"a": [1], "b": [2]}


def test_two_columns_of_one_name_are_refused_and_unnamed_ones_are_not():
    with pytest.raises(DataError, match="two columns have the same name; where: a.csv; found: a; "):
        table('a,"a",b\n1,2,3\n')
    assert len(table("a,,\n1,2,3\n").columns) == 3
