import re

import pandas as pd
import pytest

from latentflix.report.factors import factors_section, find_passages
from latentflix.report.headline import NOT_PREDICTABLE, PREDICTABLE, UNSTABLE
from latentflix.report.inputs import ReportConfig
from tests.support.factories.report import FILLER, HANDLER, LABELS, SCRIPT, make_inputs
from tests.support.html import Page, text_of

VERDICTS = pd.Series([PREDICTABLE, NOT_PREDICTABLE, UNSTABLE], index=pd.Index(["1", "2", "3"], name="axis"))


def write(config=None, **changes):
    return str(factors_section(make_inputs(**changes), VERDICTS, config or ReportConfig()))


def card(html, axis):
    return re.search(rf'<article [^>]*id="factor-{axis}".*?</article>', html, re.DOTALL).group(0)


def pole(html, axis, place):
    return re.search(rf'<section aria-labelledby="pole-{axis}-{place}">.*?</section>', html, re.DOTALL).group(0)


def test_every_factor_has_a_card_and_a_row_at_a_glance():
    page, cards = Page(write()), [f"factor-{number}" for number in (1, 2, 3)]
    assert [name for name in page.attributes("id") if re.fullmatch(r"factor-\d+", name)] == cards
    assert [link for link in page.attributes("href") if link.startswith("#factor-")] == [f"#{card}" for card in cards]


@pytest.mark.parametrize(
    ("axis", "badge", "faded"),
    [
        ("1", "● predictable from reviews", False),
        ("2", "○ not predictable from reviews", True),
        ("3", "◌ not stable", True),
    ],
)
def test_a_factor_that_is_unstable_or_not_predictable_is_grey_and_says_so_in_words(axis, badge, faded):
    html = card(write(), axis)
    assert badge in text_of(html)
    assert ('class="card faded"' in html) == faded


def test_a_stable_factor_shows_how_sure_it_is_or_says_why_it_has_no_score():
    text = text_of(card(write(), "2"))
    assert "Stability 0.95" in text
    assert "randomly rotated factors reach 0.44 (95 % below 0.57)" in text
    assert "It explains 30.0 % of the variance" in text
    assert "Held-out score 0.33 [0.33, 0.33], chance 0.33 ± 0.33, p = 0.400; TF-IDF 0.33" in text
    assert "No held-out score" not in text_of(card(write(), "3"))
    text = text_of(card(write(axis_scores=make_inputs().axis_scores.loc[["1"]]), "2"))
    assert "No held-out score: too few films with reviews have the label of one of its poles." in text


def test_the_score_is_drawn_with_its_chance_and_read_out():
    (drawing,) = [attrs for tag, attrs in Page(card(write(), "1")).tags if tag == "svg"]
    assert drawing["role"] == "img"
    assert drawing["aria-label"].startswith("Held-out score 0.33, interval 0.33 to 0.33; chance 0.33")


def test_both_poles_have_name_words_genres_items_and_passages():
    html = write()
    for label in LABELS:
        assert f"{label} name of {label}" in text_of(html)
    assert "war" in text_of(pole(html, 1, 1))
    assert "Drama (50 % here, 25 % of all)" in text_of(pole(html, 2, 2))
    assert re.search(r'<a href="#item-3">Alpha \(1990\)</a> <span>2.5</span>', pole(html, 1, 1))
    assert "Their reviews use none of these words." in text_of(pole(html, 2, 1))


def test_terms_are_marked_in_passages_of_items_at_that_pole():
    html = write()
    (quote,) = re.findall(r"<blockquote>(.*?)</blockquote>", pole(html, 1, 1), re.DOTALL)
    assert re.findall(r"<mark>(.*?)</mark>", quote) == ["war film", "war"]
    assert text_of(quote) == "… A war film with a war hero. … on Alpha (1990)"
    assert re.findall(r'on <a href="#item-(\d+)">', pole(html, 1, 2)) == ["7", "7"]


def test_no_review_is_shown_whole():
    reviews = make_inputs().reviews
    text = text_of(write(ReportConfig(n_passages=20, passage_length=2000)))
    assert FILLER.strip() in reviews["text"][0]
    assert not [review for review in reviews["text"] if review.strip() in text]


def test_only_the_items_furthest_out_give_passages():
    reviews = pd.DataFrame(
        {"review_id": ["a", "b"], "item_id": [3, 12], "text": f"{FILLER}A war film with a hero. {FILLER}"}
    )
    item_labels = pd.DataFrame({"item_id": [3, 12], "label": "1+", "strength": [1.0, 2.0]})
    html = write(ReportConfig(passage_items=1), reviews=reviews, item_labels=item_labels)
    assert re.findall(r'on <a href="#item-(\d+)">', html) == ["12"]


