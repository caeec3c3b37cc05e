import numpy as np
import pytest

from latentflix.factors.meanings.evidence import Evidence, split_documents
from tests.support.factories.meanings import make_planted


@pytest.fixture(scope="module")
def planted():
    return make_planted()


def test_items_are_shown_or_kept_with_all_that_belong_to_them(planted):
    documents = planted[1]
    documents.items["group"] = np.arange(len(documents.items)) // 2
    shown, kept = split_documents(documents, 0.4, 0)
    assert (len(shown.items), len(kept.items)) == (24, 36)
    assert set(shown.items["group"]).isdisjoint(kept.items["group"])
    for part in (shown, kept):
        assert set(part.parts["item_id"]) == set(part.items.index)
    assert len(shown.parts) + len(kept.parts) == len(documents.parts)
    assert not split_documents(documents, 0.4, 1)[0].items.index.equals(shown.items.index)


def test_a_pole_is_shown_by_its_words_items_and_passages(planted):
    world, documents, positions = planted
    evidence = Evidence.count(documents, 4)
    for factor in "AB":
        for pole, sign in (("+", 1), ("-", -1)):
            shown = evidence.of_pole(positions[factor], pole, 5, 3, 2, 60)
            assert set(shown.words) <= set(world.words[factor, pole])
            best = (sign * positions[factor] * documents.items["weight"]).nlargest(3).index
            assert shown.titles == tuple(documents.items.loc[best, "title"])
            assert len(shown.passages) == 2
            assert all(len(passage) <= 60 and set(passage.split()) & set(shown.words) for passage in shown.passages)


def test_proper_names_and_words_of_few_items_are_not_shown(planted):
    world, documents, positions = planted
    word = world.words["A", "+"][0]
    documents.proper_names.append(word)
    evidence = Evidence.count(documents, 4)
    assert word not in evidence.words
    assert set(evidence.words).isdisjoint(world.own_words.values())
    documents.proper_names.remove(word)
    nothing = Evidence.count(documents, 1000).of_pole(positions["A"], "+", 5, 3, 2, 60)
    assert (nothing.words, nothing.passages, len(nothing.titles)) == ((), (), 3)
