import pandas as pd
import pytest

from latentflix.errors import NotEnoughData
from latentflix.factors.documents import (
    DocumentConfig,
    LeftOutConfig,
    find_proper_names,
    gather_documents,
    leave_out_kind,
    mask_names,
    review_parts,
    separable_kinds,
)

ITEMS = pd.DataFrame(
    {
        "title": ["Alien (1979)", "Aliens (1986)", "Big (1988)", "Clue (1985)", "Dune (1984)", "Emma (1996)"],
        "ratings": [30, 90, 10, 270, 60, 9],
    },
    index=pd.Index([1, 2, 3, 4, 5, 6], name="item_id"),
)


def reviews(*texts):
    table = pd.DataFrame(texts, columns=["item_id", "text"])
    return table.assign(review_id=[f"r{number}" for number in range(len(table))])


FOUR = [(1, "one ship"), (2, "two ships"), (3, "a piano"), (4, "a board game")]


def test_an_item_counts_by_how_well_its_position_is_known():
    documents = gather_documents(reviews(*FOUR, (6, "too few ratings")), ITEMS, DocumentConfig(half_known=30))
    assert documents.items["weight"].to_dict() == {1: 0.5, 2: 0.75, 3: 0.25, 4: 0.9}
    assert documents.items["parts"].tolist() == [1, 1, 1, 1]
    assert documents.items["words"].tolist() == [2, 2, 1, 2]


def test_a_sequel_is_of_the_group_of_the_first_film():
    groups = gather_documents(reviews(*FOUR), ITEMS, DocumentConfig()).items["group"]
    assert groups[1] == groups[2]
    assert groups.nunique() == 3


def test_a_text_of_two_items_is_left_out_and_a_second_copy_counts_once():
    shared = reviews(*FOUR, (4, "the same words"), (5, "the same words"), (1, "one ship"))
    documents = gather_documents(shared, ITEMS, DocumentConfig())
    assert documents.parts["text"].tolist() == ["one ship", "two ships", "a piano", "a board game"]
    assert documents.repeated == 3
    assert 5 not in documents.items.index


def test_markup_is_no_text():
    documents = gather_documents(reviews(*FOUR, (5, "<br /><b> </b>")), ITEMS, DocumentConfig())
    assert documents.items.index.tolist() == [1, 2, 3, 4]


def test_titles_are_read_if_asked_for():
    parts = gather_documents(reviews(*FOUR), ITEMS, DocumentConfig(titles=True)).parts
    assert parts.loc[parts["kind"] == "title", "text"].tolist() == ITEMS["title"].tolist()[:4]


def test_kinds_of_texts_are_read_as_asked_for_and_can_be_left_out_again():
    of_kinds = reviews(*FOUR, (1, "a plot"), (5, "only a plot")).assign(kind=["review"] * 4 + ["plot"] * 2)
    plots = pd.DataFrame({"item_id": [1, 6], "part_id": ["7", "8"], "text": ["of the data set", "too few ratings"]})
    everything = gather_documents(of_kinds, ITEMS, DocumentConfig(titles=True), plots)
    assert everything.parts.loc[everything.parts["item_id"] == 1, ["kind", "part_id"]].to_numpy().tolist() == [
        *(["review", "r0"], ["plot", "r4"], ["data_plot", "7"], ["title", "title"])
    ]
    assert separable_kinds(everything) == ["title", "review", "plot", "data_plot"]
    assert review_parts(everything)["part_id"].tolist() == ["r0", "r4", "r1", "r2", "r3", "r5"]
    assert everything.items.index.tolist() == [1, 2, 3, 4, 5]
    bare = leave_out_kind(gather_documents(of_kinds, ITEMS, DocumentConfig()), LeftOutConfig(kind="plot"))
    assert bare.parts[["item_id", "text"]].to_numpy().tolist() == [
        *([1, "one ship"], [2, "two ships"], [3, "a piano"], [4, "a board game"], [5, ""])
    ]
    assert bare.parts["item_id"].dtype == "int32"
    assert gather_documents(of_kinds, ITEMS, DocumentConfig(kinds=("review",))).items.index.tolist() == [1, 2, 3, 4]


def test_too_few_items_with_texts_are_an_error():
    with pytest.raises(NotEnoughData, match="3 items with 10 ratings or more and a text"):
        gather_documents(reviews(*FOUR[:3]), ITEMS, DocumentConfig())


def test_a_name_is_a_word_mostly_written_with_a_capital_within_a_sentence():
    texts = pd.Series(["here Ripley fights a ship, and Ripley wins. The ship burns", "the ship of ripley"])
    names = find_proper_names(texts)
    assert names == ["ripley"]
    assert mask_names("The ship of Ripley", frozenset(names)) == "the ship of"
