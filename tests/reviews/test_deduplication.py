import pytest

from latentflix.reviews.deduplication import find_near_duplicates


@pytest.fixture(scope="module")
def texts(imdb_reviews):
    return imdb_reviews["text"].tolist()[:40]


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text,
        str.upper,
        lambda text: text.replace(" ", "<br /><br />", 5),
        lambda text: text.replace(" the ", " teh "),
        lambda text: text + " I have corrected a word.",
        lambda text: "  " + text.replace(" ", "\n", 9),
    ],
    ids=["the same", "case", "line breaks", "typing errors", "a line more", "white space"],
)
def test_an_edited_copy_of_a_real_review_is_found(texts, edit):
    long = [text for text in texts if len(text) > 600][:10]
    assert len(long) == 10
    assert find_near_duplicates([edit(text) for text in long], texts).all()


def test_no_two_real_reviews_are_near_duplicates_and_of_new_copies_the_first_is_kept(texts):
    assert not find_near_duplicates(texts, []).any()
    new = [texts[0], texts[1], texts[0] + "!", texts[0]]
    assert find_near_duplicates(new, []).tolist() == [False, False, True, True]
    assert find_near_duplicates([], ["a text"]).tolist() == []


def test_a_text_similar_only_to_a_left_out_one_is_kept():
    known = "a" * 100
    near = "a" * 91 + "b" * 9
    far = "a" * 82 + "b" * 18
    assert find_near_duplicates([near], [known]).tolist() == [True]
    assert find_near_duplicates([far], [near]).tolist() == [True]
    assert find_near_duplicates([near, far], [known]).tolist() == [True, False]
