import math
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

from latentflix.data.movielens import GENRES
from latentflix.errors import NotEnoughData
from latentflix.factors.labels import LabelConfig, label_items
from latentflix.factors.naming import NameConfig, _distinctive_terms, _Usage, find_names, rank_items
from tests.support.synthetic_world import join_world, make_world, read_items

CONFIG = NameConfig(n_terms=8, n_items=5)
FACTORS = ["A", "B", "C"]


@pytest.fixture(scope="module")
def world():
    return make_world(words_per_pole=6, word_share=0.2)


def name_world(world, config=CONFIG, stable=(True, True, True), **changes):
    items = read_items(world)
    axes = pd.DataFrame({"stable": stable}, index=pd.Index(FACTORS, name="axis"))
    labels = label_items(
        world.true_factors,
        axes.assign(stable=True),
        items["ratings"],
        LabelConfig(rule="top_k", top_k=2, min_ratings=1),
    )
    arguments = {"items": items, "item_labels": labels.items, "scores": world.true_factors} | changes
    return find_names(join_world(world), axes=axes, corpus=world.reviews["text"], config=config, **arguments)


def digest(text):
    return sha256(text.encode()).hexdigest()


def terms_of(names, label):
    return names.terms.loc[names.terms["label"] == label, "term"].tolist()


def test_synthetic_words_are_the_first_terms_of_their_pole(world):
    names = name_world(world)
    for (factor, pole), words in world.words.items():
        assert set(terms_of(names, factor + pole)[:4]) <= set(words)
        other = terms_of(names, factor + "-+"[pole == "-"])
        assert not set(words) & set(other)


def test_terms_come_by_z_and_no_more_than_asked(world):
    for _, table in name_world(world, CONFIG.model_copy(update={"n_terms": 3})).terms.groupby("label"):
        assert len(table) == 3
        assert table["z"].is_monotonic_decreasing
        assert (table["z"] > 0).all()
        assert (table["items"] >= CONFIG.min_items).all()


def test_a_word_of_a_single_item_names_no_pole():
    world = make_world(n_items=24, reviews_per_item=10, word_share=0.05)
    own = set(world.own_words.values())
    named, unguarded = (
        set(name_world(world, CONFIG.model_copy(update={"min_items": least, "n_terms": 30})).terms["term"])
        for least in (4, 1)
    )
    assert not own & named
    assert own & unguarded


def test_a_item_of_many_reviews_does_not_name_a_pole_by_itself():
    texts = {item_id: ["sunny"] * 6 + ["hero"] + ["plain"] * 4 for item_id in range(1, 6)}
    texts |= {item_id: ["cloudy"] * 6 + ["plain"] * 5 for item_id in range(6, 11)}
    texts[1] = ["hero"] * 400
    reviews = pd.DataFrame(
        [(item_id, text) for item_id, said in texts.items() for text in said], columns=["item_id", "text"]
    )
    corpus = pd.Series(["sunny", "cloudy", "hero", "plain"])
    index = pd.Index(list(texts), name="item_id")
    scores = pd.DataFrame({"A": np.linspace(1, -1, 10)}, index=index)
    item_labels = pd.DataFrame({"item_id": index, "label": np.where(scores["A"] > 0, "A+", "A-")})
    items = pd.DataFrame({"title": "t", "genres": [["Drama"]] * 10, "ratings": 90}, index=index)
    axes = pd.DataFrame({"stable": [True]}, index=["A"])
    capped, uncapped = (
        find_names(reviews, item_labels, scores, axes, items, corpus, CONFIG.model_copy(update={"max_reviews": most}))
        for most in (10, 1000)
    )
    assert terms_of(capped, "A+")[0] == "sunny"
    assert terms_of(capped, "A-")[0] == "cloudy"
    assert terms_of(uncapped, "A+")[0] == "hero"


def test_the_items_of_a_pole_are_those_with_the_highest_or_lowest_score_among_the_frequently_rated(world):
    names = name_world(world)
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
    assert best not in name_world(world, items=items).items["item_id"].tolist()
    assert best in names.items["item_id"].tolist()