def test_a_factor_that_is_not_stable_has_its_items_but_no_name_words_or_passages():
    html = card(write(), "3")
    text = text_of(html)
    assert "Because it is below 0.9, its poles have no names and no labels" in text
    assert "3+ without a name" in text
    assert "Words" not in text
    # Only items with 55 ratings or more are shown at a pole.
    assert re.findall(r"#item-(\d+)", html) == ["12", "7", "7", "12"]


def test_reviews_and_titles_are_shown_and_never_run():
    html = write()
    page = Page(html)
    assert SCRIPT not in html
    assert not page.attributes("onerror")
    assert not [tag for tag, _ in page.tags if tag in ("script", "b")]
    assert SCRIPT in page.text
    assert HANDLER in page.text
    assert "<b>" in page.text


WEIGHTS = {"war": 2.0, "love story": 3.0, "hero": 1.0}


def reviews(*texts, items=None):
    item_ids = items or list(range(1, len(texts) + 1))
    return pd.DataFrame({"review_id": [f"r{n}" for n in range(len(texts))], "item_id": item_ids, "text": texts})


def the_passage(written, length=60, weights=WEIGHTS):
    """The one passage of a review, its text, and its marked terms."""
    (passage,) = find_passages(reviews(written), weights, 1, length)
    text = "".join(part for part, _ in passage.parts)
    assert text in written.replace("<br /><br />", " ")
    return passage, text, [part for part, is_term in passage.parts if is_term]


def test_the_passage_has_the_terms_that_weigh_most_and_they_are_marked():
    written = f"A war. {FILLER}What a love story of a hero! {FILLER}The end."
    passage, text, marked = the_passage(written)
    assert (text, marked) == ("What a love story of a hero!", ["love story", "hero"])
    assert (passage.weight, passage.starts, passage.ends) == (4, False, False)
    assert find_passages(reviews(written), WEIGHTS, 3, 60) == [passage]


def test_a_term_counts_once_however_often_it_is_used_and_terms_that_overlap_are_marked_as_one():
    assert the_passage(f"War, war, war is all. {FILLER}The love story. {FILLER}", 44)[2] == ["love story"]
    weights = {"love": 1.0, "love story": 3.0, "story told": 2.0}
    passage, _, marked = the_passage(f"{FILLER}A love story told again. {FILLER}", weights=weights)
    assert (passage.weight, marked) == (6, ["love story told"])


def test_sentences_that_stand_together_make_one_passage_and_the_shorter_of_two_alike_is_taken():
    assert the_passage(f"{FILLER}A war. A hero. {FILLER * 4}", 200)[1] == "A war. A hero."


@pytest.mark.parametrize("length", [60, 200, 2000])
def test_no_passage_is_longer_than_asked_or_than_half_of_its_review(length):
    long = "war " * 30 + "and then it goes on without a stop " * 40 + "love story"
    for written in (long, f"{FILLER}A war. {FILLER}", "A war and a hero in a love story. " * 4):
        assert 0 < len(the_passage(written, length)[1]) <= min(length, len(written) // 2)


def test_a_sentence_that_is_too_long_is_cut_between_words():
    _, text, marked = the_passage("so it goes " * 30 + "war " + "on and on " * 30, 50)
    assert marked == ["war"]
    assert text.split()[0] in {"so", "it", "goes"}
    assert text.split()[-1] in {"on", "and"}


@pytest.mark.parametrize(
    ("written", "weights"),
    [("A war hero.", WEIGHTS), (FILLER * 4, WEIGHTS), (f"{FILLER}A war. {FILLER}", {})],
    ids=["too short to be shown in part", "no term in it", "a pole without terms"],
)
def test_a_review_without_a_passage_gives_nothing(written, weights):
    assert find_passages(reviews(written), weights, 3, 200) == []
    assert find_passages(reviews(written).head(0), WEIGHTS, 3, 200) == []


def test_line_breaks_of_the_source_are_blanks_and_other_markup_stays_text():
    assert the_passage(f"{FILLER}A <b>war</b><br /><br />with a hero. {FILLER}")[1] == "A <b>war</b> with a hero."


def test_every_item_gives_its_best_before_any_gives_a_second():
    texts = [f"{FILLER}A {words} there. {FILLER}" for words in ("war hero love story", "love story", "war", "hero")]
    found = find_passages(reviews(*texts, items=[1, 1, 2, 3]), WEIGHTS, 4, 200)
    assert [(passage.item_id, passage.weight) for passage in found] == [(1, 6), (2, 2), (3, 1), (1, 3)]
    assert len(find_passages(reviews(*texts, items=[1, 1, 2, 3]), WEIGHTS, 2, 200)) == 2


def test_a_passage_knows_whether_it_begins_or_ends_its_review():
    first, last = find_passages(reviews(f"A war. {FILLER * 2}", f"{FILLER * 2}A hero."), WEIGHTS, 2, 60)
    assert (first.starts, first.ends) == (True, False)
    assert (last.starts, last.ends) == (False, True)
