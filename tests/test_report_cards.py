import re

import pandas as pd
import pytest

from latentflix.findings import ReportConfig
from latentflix.report_cards import write_factors
from latentflix.report_summary import TOLD, UNSTABLE, UNTOLD
from tests.pages import Page
from tests.small_findings import FILLER, HANDLER, LABELS, SCRIPT, make_findings

VERDICTS = pd.Series([TOLD, UNTOLD, UNSTABLE], index=pd.Index(["1", "2", "3"], name="axis"))


def write(config=None, **changes):
    return str(write_factors(make_findings(**changes), VERDICTS, config or ReportConfig()))


def card(html, axis):
    return re.search(rf'<article [^>]*id="factor-{axis}".*?</article>', html, re.DOTALL).group(0)


def pole(html, axis, place):
    return re.search(rf'<section aria-labelledby="pole-{axis}-{place}">.*?</section>', html, re.DOTALL).group(0)


def said(html):
    return " ".join(Page(html).text.split())


def test_every_factor_has_a_card_and_a_row_at_a_glance():
    page = Page(write())
    assert [name for name in page.attributes("id") if re.fullmatch(r"factor-\d+", name)] == [
        *("factor-1", "factor-2", "factor-3")
    ]
    assert [link for link in page.attributes("href") if link.startswith("#factor-")] == [
        *("#factor-1", "#factor-2", "#factor-3")
    ]


@pytest.mark.parametrize(
    ("axis", "badge", "faded"),
    [("1", "● told from reviews", False), ("2", "○ not told from reviews", True), ("3", "◌ not stable", True)],
)
def test_a_factor_that_is_not_stable_or_not_told_is_grey_and_says_so_in_words(axis, badge, faded):
    html = card(write(), axis)
    assert badge in said(html)
    assert ('class="card faded"' in html) == faded


def test_a_stable_factor_shows_how_sure_it_is():
    text = said(card(write(), "2"))
    assert "Stability 0.95" in text
    assert "axes turned at random reach 0.44 (95 % below 0.57)" in text
    assert "It moves 30.0 % of the variance" in text
    assert "Held-out score 0.33 [0.33, 0.33], chance 0.33 ± 0.33, p = 0.400; counting words 0.33" in text


def test_a_stable_factor_with_a_label_too_rare_to_learn_says_why_it_has_no_score():
    text = said(card(write(axis_scores=make_findings().axis_scores.loc[["1"]]), "2"))
    assert "No held-out score: too few films with reviews carry the label of one of its ends." in text
    assert "No held-out score" not in said(card(write(), "3"))


def test_the_score_is_drawn_with_its_chance_and_read_out():
    (drawing,) = [attrs for tag, attrs in Page(card(write(), "1")).tags if tag == "svg"]
    assert drawing["role"] == "img"
    assert drawing["aria-label"].startswith("Held-out score 0.33, interval 0.33 to 0.33; chance gives 0.33")


def test_both_ends_have_name_words_genres_films_and_passages():
    html = write()
    for label in LABELS:
        assert f"{label} name of {label}" in said(html)
    assert "war" in said(pole(html, 1, 1))
    assert "Drama (50 % here, 25 % of all)" in said(pole(html, 2, 2))
    assert re.search(r'<a href="#film-3">Alpha \(1990\)</a> <span>2.5</span>', pole(html, 1, 1))
    assert "No review of theirs uses any of the words." in said(pole(html, 2, 1))


def test_terms_are_marked_in_passages_of_films_at_that_end():
    html = write()
    (quote,) = re.findall(r"<blockquote>(.*?)</blockquote>", pole(html, 1, 1), re.DOTALL)
    assert re.findall(r"<mark>(.*?)</mark>", quote) == ["war", "war"]
    assert said(quote) == "… A war film with a war hero. … of Alpha (1990)"
    titles = re.findall(r'of <a href="#film-(\d+)">', pole(html, 1, 2))
    assert titles == ["7", "7"]


def test_no_review_is_shown_whole():
    reviews = make_findings().reviews
    text = said(write(ReportConfig(n_passages=20, passage_length=2000)))
    assert FILLER.strip() in reviews["text"][0]
    assert not [review for review in reviews["text"] if review.strip() in text]


def test_only_the_films_furthest_out_give_passages():
    reviews = pd.DataFrame(
        {"review_id": ["a", "b"], "movie_id": [3, 12], "text": f"{FILLER}A war film with a hero. {FILLER}"}
    )
    film_labels = pd.DataFrame({"movie_id": [3, 12], "label": "1+", "strength": [1.0, 2.0]})
    html = write(ReportConfig(passage_films=1), reviews=reviews, film_labels=film_labels)
    assert re.findall(r'of <a href="#film-(\d+)">', html) == ["12"]


def test_a_factor_that_is_not_stable_has_its_films_but_no_name_words_or_passages():
    html = card(write(), "3")
    text = said(html)
    assert "Below 0.9, so it gets no name and no label" in text
    assert "3+ not named" in text
    assert "Words" not in text
    # Only films with 55 ratings or more are shown at an end.
    assert re.findall(r"#film-(\d+)", html) == ["12", "7", "7", "12"]


def test_what_reviews_and_titles_say_is_shown_and_never_run():
    html = write()
    page = Page(html)
    assert SCRIPT not in html
    assert not page.attributes("onerror")
    assert not [tag for tag, _ in page.tags if tag in ("script", "b")]
    assert SCRIPT in page.text
    assert HANDLER in page.text
    assert "<b>" in page.text
