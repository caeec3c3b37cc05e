from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from latentflix.artifacts import Handle, Store
from latentflix.data.movielens import GENRES
from latentflix.errors import NotEnoughData
from latentflix.factors.documents import DocumentConfig, gather_documents
from latentflix.factors.naming import NO_WORDS, NameConfig, Names, find_names, rank_items
from tests.support.synthetic_world import join_world, make_world, read_items, shuffle_links

CONFIG = NameConfig(n_terms=8, n_items=5, permutations=99, max_terms=2000)
FACTORS = ["A", "B", "C"]


@pytest.fixture(scope="module")
def world():
    return make_world(words_per_pole=6, word_share=0.2)


def gather(world, **changes):
    return gather_documents(join_world(world), read_items(world), DocumentConfig(min_ratings=1, **changes))


@pytest.fixture(scope="module")
def documents(world):
    return gather(world)


def name_world(world, documents, config=CONFIG, stable=(True, True, True), **changes):
    axes = pd.DataFrame({"stable": stable}, index=pd.Index(FACTORS, name="axis"))
    arguments = {"positions": world.true_factors, "axes": axes, "items": read_items(world)} | changes
    return find_names(documents, config=config, **arguments)


@pytest.fixture(scope="module")
def names(world, documents):
    return name_world(world, documents)


def terms_of(names, label):
    return names.terms.loc[names.terms["label"] == label, "term"].tolist()


def words_of(names):
    """All words of all terms and of the other forms."""
    terms = names.terms["term"].tolist() + "; ".join(names.terms["forms"]).split("; ")
    return {word for term in terms for word in term.split()}


def permute_positions(world, seed, n_axes=20):
    """The positions on one factor, each axis of other items; and axes."""
    random = np.random.default_rng(seed)
    names = [str(number) for number in range(n_axes)]
    factor = world.true_factors["A"]
    positions = pd.DataFrame({name: random.permutation(factor) for name in names}, factor.index)
    return positions, pd.DataFrame({"stable": True}, index=pd.Index(names, name="axis"))


def test_synthetic_words_are_the_terms_of_their_pole(world, names):
    for (factor, pole), words in world.words.items():
        first = terms_of(names, factor + pole)[:3]
        assert len(first) == 3
        # Of a pair, one word may be a filler that follows it.
        assert all(set(term.split()) & set(words) for term in first)
        assert names.names[factor + pole] == ", ".join(first)
        opposite = {word for term in terms_of(names, factor + "-+"[pole == "-"]) for word in term.split()}
        assert not set(words) & opposite


def test_names_of_the_synthetic_world_hold_on_items_that_they_were_not_chosen_from(names):
    assert names.tests.index.tolist() == list(names.names)
    assert names.tests["holds"].all()
    assert (names.tests["rho_low"] > 0.3).all()
    assert (names.tests["null"].abs() < 0.1).all()


def test_terms_are_the_strongest_families_with_their_figures(world, documents, names):
    few = name_world(world, documents, CONFIG.model_copy(update={"n_terms": 2}))
    assert (few.terms.groupby("label").size() == 2).all()
    for label, table in names.terms.groupby("label"):
        assert terms_of(few, label) == table["term"].head(2).tolist()
        assert table["r"].is_monotonic_decreasing
        assert (table["r"] > 0).all()
        assert (table["p"] <= CONFIG.max_p).all()
        assert (table["share"] > table["share_all"]).all()
        assert table["items"].between(CONFIG.min_items, len(documents.items)).all()
    row = names.terms.iloc[0]
    uses = documents.parts["text"].str.contains(rf"\b{row['term']}\b", case=False)
    assert row["share_all"] == pytest.approx(uses.mean())
    assert row["items"] == documents.parts.loc[uses, "item_id"].nunique()


def test_on_permuted_items_a_word_marks_a_pole_of_one_axis_in_twenty(world, documents):
    n_named, n_hold, n_genres = 0, 0, 0
    for seed in range(10):
        positions, axes = permute_positions(world, seed)
        config = CONFIG.model_copy(update={"seed": seed, "permutations": 39})
        names = name_world(world, documents, config, positions=positions, axes=axes)
        n_named += names.terms["label"].str[:-1].nunique()
        n_hold += int(names.tests["holds"].sum())
        n_genres += int(len(names.genres) > 0)
    # Of 200 axes 10 are expected, and 3 to 18 in 99 of 100 such tests; of 10 sets of genres half a one.
    assert 3 <= n_named <= 18
    assert n_hold <= n_named
    assert n_genres <= 3


def test_reviews_of_other_items_name_nothing(world):
    shuffled = shuffle_links(world, seed=3)
    names = name_world(shuffled, gather(shuffled), CONFIG.model_copy(update={"permutations": 199}))
    assert list(names.names.values()).count(NO_WORDS) >= 5
    assert not names.tests["holds"].any()
    # Genres come from the ratings' side.
    assert set(names.genres["label"]) == set(names.names)


def test_a_pole_without_a_word_says_so_and_is_not_tested(world, documents):
    nobody = CONFIG.model_copy(update={"min_items": 81})
    names = name_world(world, documents, nobody)
    assert set(names.names.values()) == {NO_WORDS}
    assert names.terms.empty
    assert names.tests.empty
    assert len(names.items) == 6 * CONFIG.n_items


def test_names_pass_through_an_artifact_unchanged(world, documents, names, tmp_path):
    without = name_world(world, documents, CONFIG.model_copy(update={"min_items": 81}))
    for number, written in enumerate((names, without)):
        handle = Handle(stage="names", key=str(number))
        Store(tmp_path).ensure(handle, {}, CONFIG, lambda artifact, names=written: artifact.write(names))
        read = Store(tmp_path).read(handle, Names)
        assert read.names == written.names
        for field in fields(Names)[:4]:
            pd.testing.assert_frame_equal(getattr(read, field.name), getattr(written, field.name))


