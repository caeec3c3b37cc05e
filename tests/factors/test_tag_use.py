import numpy as np
import pandas as pd
import pytest

from latentflix.factors.tag_use import GENOME, USERS, count_user_tags, read_relevance

WEIGHTS = pd.Series({1: 0.5, 2: 0.5, 3: 1.0, 4: 1.0, 5: 1.0})


def count(rows, min_items=1, min_users=1, max_tags=9, prior_taggers=10.0):
    tags = pd.DataFrame(rows, columns=["item_id", "tag", "users", "taggers", "givers"])
    return count_user_tags(
        tags, WEIGHTS, min_items=min_items, min_users=min_users, max_tags=max_tags, prior_taggers=prior_taggers
    )


def test_use_is_the_share_of_taggers_drawn_to_the_overall_share():
    use = count([(1, "war", 8, 10, 9), (2, "war", 1, 1, 9), (3, "love", 9, 9, 9), (9, "war", 1, 1, 9)])
    assert use.kind == USERS
    assert use.tags.tolist() == ["love", "war"]
    # Item 9 is not among those that may be seen; 4 and 5 have no tag.
    assert use.item_ids.tolist() == [1, 2, 3]
    assert use.weights.tolist() == [0.25, 0.25, 0.5]
    assert use.items.tolist() == [1, 2]
    share = (np.array([8, 1, 0]) + 10 * 9 / 20) / (np.array([10, 1, 9]) + 10)
    centred = share - use.weights @ share
    assert use.use[:, 1] == pytest.approx(centred / np.sqrt(use.weights @ centred**2), abs=1e-5)


def test_the_tag_of_one_user_alone_counts_little():
    use = count([(1, "war", 8, 10, 9), (2, "war", 1, 1, 9), (3, "dull", 9, 9, 9), (4, "dull", 1, 1, 9)])
    eight_of_ten, one_of_one, none_of_nine, none_of_one = use.use[:, use.tags.tolist().index("war")]
    assert eight_of_ten > one_of_one > none_of_one > none_of_nine
    assert one_of_one - none_of_one < 0.25 * (eight_of_ten - none_of_nine)
    assert count([(1, "war", 1, 1, 1), (2, "war", 1, 1, 1)], min_users=2).tags.tolist() == []


def test_of_many_tags_those_that_most_items_have_are_seen():
    rows = [(item, tag, 1, 2, 5) for tag, items in {"a": 1, "b": 3, "c": 2}.items() for item in range(1, items + 1)]
    assert count(rows, min_items=2).tags.tolist() == ["b", "c"]
    assert count(rows, max_tags=1).tags.tolist() == ["b"]
    assert count(rows, min_items=9).use.shape == (3, 0)


def test_the_genome_is_seen_as_it_is():
    genome = pd.DataFrame({"war": [0.9, 0.1, 0.5], "love": [0.2, 0.2, 0.2]}, pd.Index([3, 1, 9], name="item_id"))
    use = read_relevance(genome.astype("float32"), WEIGHTS)
    assert use.kind == GENOME
    assert use.item_ids.tolist() == [1, 3]
    assert use.items.tolist() == [1, 0]
    assert use.use == pytest.approx(np.array([[-1.414, 0], [0.707, 0]]), abs=1e-3)


def test_nothing_is_seen_without_tags_of_known_items():
    assert count([(9, "war", 1, 1, 1)]).use.shape == (0, 0)
