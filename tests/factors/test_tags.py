from collections import Counter

import numpy as np
import pandas as pd
import pytest

from latentflix.data.tags import count_taggers
from latentflix.factors.crossfit import CrossFit
from latentflix.factors.documents import DocumentConfig, gather_documents
from latentflix.factors.folds import assign_groups
from latentflix.factors.tag_use import GENOME, USERS
from latentflix.factors.tags import TagConfig, compare_with_tags, confirm_words
from tests.support.synthetic_world import join_world, make_world, read_items, tag_world

FACTORS = ["A", "B", "C"]
CONFIG = TagConfig(permutations=39, n_repeats=1, bootstraps=40)
READ = DocumentConfig(min_ratings=1)
STABLE = pd.Series(True, pd.Index(FACTORS, name="axis"))


@pytest.fixture(scope="module")
def world():
    return make_world(n_items=90, reviews_per_item=1, corpus_reviews=10)


@pytest.fixture(scope="module")
def documents(world):
    return gather_documents(join_world(world), read_items(world), READ)


@pytest.fixture(scope="module")
def tags(world):
    return count_taggers(tag_world(world, n_taggers=20, share=0.8), Counter())


def read_well(world, documents, noise=0.5, seed=0):
    """What a judge predicts that sees the positions through noise, in two repeats of five folds."""
    random = np.random.default_rng(seed)
    truth = world.true_factors.loc[documents.items.index].to_numpy()
    folds = np.stack([assign_groups(documents.items["group"].to_numpy(), 5, random) for _ in range(2)])
    judged = np.stack([truth + random.normal(0, noise, truth.shape) for _ in folds]).astype(np.float32)
    nothing = np.zeros((1, len(FACTORS)), np.float32)
    ids = documents.items.index.to_numpy(np.int32)
    return CrossFit(ids, folds, {"stacked": judged}, np.zeros((2, *judged.shape)), nothing, nothing, pd.DataFrame())


def compare(world, documents, tables, config=CONFIG, **changes):
    items = read_items(world)
    arguments = {
        "items": items,
        "item_ids": pd.Series(items.index, items.index, dtype="int32"),
        "documents": documents,
        "read": READ,
        "positions": world.true_factors,
        "stable": STABLE,
        "fit": read_well(world, documents),
        "terms": pd.DataFrame({"label": ["A+"], "term": [world.words["A", "+"][0]], "forms": [""]}),
    } | changes
    return compare_with_tags(tables, config=config, **arguments)


@pytest.fixture(scope="module")
def found(world, documents, tags):
    return compare(world, documents, {"tags": tags})


def shuffle_items(tags, seed=1):
    """The same tags on other items."""
    item_ids = np.unique(tags["item_id"])
    other = dict(zip(item_ids, np.random.default_rng(seed).permutation(item_ids), strict=True))
    return tags.assign(item_id=tags["item_id"].map(other).astype("int32"))


def test_planted_tags_mark_their_pole_and_no_other(world, found):
    planted = {word for words in world.words.values() for word in words}
    for (factor, pole), words in world.words.items():
        of_pole = found.tags[found.tags["label"] == factor + pole]
        listed = {tag for row in of_pole.itertuples() for tag in (row.tag, *row.forms.split("; ")) if tag}
        # Noise may mark one axis in twenty.
        assert listed & planted == set(words[:3])
        assert (of_pole["p"] <= CONFIG.max_p).all()
        assert of_pole["r"].is_monotonic_decreasing
    assert found.kind == USERS
    assert (found.items, found.compared) == (90, 90)
    assert found.summary()["poles_with_tags"] == 6


def test_tags_predict_unseen_items_and_agree_with_a_judge_that_sees_the_same_positions(found):
    assert found.axes.index.tolist() == FACTORS
    assert (found.axes["tags"] > 0.7).all()
    # A judge with half a deviation of noise.
    assert (found.axes["reviews"] > 0.7).all()
    assert (found.axes["agreement"] > 0.6).all()
    for name in ("reviews", "tags", "agreement"):
        assert (found.axes[f"{name}_low"] < found.axes[name]).all()
        assert (found.axes[f"{name}_high"] > found.axes[name]).all()
    assert (found.axes[["tags_p", "agreement_p", "agreement_q"]] == 1 / 40).all(axis=None)
    assert (found.axes["agreement_null"].abs() < 0.1).all()