def test_a_word_of_a_single_item_names_no_pole(world, names):
    assert not set(world.own_words.values()) & words_of(names)


def test_proper_names_stop_words_and_line_breaks_are_no_terms(world, documents):
    noisy = documents.parts["text"].str.replace(".", ", the of Zorro \n ab it.")
    marked = replace(documents, parts=documents.parts.assign(text=noisy), proper_names=["zorro"])
    names = name_world(world, marked, CONFIG.model_copy(update={"n_terms": 40, "max_p": 1.0, "min_items": 1}))
    assert len(words_of(names)) > 100
    assert not words_of(names) & {"the", "of", "br", "ab", "it", "zorro", "Zorro"}


def test_words_that_always_come_together_are_shown_once(world, documents):
    word = world.words["A", "+"][0]
    doubled = documents.parts["text"].str.replace(rf"(?i)\b{word}\b", f"{word} movie", regex=True)
    names = name_world(world, replace(documents, parts=documents.parts.assign(text=doubled)))
    shown = [(row.term, row.forms.split("; ")) for row in names.terms[names.terms["label"] == "A+"].itertuples()]
    (family,) = [{term, *forms} for term, forms in shown if {word, "movie", f"{word} movie"} & {term, *forms}]
    assert {word, "movie", f"{word} movie"} <= family


def test_an_item_with_many_reviews_counts_as_one_item(world, documents):
    best = world.true_factors["A"].idxmax()
    cry = documents.parts[documents.parts["item_id"] == best].head(1).assign(text="zorp zorp zorp")
    many = pd.concat([documents.parts, *[cry] * 400], ignore_index=True)
    names = name_world(world, replace(documents, parts=many), CONFIG.model_copy(update={"min_items": 1}))
    assert "zorp" not in words_of(names)


def test_items_with_one_review_or_none_are_no_obstacle(world, documents, names):
    first = documents.parts.groupby("item_id").cumcount() == 0
    half = documents.parts["item_id"] % 2 == 0
    thinned = replace(documents, parts=documents.parts[half | first])
    assert set(terms_of(name_world(world, thinned), "A+")) <= set(world.words["A", "+"])
    titles_only = replace(documents, parts=documents.parts.assign(kind=np.where(half, "review", "title")))
    assert set(name_world(world, titles_only).names) == set(names.names)


def test_the_items_of_a_pole_are_those_with_the_highest_or_lowest_score_among_the_frequently_rated(
    world, documents, names
):
    titles = world.items.set_index("item_id")["title"]
    for factor in FACTORS:
        position = world.true_factors[factor].sort_values()
        for pole, expected in (("-", position.head(5)), ("+", -position.tail(5)[::-1])):
            shown = names.items[names.items["label"] == factor + pole]
            assert shown["item_id"].tolist() == expected.index.tolist()
            assert shown["title"].tolist() == titles[expected.index].tolist()
            assert shown["score"].tolist() == pytest.approx((-expected).tolist())
    items = read_items(world)
    best = world.true_factors["A"].idxmax()
    items.loc[best, "ratings"] = CONFIG.min_ratings - 1
    assert best not in name_world(world, documents, items=items).items["item_id"].tolist()
    assert best in names.items["item_id"].tolist()


def test_synthetic_genres_mark_their_pole(world, names):
    for number, factor in enumerate(FACTORS):
        for pole, genre in (("+", GENRES[1 + 2 * number]), ("-", GENRES[2 + 2 * number])):
            found = names.genres[names.genres["label"] == factor + pole]
            assert found["genre"].iloc[0] == genre
            row = found.iloc[0]
            assert row["share"] == 1
            assert row["share_all"] == pytest.approx(world.items["genres"].str.contains(genre).mean())
            assert row["p"] == pytest.approx(0.01)
            assert row["r"] > 0.5
            assert genre not in names.names[factor + pole]


@pytest.mark.parametrize("genres", [["Drama"], []])
def test_genres_of_all_or_no_items_mark_no_pole(world, documents, names, genres):
    items = read_items(world)
    named = name_world(world, documents, items=items.assign(genres=[genres] * len(items)))
    assert named.genres.empty
    assert named.names == names.names


def test_only_stable_axes_are_named_and_without_one_there_is_nothing_to_name(world, documents):
    names = name_world(world, documents, stable=(True, False, True))
    assert list(names.names) == ["A+", "A-", "C+", "C-"]
    for table in (names.terms, names.items, names.genres, names.tests.reset_index()):
        assert set(table["label"]) == {"A+", "A-", "C+", "C-"}
    axes = pd.DataFrame({"stable": False, "stability": [0.7, 0.62, 0.5]}, index=pd.Index(FACTORS, name="axis"))
    with pytest.raises(NotEnoughData, match=r"no factor is stable.*found: stability of at most 0.70"):
        find_names(documents, None, axes=axes, items=None, config=CONFIG)


def test_items_are_ranked_towards_the_pole_of_a_label():
    scores = pd.DataFrame({"3": [0.5, -2.0, 1.0, 9.0]}, index=[1, 2, 3, 4])
    assert rank_items(scores, pd.Index([1, 2, 3]), "3+").to_dict() == {3: 1.0, 1: 0.5, 2: -2.0}
    assert list(rank_items(scores, pd.Index([1, 2, 3]), "3-").items()) == [(2, 2.0), (1, -0.5), (3, -1.0)]
