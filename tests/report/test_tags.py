import re

from latentflix.report.factors import factor_cards, factors_section
from latentflix.report.formatting import PAGE, Nouns
from latentflix.report.inputs import ReportConfig
from latentflix.report.page import build_report
from latentflix.report.tags import tags_part
from tests.support.factories.report import make_inputs
from tests.support.factories.tags import make_tag_findings
from tests.support.html import text_of

BOOKS = Nouns("book", "books")


def test_reviews_and_tags_stand_side_by_side_with_their_agreement():
    html = str(tags_part(make_tag_findings(), 7, BOOKS))
    rows = [text_of(row) for row in re.findall("<tr>.*?</tr>", html, re.DOTALL)][1:]
    assert rows == ["1 0.60 [0.50, 0.70] 0.50 [0.40, 0.60] 0.03 0.002 0.70 [0.60, 0.80] 0.03 0.002 0.004"]
    text = text_of(html)
    for part in (
        "people gave them to books",
        "4,000 tags of 1,500 books were tested; they mark 2 poles. 1 of 7 words that mark a pole are among its tags",
        "on the 30 books that have both",
        "Left out: rows without a tag (1,234).",
    ):
        assert part in text


def test_the_genome_is_called_no_independent_witness_and_too_few_items_are_said():
    assert "it is no independent witness" in str(tags_part(make_tag_findings("genome"), 7, BOOKS))
    html = str(tags_part(make_tag_findings(compared=12), 7, BOOKS))
    assert "Too few books have both tags and reviews (12)" in html
    assert "<table>" not in html


def cards(**changes):
    inputs = make_inputs(**changes)
    return str(factors_section(factor_cards(inputs, ReportConfig()), inputs, ReportConfig()))


def test_a_card_shows_the_tags_of_each_pole_and_marks_the_words_among_them():
    html = cards(tags=[make_tag_findings()])
    text = text_of(html)
    assert "Tags what people tagged films at this pole with robots (r 0.40), dystopia <i> (r 0.35)" in text
    assert "no tag marks this pole" in text
    assert "<strong>war</strong>" in html
    assert "<strong>love</strong>" not in html
    assert text.count("in bold: also among the tags of this pole") == 1
    assert "Tags" not in text_of(cards())


def test_where_no_word_marks_a_pole_its_line_shows_tags(tmp_path):
    found = make_tag_findings()
    tags = found.tags.assign(label="2+")
    build_report(
        tmp_path, make_inputs(tags=[make_tag_findings(), type(found)(**{**vars(found), "tags": tags})]), ReportConfig()
    )
    text = text_of((tmp_path / PAGE).read_text())
    assert "tags: robots, dystopia <i>, romance no word marks this pole" in text
    assert "Where reviews put unseen films, where tags put them" in text
