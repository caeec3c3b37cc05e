"""On a planted world, whose positions are known and whose reviews use known words for them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from latentflix.factors.crossfit import cross_fit, cross_fit_repeats, merge_repeats
from latentflix.factors.documents import DocumentConfig, LeftOutConfig, gather_documents, leave_out_kind
from latentflix.factors.readers.registry import ReadersConfig, build_readers, repeat_groups
from latentflix.factors.readers.stacked import STACKED
from latentflix.factors.readers.topics import TopicsConfig, find_topics
from latentflix.metrics import rank_correlations
from latentflix.text.cleaning import text_id
from tests.support.synthetic_world import join_world, make_world, read_items

QUICK = ReadersConfig(n_repeats=2, permutations=50, topics=TopicsConfig(n_topics=20, min_texts=2))


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def documents(world):
    return gather_documents(join_world(world), read_items(world), DocumentConfig())


def fit(world, documents, positions, config=QUICK):
    items = read_items(world)
    held_out = documents.parts["text"].map(text_id)
    mean_ratings = pd.Series(3.0, items.index)
    topics = find_topics(documents, world.reviews["text"], held_out, config.topics, mask=config.mask_names)
    readers = build_readers(documents, items, mean_ratings, topics, [], config)
    if config.repeats_per_task == 1:
        parts = repeat_groups(config)
        return merge_repeats([cross_fit_repeats(documents, positions, readers, each, each.repeats) for each in parts])
    return cross_fit(documents, positions, readers, config)


@pytest.fixture(scope="module")
def fitted(world, documents):
    return fit(world, documents, world.true_factors)


def test_repeats_of_several_tasks_are_those_of_one(world, documents, fitted):
    merged = fit(world, documents, world.true_factors, QUICK.model_copy(update={"repeats_per_task": 1}))
    assert [
        group.repeats for group in repeat_groups(QUICK.model_copy(update={"n_repeats": 7, "repeats_per_task": 3}))
    ] == [
        (0, 1, 2),
        (3, 4, 5),
        (6,),
    ]
    for name in ("item_ids", "folds", "beyond"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(fitted, name))
    for reader, predicted in fitted.held_out.items():
        np.testing.assert_array_equal(merged.held_out[reader], predicted)
    for name in ("null", "null_words"):
        np.testing.assert_allclose(getattr(merged, name), getattr(fitted, name), atol=1e-6)
    pd.testing.assert_frame_equal(merged.reviews, fitted.reviews)


def rho(fitted, reader, truth, documents):
    weights = documents.items["weight"].to_numpy()
    predicted = fitted.held_out[reader]
    return np.mean(
        [rank_correlations(each, truth, folds, weights) for each, folds in zip(predicted, fitted.folds, strict=True)], 0
    )


def test_planted_positions_are_recovered_nearly_as_well_as_by_counting_the_planted_words(world, documents, fitted):
    truth = world.true_factors.loc[documents.items.index].to_numpy()
    texts = documents.parts.groupby("item_id")["text"].agg(" ".join).str.lower().str.split()
    ceiling = []
    for at, factor in enumerate(world.true_factors):
        plus, minus = (set(world.words[factor, pole]) for pole in "+-")
        counted = texts.map(lambda words: sum((word in plus) - (word in minus) for word in words) / len(words))  # noqa: B023
        everything = np.zeros(len(texts))
        weights = documents.items["weight"].to_numpy()
        ceiling.append(rank_correlations(counted.to_numpy()[:, None], truth[:, [at]], everything, weights)[0])
    reached = rho(fitted, STACKED, truth, documents)
    assert (reached >= 0.9 * np.array(ceiling)).all(), (reached, ceiling)


def test_chance_is_far_below_and_wider_if_the_readers_learn_anew(world, documents, fitted):
    reached = rho(fitted, STACKED, world.true_factors.loc[documents.items.index].to_numpy(), documents)
    assert (fitted.null.max(0) < reached).all()
    assert fitted.null.shape == (50, 3)
    assert fitted.null.std(0).mean() > fitted.null_words.std(0).mean()


def test_shuffled_positions_are_found_no_more_often_than_chance_allows(world, documents):
    random = np.random.default_rng(0)
    shuffled = pd.concat(
        [
            pd.DataFrame(random.permutation(world.true_factors), world.true_factors.index).add_prefix(f"{number} ")
            for number in range(30)
        ],
        axis=1,
    )
    fitted = fit(world, documents, shuffled, QUICK.model_copy(update={"permutations": 99}))
    reached = rho(fitted, STACKED, shuffled.loc[documents.items.index].to_numpy(), documents)
    p = (1 + (fitted.null >= reached).sum(0)) / 100
    # Of 90 factors at 5 %, chance gives more than 10 once in a hundred times.
    assert (p <= 0.05).sum() <= 10
    assert 0.4 < p.mean() < 0.6


def test_a_position_is_not_known_to_the_readers_that_predict_it(world, documents, fitted):
    item = documents.items.index[7]
    moved = world.true_factors.copy()
    moved.loc[item] += 5
    again = fit(world, documents, moved, QUICK.model_copy(update={"permutations": 0}))
    for name, before in fitted.held_out.items():
        after = again.held_out[name]
        for repeat, folds in enumerate(fitted.folds):
            same_fold = folds == folds[7]
            np.testing.assert_array_equal(after[repeat, same_fold], before[repeat, same_fold], name)
            assert (after[repeat, ~same_fold] != before[repeat, ~same_fold]).any()


def test_every_review_is_read_by_readers_that_do_not_know_its_item(world, documents, fitted):
    assert fitted.reviews.index.tolist() == documents.parts["part_id"].tolist()
    truth = world.true_factors.loc[documents.parts["item_id"]].to_numpy()
    assert (np.diag(np.corrcoef(fitted.reviews.T, truth.T)[:3, 3:]) > 0.3).all()


def test_words_add_to_genres_what_the_planted_words_say(fitted, documents):
    weights = documents.items["weight"].to_numpy()
    left, predicted = fitted.beyond
    beyond = [rank_correlations(*each, weights) for each in zip(predicted, left, fitted.folds, strict=True)]
    assert (np.mean(beyond, 0) > 0.1).all()


def test_without_a_kind_of_text_the_same_folds_are_predicted_from_the_others(world, documents, fitted):
    noise = documents.parts.drop_duplicates("item_id").assign(kind="data_plot", text="nothing of interest here")
    parts = pd.concat([documents.parts, noise]).sort_values("item_id", kind="stable", ignore_index=True)
    several = replace(documents, parts=parts)
    quick = QUICK.model_copy(update={"permutations": 0})
    without_plots, without_reviews = (
        fit(world, leave_out_kind(several, LeftOutConfig(kind=kind)), world.true_factors, quick)
        for kind in ("data_plot", "review")
    )
    np.testing.assert_array_equal(without_plots.folds, fitted.folds)
    np.testing.assert_array_equal(without_plots.held_out[STACKED], fitted.held_out[STACKED])
    truth = world.true_factors.loc[documents.items.index].to_numpy()
    np.testing.assert_array_equal(without_reviews.folds, fitted.folds)
    assert abs(rho(without_reviews, STACKED, truth, documents)).max() < 0.3
    assert without_reviews.reviews.empty
