import re

from latentflix.report.factors import factor_cards, factors_section
from latentflix.report.formatting import PAGE, Nouns
from latentflix.report.inputs import ReportConfig
from latentflix.report.page import build_report
from latentflix.report.user_groups import users_part
from tests.support.factories.report import make_inputs
from tests.support.factories.user_groups import make_user_groups
from tests.support.html import text_of

BOOKS = Nouns("book", "books")


def test_the_leanings_that_hold_are_listed_with_interval_and_users():
    html = str(users_part(make_user_groups(), {"1+": "war"}, BOOKS))
    rows = [text_of(row) for row in re.findall("<tr>.*?</tr>", html, re.DOTALL)][1:]
    assert rows == [
        "gender female 1,270 1+ war 0.44 0.31 to 0.57 0.30 0.001",
        "town <b>0 40 1+ war 0.40 0.20 to 0.60 0.20 0.020",
        "town <b>1 41 1+ war 0.40 0.20 to 0.60 0.20 0.020",
    ]
    text = text_of(html)
    for part in (
        "The data describe 4,000 users who rated enough. 23 groups by gender, town, occupation were tested",
        "its ratings favour the books there",
        "3 leanings hold.",
        "It says neither why a group leans nor how any of its users does",
        "Left out of city: 1,023 different values.",
    ):
        assert part in text
    assert "<details open>" in html


def test_a_long_table_is_folded_and_without_leanings_there_is_none():
    assert "<details>" in str(users_part(make_user_groups(21), {}, BOOKS))
    html = str(users_part(make_user_groups(0), {}, BOOKS))
    assert "No leaning holds." in html
    assert "<table>" not in html


def cards(**changes):
    inputs = make_inputs(**changes)
    return text_of(str(factors_section(factor_cards(inputs, ReportConfig()), inputs, ReportConfig())))


def test_a_card_lists_the_groups_that_lean_to_a_pole_only_where_some_do():
    text = cards(user_groups=[make_user_groups(8)])
    assert text.count("groups that lean to this pole") == 1
    assert "gender female (0.44 [0.31, 0.57], 1,270 users), town <b>0 (0.40 [0.20, 0.60], 40 users)" in text
    assert "town <b>4 (0.40 [0.20, 0.60], 44 users) and 2 more" in text
    assert "writer" not in text
    assert "lean to this pole" not in cards()


def test_the_evaluation_has_the_part(tmp_path):
    build_report(tmp_path, make_inputs(user_groups=[make_user_groups()]), ReportConfig())
    assert "Which groups of users lean to which pole" in (tmp_path / PAGE).read_text()
