"""Names of the poles of stable factors: the words, items and genres that mark them, more than chance would."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.items import category_flags
from latentflix.data.title_groups import group_titles
from latentflix.errors import NotEnoughData
from latentflix.factors.documents import Documents, review_parts
from latentflix.factors.labels import POLES, SIGNS
from latentflix.factors.marking import corrected_p, correlate, find_families
from latentflix.factors.name_tests import score_names
from latentflix.factors.permutations import permute_items
from latentflix.factors.word_use import WordUse, count_use, standardise

NO_WORDS = "no word marks this pole"
_IN_NAME = 3


class NameConfig(StageConfig):
    """How words and genres are tested, and how many words, items and genres describe a pole."""

    n_terms: int = setting(12, "families of words listed for each pole at most", ge=1, le=200)
    n_items: int = setting(8, "items for each pole", ge=1, le=200)
    min_items: int = setting(5, "items whose reviews must use a word", ge=1)
    max_share: float = setting(
        0.5, "largest share of all reviews that may use a word; a more frequent one is only named in a pair", gt=0, le=1
    )
    max_terms: int = setting(10_000, "words and pairs of words that are tested, those that most items use", ge=1)
    prior_reviews: float = setting(
        10.0, "reviews, as frequent in the use of a word as all, that each item is given in addition", gt=0
    )
    max_p: float = setting(
        0.05, "largest p-value of a word or genre that is listed, corrected for all that are tested", gt=0, le=1
    )
    permutations: int = setting(300, "permutations of the positions over items, for p-values", ge=19, le=100_000)
    n_strata: int = setting(5, "groups of items of similar popularity, within which positions are permuted", ge=1)
    pole_share: float = setting(0.1, "share of the items that make up a pole, for shares of reviews", gt=0, le=0.5)
    min_ratings: int = setting(50, "ratings an item needs to be shown at a pole, and to count for genres", ge=1)
    seed: int = setting(0, "seed of permutations, folds and resamples", ge=0)


@dataclass(frozen=True)
class Names:
    """What marks each pole of the stable factors, its name, and how well that name does on items it has not seen.

    Attributes:
        terms: label, term, forms (the other members of its family, joined by "; "), r (correlation of its use with the
            position, towards the pole), p (corrected for all terms), share (of the reviews of items at the pole that
            use it), share_all (of all reviews), items (that use it). The largest r of a label first.
        items: label, item_id, title, score.
        genres: label, genre, share (of the items at the pole), share_all, r, p (corrected for all genres and axes).
        tests: index label, of the poles that have a word; rho, rho_low, rho_high, null, null_sd, p, q, holds, as
            `score_names` returns them.
        names: by label, the first terms, or NO_WORDS.
    """

    terms: pd.DataFrame
    items: pd.DataFrame
    genres: pd.DataFrame
    tests: pd.DataFrame
    names: dict[str, str]


def find_names(
    documents: Documents, positions: pd.DataFrame, axes: pd.DataFrame, items: pd.DataFrame, config: NameConfig
) -> Names:
    """Name the poles of the stable axes, and test the names. Raises NotEnoughData if no axis is stable.

    Args:
        positions: index item_id, one column per axis.
        axes: index axis, with `stable`.
        items: index item_id; title, genres, ratings.
    """
    stable = [str(axis) for axis in axes.index[axes["stable"]]]
    if not stable:
        raise NotEnoughData(
            "no factor is stable, so none has a meaning to name",
            found=f"stability of at most {axes['stability'].max():.2f}",
            expected="at least one stable factor",
            hint="train or bring more fits, as with --collab.n-seeds, or lower --factors.stable-from",
        )
    random = np.random.default_rng(config.seed)
    known = documents.items
    ranks = positions.loc[known.index, stable].rank()
    weights = (known["weight"] / known["weight"].sum()).to_numpy()
    groups = known["group"].to_numpy()
    orders = permute_items(groups, known["ratings"].to_numpy(), config.n_strata, config.permutations, random)
    counted = _count_words(documents, config)
    use = counted.standardise(config.prior_reviews, weights)
    r, null = correlate(use, ranks, weights, orders)
    terms = pd.concat(
        [
            _pole_terms(
                counted, use, weights, sign * r[:, at], null[:, at], sign * ranks[axis], config, documents.english
            ).assign(label=axis + pole)
            for at, axis in enumerate(stable)
            for pole, sign in SIGNS.items()
        ],
        ignore_index=True,
    )
    labels = [axis + pole for axis in stable for pole in POLES]
    listed = {label: terms.loc[terms["label"] == label, "term"].tolist() for label in labels}
    n_words = {label: len(found) for label, found in listed.items()}
    shown = items[items["ratings"] >= config.min_ratings]
    shown = shown.loc[shown.index.intersection(positions.index)]
    return Names(
        terms=terms,
        items=_pole_items(positions, shown, labels, config),
        genres=_pole_genres(positions.loc[shown.index, stable].rank(), shown, config, random),
        tests=score_names(use, ranks, weights, groups, orders, n_words, random),
        names={label: ", ".join(found[:_IN_NAME]) or NO_WORDS for label, found in listed.items()},
    )


def rank_items(scores: pd.DataFrame, item_ids: pd.Index, label: str) -> pd.Series:
    """Rank items by their scores towards the pole of a label, the highest first: index item_id, float."""
    return (SIGNS[label[-1]] * scores.loc[item_ids, label[:-1]]).sort_values(ascending=False)


def _count_words(documents: Documents, config: NameConfig) -> WordUse:
    read = review_parts(documents)
    return count_use(
        read["text"],
        documents.items.index.get_indexer(read["item_id"]),
        len(documents.items),
        documents.proper_names,
        min_items=config.min_items,
        max_share=config.max_share,
        max_terms=config.max_terms,
        english=documents.english,
    )


def _pole_terms(
    counted: WordUse,
    use: np.ndarray,
    weights: np.ndarray,
    r: np.ndarray,
    null: np.ndarray,
    towards: pd.Series,
    config: NameConfig,
    english: bool,
) -> pd.DataFrame:
    """The families of terms that mark a pole. r: (terms,), towards the pole. null: (permutations,)."""
    p = corrected_p(r, null)
    families = find_families(counted.terms, use, weights, r, p, config.max_p, config.n_terms, english=english)
    first = np.array([family[0] for family in families], np.int64)
    n_pole = max(round(len(towards) * config.pole_share), 1)
    at_pole = np.argsort(-towards.to_numpy(), kind="stable")[:n_pole]
    counts, n_reviews = counted.counts[:, first], counted.n_reviews
    return pd.DataFrame(
        {
            "term": counted.terms[first],
            "forms": ["; ".join(counted.terms[family[1:]]) for family in families],
            "r": r[first].astype(float),
            "p": p[first],
            "share": counts[at_pole].sum(0) / n_reviews[at_pole].sum(),
            "share_all": counts.sum(0) / n_reviews.sum(),
            "items": np.diff(counts.indptr),
        }
    ).astype({"term": "str", "forms": "str"})


def _pole_items(
    positions: pd.DataFrame, shown: pd.DataFrame, labels: Sequence[str], config: NameConfig
) -> pd.DataFrame:
    parts = []
    for label in labels:
        best = rank_items(positions, shown.index, label).head(config.n_items)
        title = shown.loc[best.index, "title"]
        parts.append(pd.DataFrame({"label": label, "title": title, "score": best}).rename_axis("item_id").reset_index())
    return pd.concat(parts, ignore_index=True)


def _pole_genres(
    ranks: pd.DataFrame, shown: pd.DataFrame, config: NameConfig, random: np.random.Generator
) -> pd.DataFrame:
    """The genres that mark each pole, those with the largest correlation first."""
    flags = category_flags(shown["genres"])
    weights = np.full(len(shown), 1 / max(len(shown), 1))
    groups = group_titles(shown["title"]).to_numpy()
    orders = permute_items(groups, shown["ratings"].to_numpy(), config.n_strata, config.permutations, random)
    has_genre = flags.to_numpy(float)
    r, null = correlate(standardise(has_genre, weights), ranks, weights, orders)
    p = corrected_p(r, null.max(1))
    n_pole = max(round(len(shown) * config.pole_share), 1)
    parts = []
    for at, axis in enumerate(ranks.columns):
        for pole, sign in SIGNS.items():
            at_pole = np.argsort(-sign * ranks[axis].to_numpy(), kind="stable")[:n_pole]
            table = pd.DataFrame(
                {
                    "label": axis + pole,
                    "genre": flags.columns.astype("str"),
                    "share": has_genre[at_pole].mean(0),
                    "share_all": has_genre.mean(0),
                    "r": (sign * r[:, at]).astype(float),
                    "p": p[:, at],
                }
            )
            marking = (table["p"] <= config.max_p) & (table["r"] > 0) & (table["share"] > table["share_all"])
            parts.append(table[marking].sort_values("r", ascending=False))
    return pd.concat(parts, ignore_index=True)
