import numpy as np
import pytest

from latentflix.text_notes import NO_TEXT, NOT_UTF8, UNKNOWN_WORDS, note_fault, note_unknown


@pytest.mark.parametrize(
    ("text", "note"),
    [("", NO_TEXT), (" \n\t", NO_TEXT), (None, NO_TEXT), (b"caf\xe9", NOT_UTF8), ("good", ""), ("\x00", "")],
)
def test_what_cannot_be_read_is_told_why(text, note):
    assert note_fault(text) == note


def test_a_text_most_of_which_is_unknown_gets_a_warning():
    assert note_unknown(np.array([0, 0, 5]), unknown=0) == UNKNOWN_WORDS
    assert note_unknown(np.array([0, 5]), unknown=0) == ""
