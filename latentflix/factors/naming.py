"""What each pole of a stable axis is called: the words, items and genres that mark it."""

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
    """How many words, items and genres stand for a pole."""

    n_terms: int = setting(12, "terms for each pole", ge=1, le=200)
    n_items: int = setting(8, "items for each pole", ge=1, le=200)
    min_items: int = setting(4, "items of a pole whose reviews must use a term", ge=1)
    max_reviews: int = setting(10, "reviews as which an item counts at the most", ge=1)
    prior_weight: float = setting(500.0, "weight of the prior, in reviews", gt=0)
    end_share: float = setting(0.1, "share of the items that make the end of an axis, for its genres", gt=0, le=0.5)
    max_p: float = setting(0.01, "largest p-value of a genre that is named", gt=0, le=1)
    min_ratings: int = setting(50, "ratings an item needs to be shown at an end", ge=1)


@dataclass(frozen=True)
class Names:
    """terms: label, term, z, items. items: label, item_id, title, score. genres: label, genre, share, share_all, p.

    names: label to its name in words; only stable axes have one.
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
    """Name the poles of the stable axes.

    reviews: item_id, text. item_labels: item_id, label. scores: index item_id, one column an axis. axes: index
    axis, with `stable`. items: index item_id; title, genres, ratings. corpus: texts that give the prior. Raises
    NotEnoughData if no axis is stable.
    """
    stable = [str(axis) for axis in axes.index[axes["stable"]]]
    if not stable:
        raise NotEnoughData(
            "no axis is stable, so none has a meaning to name",
            found=f"stability of at most {axes['stability'].max():.2f}",
            expected="at least one stable axis",
            hint="raise --collab.n-seeds, or lower --factors.stable-from",
        )
    labels = [f"{axis}{pole}" for axis in stable for pole in POLES]
    usage = _term_usage(reviews, corpus, config)
    shown = items[items["ratings"] >= config.min_ratings].index.intersection(scores.index)
    terms, ends, genres = [], [], []
    for label in labels:
        axis, pole = label[:-1], label[-1]
        here = item_labels.loc[item_labels["label"] == label, "item_id"]
        there = item_labels.loc[item_labels["label"] == axis + POLES[pole == POLES[0]], "item_id"]
        terms.append(_distinctive_terms(usage, here, there, config).assign(label=label))
        position = rank_items(scores, shown, label)
        best = position.head(config.n_items)
        title = items.loc[best.index, "title"]
        ends.append(pd.DataFrame({"label": label, "title": title, "score": best}).reset_index())
        genres.append(_enriched_genres(items.loc[position.index, "genres"], config).assign(label=label))
    tables = [pd.concat(parts, ignore_index=True) for parts in (terms, ends, genres)]
    return Names(tables[0], tables[1], tables[2], {label: _name(label, tables[0], tables[2]) for label in labels})


def rank_items(scores: pd.DataFrame, item_ids: pd.Index, label: str) -> pd.Series:
    """How far items stand out towards the pole of a label, the farthest first: index item_id, float."""
    sign = 1 if label[-1] == POLES[0] else -1
    return (sign * scores.loc[item_ids, label[:-1]]).sort_values(ascending=False)


@dataclass(frozen=True)
class _Usage:
    """counts: (items, terms), reviews of an item that use a term. prior: (terms,), reviews of the corpus that do."""

    terms: np.ndarray
    item_ids: np.ndarray
    counts: np.ndarray
    prior: np.ndarray


def _term_usage(reviews: pd.DataFrame, corpus: pd.Series, config: NameConfig) -> _Usage:
    counting = {
        "binary": True,
        "lowercase": False,
        "stop_words": "english",
        "ngram_range": (1, 2),
        "token_pattern": WORD_PATTERN,
    }
    vectorizer = CountVectorizer(min_df=config.min_items, **counting)
    use = vectorizer.fit_transform(reviews["text"].str.replace("<br />", " "))
    prior = CountVectorizer(vocabulary=vectorizer.vocabulary_, **counting).transform(corpus.str.replace("<br />", " "))
    item_ids, rows = np.unique(reviews["item_id"], return_inverse=True)
    sizes = np.bincount(rows)
    share = np.stack([use[rows == row].mean(0).A1 for row in range(len(item_ids))])
    # An item with a hundred reviews would otherwise lend the names of its cast to the axis.
    counts = share * np.minimum(sizes, config.max_reviews)[:, None]
    return _Usage(vectorizer.get_feature_names_out(), item_ids, counts, prior.mean(0).A1)


def _distinctive_terms(usage: _Usage, here: pd.Series, there: pd.Series, config: NameConfig) -> pd.DataFrame:
    """The terms that mark `here` against `there`: term, z, items.

    z is the log-odds ratio with an informative Dirichlet prior over its standard deviation. Source: Monroe,
    Colaresi and Quinn 2008, equations 15, 16, 19 and 22.
    """
    at_here, at_there = np.isin(usage.item_ids, here), np.isin(usage.item_ids, there)
    items = (usage.counts[at_here] > 0).sum(0)
    # A term that the corpus lacks still needs a prior above zero.
    prior = config.prior_weight * usage.prior + 1e-3
    counts = [usage.counts[chosen].sum(0) for chosen in (at_here, at_there)]
    odds = [np.log((count + prior) / (count.sum() + prior.sum() - count - prior)) for count in counts]
    z = (odds[0] - odds[1]) / np.sqrt(sum(1 / (count + prior) for count in counts))
    table = pd.DataFrame({"term": usage.terms, "z": z, "items": items})
    table = table[(table["items"] >= config.min_items) & (table["z"] > 0)].sort_values("z", ascending=False)
    return table.head(config.n_terms).reset_index(drop=True)


def _enriched_genres(ranked: pd.Series, config: NameConfig) -> pd.DataFrame:
    n_end = max(round(len(ranked) * config.end_share), 1)
    flags = ranked.explode().reset_index().assign(value=True)
    table = flags.pivot(index="item_id", columns="genres", values="value").reindex(ranked.index).notna()
    rows = []
    for genre in table.columns.dropna():
        at_end, everywhere = int(table[genre].iloc[:n_end].sum()), int(table[genre].sum())
        rest = everywhere - at_end
        _, p = fisher_exact([[at_end, n_end - at_end], [rest, len(ranked) - n_end - rest]], alternative="greater")
        rows.append((genre, at_end / n_end, everywhere / len(ranked), float(p)))
    result = pd.DataFrame(rows, columns=["genre", "share", "share_all", "p"])
    return result[result["p"] <= config.max_p].sort_values("p", ignore_index=True)


def _name(label: str, terms: pd.DataFrame, genres: pd.DataFrame) -> str:
    words = terms.loc[terms["label"] == label, "term"].head(3)
    kinds = genres.loc[genres["label"] == label, "genre"].head(2)
    return " · ".join(filter(None, [" / ".join(kinds), ", ".join(words)])) or "no word marks it"
