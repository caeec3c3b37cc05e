"""What a review says, without what a page does: markup, scripts and control characters taken out for the models."""

import re
import warnings

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning

# All of ASCII but tab, line feed and carriage return; in old texts those beyond stand for dashes and quotes.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def plain_text(text: str) -> str:
    """The words of a text that may be HTML: no tags, no scripts or styles, no control characters, entities resolved.

    A line break stays one. What is no markup stays as it is, as in "I <3 it".
    """
    text = _BREAK.sub("\n", _CONTROLS.sub(" ", text))
    if "<" in text or "&" in text:
        with warnings.catch_warnings():
            # A review may look like a file name to a parser of pages.
            warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
            page = BeautifulSoup(text, "html.parser")
        for element in page(["script", "style"]):
            element.decompose()
        # Once more: an entity may stand for such a character.
        text = _CONTROLS.sub(" ", page.get_text(" "))
    return text.strip()
