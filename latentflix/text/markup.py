"""The text of HTML, in time linear in its length: Python's own parser takes quadratic time for malformed HTML."""

import html
import re
from collections.abc import Iterator
from html.entities import html5

_START_TAG = re.compile(r"""<([a-zA-Z][^\s/>]*+)(?:[^>=]|=\s*(?:"[^"]*"|'[^']*')?)*+>""")
_ENTITY = re.compile(r"&(?:#(?:[0-9]+|[xX][0-9a-fA-F]+)|([a-zA-Z][a-zA-Z0-9]*));?")
_ENDS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE | re.ASCII) for name in ("script", "style")}
_BLANKS = " \t\n\f\r"
# Python's parser drops it. So did all texts that published figures are of, one of which ends so.
_LAST_AMPERSAND = re.compile(r"&(?=[a-zA-Z]\Z)")
# Digits of a number that may stand for a character.
_DIGITS = 8


def html_to_text(text: str) -> str:
    """Join the texts between tags, comments and declarations by blanks, leave out scripts and styles, resolve entities.

    Unfinished markup, as the "<3" in "I <3 it", is text, and so is an unknown entity.
    """
    pieces = _between_markup(_LAST_AMPERSAND.sub("", text))
    return " ".join(_collapse(_ENTITY.sub(_resolve, piece)) for piece in pieces if piece)


def _between_markup(text: str) -> Iterator[str]:
    """Yield the pieces of text, in order; some are empty."""
    last_end, last_comment_end = text.rfind(">"), text.rfind("-->")
    at, start = 0, text.find("<")
    while 0 <= start < last_end:
        end = -1
        if text.startswith("<!--", start) and start + 4 <= last_comment_end:
            end = text.find("-->", start + 4) + 3
        elif text[start + 1] in "!?/":
            end = text.find(">", start) + 1
        elif tag := _START_TAG.match(text, start):
            end = _after_element(text, tag)
        elif text[start + 1].isascii() and text[start + 1].isalpha():
            # No later tag has an end either.
            break
        if end > 0:
            yield text[at:start]
            at = end
        start = text.find("<", max(end, start + 1))
    yield text[at:]


def _after_element(text: str, tag: re.Match[str]) -> int:
    """Where the text goes on after a start tag: after the tag, or after the whole script or style that it begins."""
    closing = _ENDS.get(tag[1].lower())
    if closing is None or tag[0].endswith("/>"):
        return tag.end()
    found = closing.search(text, tag.end())
    return text.find(">", found.end()) + 1 or len(text) if found else len(text)


def _resolve(entity: re.Match[str]) -> str:
    """The character of a named or numbered entity; an unknown entity stays as it is."""
    name = entity[1]
    if name:
        return html5.get(f"{name};") or html5.get(name) or entity[0]
    # `html.unescape` drops control characters.
    return (html.unescape(entity[0]) or " ") if len(entity[0]) <= _DIGITS + len("&#x;") else "\ufffd"


def _collapse(piece: str) -> str:
    """Replace a piece of nothing but white space by one blank or one line break."""
    return piece if piece.strip(_BLANKS) else "\n" if "\n" in piece else " "
