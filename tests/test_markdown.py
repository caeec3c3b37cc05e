import base64

from latentflix.markdown import escape, picture, table


def test_nothing_in_a_text_is_markup():
    hostile = "<script>alert(1)</script> | a [b](javascript:c) *d* _e_ `f` &lt; \\g # h\nnext"
    escaped = escape(hostile)
    assert not set("<>|[]*_`\\\n") & set(escaped)
    assert escaped.startswith("&#60;script&#62;alert(1)&#60;/script&#62; &#124; a ")
    assert escaped.endswith(" h next")


def test_plain_words_stay_as_they_are():
    assert escape("Amélie (2001), the 1st: 50 % – isn't it?") == "Amélie (2001), the 1st: 50 % – isn't it?"


def test_a_table_has_a_line_for_each_row():
    assert table(("film", "score"), [("A|B", 1.5)]) == ["| film | score |", "| --- | --- |", "| A&#124;B | 1.5 |"]


def test_a_picture_lies_in_the_text(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    data = base64.b64encode(b"\x89PNG").decode()
    assert picture(tmp_path / "a.png", "of [A]") == f"![of &#91;A&#93;](data:image/png;base64,{data})"
