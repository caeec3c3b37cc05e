import re

import numpy as np
import pandas as pd
import pytest

from latentflix.report.factors import factor_cards, factors_section, find_passages
from latentflix.report.inputs import ReportConfig
from tests.support.factories.report import FILLER, HANDLER, LABELS, SCRIPT, make_inputs, make_reader_scores
from tests.support.html import Page, text_of
from tests.support.scaling import growth


def write(config=None, **changes):
    inputs, config = make_inputs(**changes), config or ReportConfig()
    return str(factors_section(factor_cards(inputs, config), inputs, config))


def card(html, axis):
    return re.search(rf'<article [^>]*id="factor-{axis}".*?</article>', html, re.DOTALL).group(0)


def pole(html, axis, place):
    return re.search(rf'<section aria-labelledby="pole-{axis}-{place}">.*?</section>', html, re.DOTALL).group(0)


def test_every_factor_has_a_card_and_those_that_do_not_hold_are_folded_away():
    html = write()
    names = [name for name in Page(html).attributes("id") if re.fullmatch(r"factor-\d+", name)]
    assert names == ["factor-1", "factor-2", "factor-3"]
    shown, folded = html.split('<details id="factors-that-do-not-hold">')
    assert 'id="factor-1"' in shown
    assert "Factors that do not hold (2)" in folded
    assert 'id="factor-2"' in folded


@pytest.mark.parametrize(
    ("axis", "badges", "faded"),
    [
        ("1", ["● holds", "● stable", "● shared by people"], False),
        ("2", ["○ does not hold", "● stable", "○ not shared by people"], True),
        ("3", ["○ does not hold", "○ not stable"], True),
    ],
)
def test_a_card_says_in_words_whether_its_factor_holds_and_whether_it_is_stable_and_shared(axis, badges, faded):
    html = card(write(), axis)
    assert re.findall(r'<span class="badge[^"]*">(.*?)</span>', html) == badges
    assert ('class="card faded"' in html) == faded


def test_a_factor_shows_how_well_it_is_predicted_and_how_far_it_depends_on_training_and_people():
    text = text_of(card(write(), "1"))
    for part in (
        "Score 0.47 [0.37, 0.57]: rank correlation between where unseen films stand and where their reviews put them.",
        "permuted positions reach -0.20 ± 0.05 (p = 0.001; corrected for all factors, q = 0.002).",
        "Beyond genres, year and popularity words still predict it with a score of 0.12 [0.02, 0.22].",
        "Between trainings 0.99: |r| of the factors of two groups of random seeds; randomly rotated factors reach 0.71",
        "It is a factor of these data, not of one training. It explains 60.0 % of the variance",
        "Between people 0.75: halves of the users agree at |r| 0.60 (95 % of chance below 0.35), which is 0.75 for",
        "Other people's ratings would give it too.",
    ):
        assert part in text
    assert "It may be a factor of these users only" in text_of(card(write(), "2"))
    assert "how far it depends on who the users are was not measured" in text_of(card(write(), "3"))
    text = text_of(card(write(axis_scores=make_inputs().axis_scores.loc[["1"]]), "2"))
    assert "No score: it was not evaluated." in text
    assert "○ does not hold" in text


def test_readers_stand_side_by_side_with_the_lead_of_the_judge():
    (table,) = re.findall(r'aria-label="Readers of factor 1"><table>.*?</table>', write(), re.DOTALL)
    rows = [text_of(row) for row in re.findall("<tr>.*?</tr>", table, re.DOTALL)[1:]]
    assert rows == [
        "all readers of words together (the judge) 0.47 –",
        "words and pairs 0.45 0.02 [-0.01, 0.05]",
        "topics 0.41 0.06 [0.03, 0.09]",
        "language model 0.22 0.25 [0.22, 0.28]",
        "genres, year and ratings; no words 0.52 -0.05 [-0.08, -0.02]",
    ]
    judge_alone = make_reader_scores().loc[["stacked", "metadata"]]
    assert "language model" not in write(reader_scores=judge_alone)


def test_the_score_is_drawn_with_its_chance_and_read_out():
    (drawing,) = [attrs for tag, attrs in Page(card(write(), "1")).tags if tag == "svg"]
    assert drawing["role"] == "img"
    assert drawing["aria-label"] == "Score 0.47, interval 0.37 to 0.57; chance -0.20 ± 0.05"
    shapes = [attrs for tag, attrs in Page(card(write(), "1")).tags if tag in ("line", "ellipse")]
    places = {attrs["class"]: (attrs.get("x1", attrs.get("cx")), attrs.get("x2")) for attrs in shapes}
    # From -0.5 to 1 in 200 units; chance reaches two deviations to either side.
    assert places == {
        "line": ("66.7", "66.7"),
        "band": ("26.7", "53.3"),
        "interval": ("116.0", "142.7"),
        "dot": ("129.3", None),
    }
    scores = make_inputs().axis_scores.assign(null=np.nan, null_sd=np.nan)
    assert 'class="band"' not in write(axis_scores=scores)


def test_both_poles_have_name_words_genres_items_and_passages():
    html = write()
    for label in set(LABELS) - {"2+"}:
        assert f"{label} name of {label}" in text_of(html)
    assert "war" in text_of(pole(html, 1, 1))
    assert "Drama (50 % here, 25 % of all; r 0.41, p 0.001)" in text_of(pole(html, 2, 2))
    assert re.search(r'<a href="#item-3">Alpha \(1990\)</a> <span>2.5</span>', pole(html, 1, 1))
    terms = make_inputs().terms.replace("film", "plot")
    assert "Their reviews use none of these words." in text_of(pole(write(terms=terms), 2, 2))


def test_words_have_their_forms_correlation_and_shares_of_reviews():
    (table,) = re.findall(r'aria-label="Words of 1\+"><table>.*?</table>', write(), re.DOTALL)
    assert "war wars; war film 0.31 0.003 12.5 % 5.0 %" in text_of(table)


def test_a_name_is_shown_with_its_test():
    html = write()
    assert (
        "Tested: its words alone, chosen from other films, put films in the right order: score 0.45 [0.35, 0.55], "
        "chance 0.01 ± 0.08, p = 0.002, q = 0.004."
    ) in text_of(pole(html, 1, 1))
    assert "chosen from other films, do not put films in a better order than chance" in text_of(pole(html, 1, 2))
    untested = make_inputs().name_tests.drop(index="1+")
    assert "Not tested: too few films have reviews." in text_of(pole(write(name_tests=untested), 1, 1))


def test_a_pole_that_no_word_marks_says_so_and_has_neither_test_nor_passages():
    text = text_of(pole(write(), 2, 1))
    assert text.startswith("2+ no word marks this pole Genres no genre marks this pole")
    assert "ested" not in text
    assert "From reviews" not in text


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
    assert "so its poles have no names and no labels" in text
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


@pytest.mark.parametrize("sign", [" ", "\n", "war. ", "war", "love story ", "<br> ", "A war of love. "])
def test_a_passage_of_a_long_review_is_found_in_linear_time(sign):
    assert growth(lambda n: find_passages(reviews(f"{FILLER}A war." + sign * n + "x"), WEIGHTS, 1, 200), 250) < 25


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
