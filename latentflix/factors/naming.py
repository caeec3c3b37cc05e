"""Names of the poles of stable factors: the words, items and genres that distinguish them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact
from sklearn.feature_extraction.text import CountVectorizer

from latentflix.config import StageConfig, setting
from latentflix.errors import NotEnoughData
from latentflix.factors.labels import POLES
from latentflix.text.cleaning import WORD_PATTERN


class NameConfig(StageConfig):
    """How many words, items and genres describe a pole."""

    n_terms: int = setting(12, "terms for each pole", ge=1, le=200)
    n_items: int = setting(8, "items for each pole", ge=1, le=200)
    min_items: int = setting(4, "items of a pole whose reviews must use a term", ge=1)
    max_reviews: int = setting(10, "reviews as which an item counts at most", ge=1)
    prior_weight: float = setting(500.0, "weight of the prior, in reviews", gt=0)
    pole_share: float = setting(0.1, "share of the items that make up a pole, for its genres", gt=0, le=0.5)
    max_p: float = setting(0.01, "largest p-value of a genre that is named", gt=0, le=1)
    min_ratings: int = setting(50, "ratings an item needs to be shown at a pole", ge=1)


@dataclass(frozen=True)
class Names:
    """What distinguishes each pole of the stable factors, and its name, by label.

    Attributes:
        terms: label, term, z, items (of the pole that use it).
        items: label, item_id, title, score.
        genres: label, genre, share (at the pole), share_all, p.
    """

    terms: pd.DataFrame
    items: pd.DataFrame
    genres: pd.DataFrame
    names: dict[str, str]


def find_names(
    reviews: pd.DataFrame,
    item_labels: pd.DataFrame,
    scores: pd.DataFrame,
    axes: pd.DataFrame,
    items: pd.DataFrame,
    corpus: pd.Series,
    config: NameConfig,
) -> Names:
    """Name the poles of the stable axes. Raises NotEnoughData if no axis is stable.

    Args:
        reviews: item_id, text.
        item_labels: item_id, label.
        scores: index item_id, one column per axis.
        axes: index axis, with `stable`.
        items: index item_id; title, genres, ratings.
        corpus: texts that give the prior.
    """
    stable = [str(axis) for axis in axes.index[axes["stable"]]]
    if not stable:
        raise NotEnoughData(
            "no factor is stable, so none has a meaning to name",
            found=f"stability of at most {axes['stability'].max():.2f}",
            expected="at least one stable factor",
            hint="raise --collab.n-seeds, or lower --factors.stable-from",
        )
    usage = _term_usage(reviews, corpus, config)
    shown = items[items["ratings"] >= config.min_ratings].index.intersection(scores.index)
    items_with = item_labels.groupby("label")["item_id"].agg(list).to_dict()
    terms, pole_items, genres, names = [], [], [], {}
    for axis in stable:
        for pole, opposite in (POLES, POLES[::-1]):
            label = axis + pole
            found = _distinctive_terms(usage, items_with.get(label, []), items_with.get(axis + opposite, []), config)
            terms.append(found.assign(label=label))
            ranked = rank_items(scores, shown, label)
            best = ranked.head(config.n_items)
            title = items.loc[best.index, "title"]
            pole_items.append(pd.DataFrame({"label": label, "title": title, "score": best}).reset_index())
            genres.append(_enriched_genres(items.loc[ranked.index, "genres"], config).assign(label=label))
            named = [" / ".join(genres[-1]["genre"].head(2)), ", ".join(terms[-1]["term"].head(3))]
            names[label] = " · ".join(filter(None, named)) or "no distinctive word"
    all_terms, all_items, all_genres = (pd.concat(parts, ignore_index=True) for parts in (terms, pole_items, genres))
    return Names(all_terms, all_items, all_genres, names)


def rank_items(scores: pd.DataFrame, item_ids: pd.Index, label: str) -> pd.Series:
    """Rank items by their scores towards the pole of a label, the highest first: index item_id, float."""
    sign = 1 if label[-1] == POLES[0] else -1
    return (sign * scores.loc[item_ids, label[:-1]]).sort_values(ascending=False)


@dataclass(frozen=True)
class _Usage:
    """How many reviews of an item use a term (items, terms), and the share of the corpus that does (terms,)."""

    terms: np.ndarray
    item_ids: np.ndarray
    counts: np.ndarray
    prior: np.ndarray


def _term_usage(reviews: pd.DataFrame, corpus: pd.Series, config: NameConfig) -> _Usage:
    vectorizer = CountVectorizer(
        binary=True,
        lowercase=False,
        stop_words="english",
        ngram_range=(1, 2),
        token_pattern=WORD_PATTERN,
        min_df=config.min_items,
    )
    use = vectorizer.fit_transform(reviews["text"].str.replace("<br />", " "))
    prior = vectorizer.transform(corpus.str.replace("<br />", " "))
    item_ids, rows = np.unique(reviews["item_id"], return_inverse=True)
    share = np.stack([use[rows == row].mean(0).A1 for row in range(len(item_ids))])
    # An item with a hundred reviews would otherwise lend the names of its cast to the axis.
    counts = share * np.minimum(np.bincount(rows), config.max_reviews)[:, None]
    return _Usage(vectorizer.get_feature_names_out(), item_ids, counts, prior.mean(0).A1)


def _distinctive_terms(
    usage: _Usage, pole_items: Sequence[int], opposite_items: Sequence[int], config: NameConfig
) -> pd.DataFrame:
    """The terms that distinguish a pole from the opposite one: term, z, items.

    z is the log-odds ratio with an informative Dirichlet prior, divided by its standard deviation. Source: Monroe,
    Colaresi and Quinn 2008, equations 15, 16, 19 and 22.
    """
    pole, opposite = (usage.counts[np.isin(usage.item_ids, items)] for items in (pole_items, opposite_items))
    # A term that the corpus lacks still needs a prior above zero.
    prior = config.prior_weight * usage.prior + 1e-3
    counts = [pole.sum(0), opposite.sum(0)]
    odds = [np.log((count + prior) / (count.sum() + prior.sum() - count - prior)) for count in counts]
    z = (odds[0] - odds[1]) / np.sqrt(sum(1 / (count + prior) for count in counts))
    table = pd.DataFrame({"term": usage.terms, "z": z, "items": (pole > 0).sum(0)})
    table = table[(table["items"] >= config.min_items) & (table["z"] > 0)].sort_values("z", ascending=False)
    return table.head(config.n_terms).reset_index(drop=True)


def _enriched_genres(ranked: pd.Series, config: NameConfig) -> pd.DataFrame:
    """The genres that are more frequent among the first of `ranked` than chance allows, by Fisher's exact test."""
    n_pole = max(round(len(ranked) * config.pole_share), 1)
    flags = ranked.explode().reset_index().assign(value=True)
    has_genre = flags.pivot(index="item_id", columns="genres", values="value").reindex(ranked.index).notna()
    rows = []
    for genre in has_genre.columns.dropna():
        at_pole, total = int(has_genre[genre].iloc[:n_pole].sum()), int(has_genre[genre].sum())
        rest = total - at_pole
        table = [[at_pole, n_pole - at_pole], [rest, len(ranked) - n_pole - rest]]
        p = float(fisher_exact(table, alternative="greater")[1])
        rows.append((genre, at_pole / n_pole, total / len(ranked), p))
    result = pd.DataFrame(rows, columns=["genre", "share", "share_all", "p"])
    return result[result["p"] <= config.max_p].sort_values("p", ignore_index=True)
