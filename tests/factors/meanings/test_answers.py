import pytest

from latentflix.factors.meanings.answers import clean_phrase, read_phrases

BOTH = {"+": "funny films", "-": "sad films"}


@pytest.mark.parametrize(
    "answer",
    [
        '{"+": "funny films", "-": "sad films"}',
        'Sure!\n```json\n{"-": "sad films", "+": "funny films"}\n```\nAnything else?',
        '<think>{"+": "no", "-": "no"}</think>{"+": "funny films", "-": "sad films"}',
        'Broken {"+": } first, then {"+": "funny films", "-": "sad films"}',
        '{"+": 1} is wrong: {"+": "funny films", "-": "sad films"}',
    ],
)
def test_phrases_are_found_in_json_wherever_it_stands(answer):
    assert read_phrases(answer) == BOTH


def test_phrases_are_found_in_lines_of_plain_text():
    found = read_phrases("Here they are:\n**+**: funny films\n - : sad films\n+: another")
    assert {pole: phrase.strip(" *") for pole, phrase in found.items()} == BOTH
    assert set(read_phrases("\u2212: sad films")) == {"-"}


@pytest.mark.parametrize(
    "answer", ["", "I cannot help with that.", "- a\n- b", "[]", "{}", '{"+": null}', "{" * 5000, "<think>on and on"]
)
def test_an_answer_without_phrases_gives_none(answer):
    assert read_phrases(answer) == {}


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ('  **"Laugh-out-loud" comedy.** ', "Laugh-out-loud comedy"),
        ("two\nlines\tof text", "two lines of text"),
        ("<script>alert(1)</script>dark <b>humour</b>", "dark humour"),
        ('<img src=x onerror="alert(2)">grim', "grim"),
        ("&lt;script&gt;alert(3)&lt;/script&gt; grim", "script alert(3) /script grim"),
        ("right\u202eto left\u200b", "right to left"),
        ("\ud800half", "half"),
        ("drames à l'ancienne", "drames à l'ancienne"),
        ("x" * 80, "x" * 80),
    ],
)
def test_a_phrase_is_cleaned_to_plain_text_on_one_line(phrase, expected):
    assert clean_phrase(phrase) == (expected, "")


@pytest.mark.parametrize(
    ("phrase", "note"),
    [
        ("", "the answer has an empty phrase"),
        (" \n ** ", "the answer has an empty phrase"),
        ("<script>alert(1)</script>", "the answer has an empty phrase"),
        ("x" * 81, "the phrase is longer than 80 characters"),
    ],
)
def test_a_phrase_that_cannot_be_used_is_noted(phrase, note):
    assert clean_phrase(phrase) == ("", note)