def test_synthetic_genres_name_their_pole(world):
    names = name_world(world)
    for number, factor in enumerate(FACTORS):
        for pole, genre in (("+", GENRES[1 + 2 * number]), ("-", GENRES[2 + 2 * number])):
            found = names.genres[names.genres["label"] == factor + pole]
            assert found["genre"].iloc[0] == genre
            row = found.iloc[0]
            assert row["share"] == 1
            assert row["share_all"] == pytest.approx(world.items["genres"].str.contains(genre).mean())
            assert row["p"] <= CONFIG.max_p
            assert names.names[factor + pole].startswith(genre)


def test_genres_of_all_or_no_items_name_no_pole_and_one_without_a_distinctive_word_says_so(world):
    items = read_items(world)
    for genres in (["Drama"], []):
        names = name_world(world, items=items.assign(genres=[genres] * len(items)))
        assert names.genres.empty
        assert names.names["A+"] == ", ".join(terms_of(names, "A+")[:3])
    labels = pd.DataFrame({"item_id": items.index[:3], "label": "A+"})
    names = name_world(world, items=items.assign(genres=[[]] * len(items)), item_labels=labels)
    assert names.names["A+"] == "no distinctive word"


def test_only_stable_axes_are_named_and_without_one_there_is_nothing_to_name(world):
    names = name_world(world, stable=(True, False, True))
    assert list(names.names) == ["A+", "A-", "C+", "C-"]
    for table in (names.terms, names.items, names.genres):
        assert set(table["label"]) == {"A+", "A-", "C+", "C-"}
    axes = pd.DataFrame({"stable": False, "stability": [0.7, 0.62, 0.5]}, index=pd.Index(FACTORS, name="axis"))
    with pytest.raises(NotEnoughData, match=r"no factor is stable.*found: stability of at most 0.70"):
        find_names(*([None] * 3), axes=axes, items=None, corpus=None, config=CONFIG)


def test_names_stop_words_short_words_and_line_breaks_are_no_terms(world):
    noisy = world.reviews["text"].str.replace(".", " the of Zorro <br /> ab it.")
    digests = dict(zip(map(digest, world.reviews["text"]), map(digest, noisy), strict=True))
    links = world.review_films.assign(review_sha256=world.review_films["review_sha256"].map(digests))
    changed = replace(world, reviews=world.reviews.assign(text=noisy), review_films=links)
    names = name_world(changed, CONFIG.model_copy(update={"n_terms": 200, "min_items": 1}))
    words = {word for term in names.terms["term"] for word in term.split()}
    assert len(words) > 100
    assert not words & {"the", "of", "br", "ab", "it", "zorro", "Zorro"}


def distinctive(terms, counts, prior, prior_weight):
    """The distinctive terms of the first of two items."""
    usage = _Usage(np.array(terms), item_ids=np.array([1, 2]), counts=np.array(counts, float), prior=np.array(prior))
    return _distinctive_terms(usage, [1], [2], NameConfig(min_items=1, prior_weight=prior_weight))


def test_log_odds_by_hand():
    table = distinctive(["war", "love"], [[3, 1], [1, 3]], [0.5, 0.5], 10)
    odds = math.log(8.001 / 6.001) - math.log(6.001 / 8.001)
    assert table["term"].tolist() == ["war"]
    assert table["items"].tolist() == [1]
    assert table["z"].tolist() == pytest.approx([odds / math.sqrt(1 / 8.001 + 1 / 6.001)])


def test_a_common_word_needs_a_larger_difference_to_be_distinctive():
    table = distinctive(["item", "galaxy", "rest"], [[9, 9, 2], [3, 3, 14]], [0.9, 0.01, 0.5], 100)
    assert table["term"].tolist() == ["galaxy", "item"]
    galaxy = (math.log(10.001 / 151.002) - math.log(4.001 / 157.002)) / math.sqrt(1 / 10.001 + 1 / 4.001)
    item = (math.log(99.001 / 62.002) - math.log(93.001 / 68.002)) / math.sqrt(1 / 99.001 + 1 / 93.001)
    assert table["z"].tolist() == pytest.approx([galaxy, item])


def test_items_are_ranked_towards_the_pole_of_a_label():
    scores = pd.DataFrame({"3": [0.5, -2.0, 1.0, 9.0]}, index=[1, 2, 3, 4])
    assert rank_items(scores, pd.Index([1, 2, 3]), "3+").to_dict() == {3: 1.0, 1: 0.5, 2: -2.0}
    assert list(rank_items(scores, pd.Index([1, 2, 3]), "3-").items()) == [(2, 2.0), (1, -0.5), (3, -1.0)]