def test_agreement_is_near_one_where_tags_and_judge_see_the_positions_exactly(world, documents):
    genome = (0.5 + world.true_factors / 10).astype("float32").rename_axis("item_id")
    found = compare(world, documents, {"genome": genome}, fit=read_well(world, documents, noise=0.0))
    assert found.kind == GENOME
    assert (found.axes["agreement"] > 0.97).all()
    assert (found.axes["tags"] > 0.97).all()


def test_tags_of_other_items_mark_nothing_and_agree_with_nothing(world, documents, tags):
    p = []
    for seed in range(4):
        found = compare(world, documents, {"tags": shuffle_items(tags, seed)})
        assert len(found.tags) <= 1
        assert (found.axes["agreement"].abs() < 0.35).all()
        p += [*found.axes["agreement_p"], *found.axes["tags_p"]]
    # Uniform from 0 to 1 by chance.
    assert 0.3 < np.mean(p) < 0.7


def test_where_a_set_has_both_the_setting_chooses(world, documents, tags):
    tables = {"tags": tags, "genome": (0.5 + world.true_factors / 10).astype("float32").rename_axis("item_id")}
    assert compare(world, documents, tables).kind == USERS
    assert compare(world, documents, tables, CONFIG.model_copy(update={"kind": "genome"})).kind == GENOME
    assert compare(world, documents, tables | {"tags": tags[:0]}).kind == GENOME
    assert compare(world, documents, {"tags": tags}, CONFIG.model_copy(update={"kind": "genome"})).kind == USERS


def test_items_without_a_review_count_for_the_poles_but_not_for_the_comparison(world, documents, tags):
    reviewed = join_world(world)
    few = gather_documents(reviewed[reviewed["item_id"].isin(documents.items.index[:40])], read_items(world), READ)
    found = compare(world, few, {"tags": tags}, fit=read_well(world, few))
    assert (found.items, found.compared) == (90, 40)
    assert found.summary()["poles_with_tags"] == 6
    fewer = gather_documents(reviewed[reviewed["item_id"].isin(documents.items.index[:15])], read_items(world), READ)
    found = compare(world, fewer, {"tags": tags}, fit=read_well(world, fewer))
    assert found.axes.empty
    assert found.summary()["compared"] == 15


def test_only_stable_factors_get_tags_and_tags_of_unknown_items_are_no_error(world, documents, tags):
    found = compare(world, documents, {"tags": tags}, stable=STABLE.where(STABLE.index == "B", False))
    assert set(found.tags["label"]) == {"B+", "B-"}
    unknown = tags.assign(item_id=tags["item_id"] + 10_000)
    nothing = compare(world, documents, {"tags": unknown})
    assert (nothing.items, len(nothing.tags), len(nothing.axes)) == (0, 0, 0)


def test_tags_follow_items_into_those_that_they_were_merged_into(world, documents, tags, found):
    item_ids = pd.Series(tags["item_id"].unique(), tags["item_id"].unique())
    first = int(item_ids.iloc[0])
    moved = tags.assign(item_id=tags["item_id"].replace(first, 99_999))
    again = compare(world, documents, {"tags": moved}, item_ids=pd.concat([item_ids, pd.Series({99_999: first})]))
    pd.testing.assert_frame_equal(again.tags, found.tags)


def test_words_are_confirmed_by_tags_in_any_form_of_the_same_pole():
    terms = pd.DataFrame(
        [("1+", "funny", "jokes; comedy"), ("1+", "war hero", ""), ("1-", "slow", ""), ("2+", "funny", "")],
        columns=["label", "term", "forms"],
    )
    tags = pd.DataFrame(
        [("1+", "hilarious", "comedies"), ("1+", "a hero of the war", ""), ("1+", "slow", ""), ("2+", "film noir", "")],
        columns=["label", "tag", "forms"],
    )
    assert list(confirm_words(terms, tags).itertuples(index=False, name=None)) == [
        ("1+", "funny", "comedies"),
        ("1+", "war hero", "a hero of the war"),
    ]
    assert confirm_words(terms[:0], tags).empty
