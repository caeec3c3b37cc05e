import pandas as pd
import pytest

from latentflix.passages import find_passages, find_terms

FILLER = "Nothing of note is said in this part of it. "
WEIGHTS = {"war": 2.0, "love story": 3.0, "hero": 1.0}


def reviews(*texts, films=None):
    movie_ids = films or list(range(1, len(texts) + 1))
    return pd.DataFrame({"review_id": [f"r{n}" for n in range(len(texts))], "movie_id": movie_ids, "text": texts})


def text(passage):
    return "".join(part for part, _ in passage.parts)


def marked(passage):
    return [part for part, is_term in passage.parts if is_term]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("A war, then War again.", ["war"]),
        ("wars and warfare", []),
        ("a love story", ["love story"]),
        ("a love of the story", ["love of the story"]),
        ("a love. story", []),
        ("a love big story", []),
        ("war hero", ["war", "hero"]),
    ],
)
def test_terms_are_found_as_whole_small_words_one_after_the_other_within_a_sentence(written, found):
    assert [written[start:end] for (start, end), _ in find_terms(written, WEIGHTS)] == found


def test_the_passage_has_the_terms_that_weigh_most_and_they_are_marked():
    (passage,) = find_passages(reviews(f"A war. {FILLER}What a love story of a hero! {FILLER}The end."), WEIGHTS, 3, 60)
    assert text(passage) == "What a love story of a hero!"
    assert marked(passage) == ["love story", "hero"]
    assert passage.weight == 4
    assert not passage.starts
    assert not passage.ends


def test_a_term_counts_once_however_often_it_is_used():
    (passage,) = find_passages(reviews(f"War, war, war is all. {FILLER}The love story. {FILLER}"), WEIGHTS, 1, 44)
    assert marked(passage) == ["love story"]


def test_sentences_that_stand_together_make_one_passage_and_the_shorter_of_two_alike_is_taken():
    (passage,) = find_passages(reviews(f"{FILLER}A war. A hero. {FILLER * 4}"), WEIGHTS, 1, 200)
    assert text(passage) == "A war. A hero."


@pytest.mark.parametrize("length", [60, 200, 2000])
def test_no_passage_is_longer_than_asked_or_than_half_of_its_review(length):
    long = "war " * 30 + "and then it goes on without a stop " * 40 + "love story"
    for written in (long, f"{FILLER}A war. {FILLER}", "A war and a hero in a love story. " * 4):
        (passage,) = find_passages(reviews(written), WEIGHTS, 1, length)
        assert 0 < len(text(passage)) <= min(length, len(written) // 2)
        assert text(passage) in written


def test_a_sentence_that_is_too_long_is_cut_between_words():
    (passage,) = find_passages(reviews("so it goes " * 30 + "war " + "on and on " * 30), WEIGHTS, 1, 50)
    assert marked(passage) == ["war"]
    assert text(passage).split()[0] in {"so", "it", "goes"}
    assert text(passage).split()[-1] in {"on", "and"}


def test_a_review_too_short_to_be_shown_in_part_gives_nothing():
    assert find_passages(reviews("A war hero."), WEIGHTS, 3, 200) == []


def test_reviews_without_a_term_and_poles_without_terms_give_nothing():
    assert find_passages(reviews(FILLER * 4), WEIGHTS, 3, 200) == []
    assert find_passages(reviews(f"{FILLER}A war. {FILLER}"), {}, 3, 200) == []
    assert find_passages(reviews(f"{FILLER}A war. {FILLER}").head(0), WEIGHTS, 3, 200) == []


def test_every_film_gives_its_best_before_any_gives_a_second():
    texts = [f"{FILLER}A {words} there. {FILLER}" for words in ("war hero love story", "love story", "war", "hero")]
    found = find_passages(reviews(*texts, films=[1, 1, 2, 3]), WEIGHTS, 4, 200)
    assert [(passage.movie_id, passage.weight) for passage in found] == [(1, 6), (2, 2), (3, 1), (1, 3)]
    assert len(find_passages(reviews(*texts, films=[1, 1, 2, 3]), WEIGHTS, 2, 200)) == 2


def test_line_breaks_of_the_source_are_blanks_and_other_markup_stays_text():
    (passage,) = find_passages(reviews(f"{FILLER}A <b>war</b><br /><br />with a hero. {FILLER}"), WEIGHTS, 1, 60)
    assert text(passage) == "A <b>war</b> with a hero."


def test_terms_that_overlap_are_marked_as_one():
    weights = {"love": 1.0, "love story": 3.0, "story told": 2.0}
    (passage,) = find_passages(reviews(f"{FILLER}A love story told again. {FILLER}"), weights, 1, 60)
    assert marked(passage) == ["love story told"]
    assert passage.weight == 6


def test_a_passage_at_the_begin_or_end_of_its_review_says_so():
    first, last = find_passages(reviews(f"A war. {FILLER * 2}", f"{FILLER * 2}A hero."), WEIGHTS, 2, 60)
    assert (first.starts, first.ends) == (True, False)
    assert (last.starts, last.ends) == (False, True)
