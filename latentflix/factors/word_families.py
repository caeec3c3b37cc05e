"""Families of words that say the same of an item: "horror", "horror film" and "horror movies"."""

from collections.abc import Sequence

import numpy as np

# Partial correlation of use from which two terms count as one.
SAME_USE = 0.6


def group_families(terms: Sequence[str], agreement: np.ndarray, *, english: bool = True) -> list[list[int]]:
    """Group terms into families: their numbers, the strongest member of a family and the strongest family first.

    A term joins the first family whose strongest member is used by the same items, or to whose words it belongs: forms
    of one word ("joke", "jokes"), or a pair and one of its words. The words of a family are those of its strongest
    member, a pair or not, and the other single words in it, so that "bad movie" does not bring "movie" into the family
    of "bad". Pairs that only share a word, such as "black comedy" and "romantic comedy", are two families.

    Args:
        terms: the strongest first.
        english: whether an English plural is a form of its singular.
        agreement: (terms, terms), partial correlation over items of the use of two terms, given the position.
    """
    stems = [_stems(term) if english else term.split() for term in terms]
    families: list[list[int]] = []
    for number, own in enumerate(stems):
        for family in families:
            words = [stems[member] for member in family if member == family[0] or len(stems[member]) == 1]
            if agreement[family[0], number] >= SAME_USE or any(_alike(own, other) for other in words):
                family.append(number)
                break
        else:
            families.append([number])
    return families


def belong_together(one: str, other: str) -> bool:
    """Whether two terms are forms of the same words, or all words of one are among those of the other."""
    return _alike(_stems(one), _stems(other))


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    if len(one) == len(other):
        return all(map(_same_word, one, other))
    fewer, more = (one, other) if len(one) < len(other) else (other, one)
    return all(any(_same_word(word, another) for another in more) for word in fewer)


def _same_word(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return one == other or (len(shorter) >= 5 and longer.startswith(shorter))


def _stems(term: str) -> list[str]:
    return [_stem(word) for word in term.split()]


def _stem(word: str) -> str:
    """A word without the ending that makes it a plural; "funny" becomes "funni", which "funniest" begins with."""
    stem = word[:-1] if word.endswith("s") and not word.endswith("ss") else word
    return f"{stem[:-1]}i" if stem.endswith("y") else stem
