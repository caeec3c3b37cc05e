"""Tags, a second witness beside reviews: which mark a pole, where they put unseen items, and which words they confirm.

Tags of users come from people who wrote none of the reviews. The tag genome is no independent witness: it was itself
computed from tags, ratings and reviews. Source: Vig, Sen and Riedl 2012, The Tag Genome.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from latentflix.config import StageConfig, setting
from latentflix.data.tags import GENOME, LEFT_OUT, TAGS, genome_by_item, tags_by_item
from latentflix.data.title_groups import group_titles
from latentflix.factors.crossfit import CrossFit
from latentflix.factors.documents import DocumentConfig, Documents
from latentflix.factors.labels import SIGNS
from latentflix.factors.marking import corrected_p, correlate, find_families
from latentflix.factors.permutations import permute_items
from latentflix.factors.readers.ridge import KernelRidge, choose_landmarks, fit_ridge
from latentflix.factors.readers.stacked import STACKED
from latentflix.factors.resampling import Resamples, add_interval
from latentflix.factors.tag_use import USERS, TagUse, count_user_tags, read_relevance
from latentflix.factors.word_families import belong_together
from latentflix.factors.word_use import standardise
from latentflix.metrics import rank_correlations

# With fewer items there is nothing to find or to compare.
LEAST_ITEMS = 20
# Numbers of one block of permuted positions.
_AT_ONCE = 2**24


class TagConfig(StageConfig):
    """Which tags are read, how they are tested, and how they are compared with reviews."""

    kind: Literal["users", "genome"] = setting(
        "users",
        "of a set that has both: the tags that users gave, or the tag genome, which was computed from reviews too",
    )
    n_tags: int = setting(12, "families of tags listed for each pole at most", ge=1, le=200)
    min_items: int = setting(5, "items that a tag must be given to", ge=1)
    min_users: int = setting(3, "users who must have given a tag, to any items", ge=1)
    max_tags: int = setting(5000, "tags of users that are tested, those that most items have", ge=1)
    prior_taggers: float = setting(
        10.0, "users, as likely to give a tag as all taggers, that each item is given in addition", gt=0
    )
    max_p: float = setting(
        0.05, "largest p-value of a tag that is listed, corrected for all that are tested", gt=0, le=1
    )
    permutations: int = setting(300, "permutations of items, for p-values", ge=19, le=100_000)
    n_strata: int = setting(5, "groups of items of similar popularity, within which items are permuted", ge=1)
    n_repeats: int = setting(3, "repeats of the readers' folds in which tags and reviews are compared, at most", ge=1)
    bootstraps: int = setting(1000, "resamples of the items, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    seed: int = setting(0, "seed of permutations and resamples", ge=0)


@dataclass(frozen=True)
class TagFindings:
    """What tags say of the poles and positions of factors.

    Attributes:
        tags: label, tag, forms (the other tags of its family, joined by "; "), r (correlation with the position,
            towards the pole), p (corrected for all tags), items (that have it). The largest r of a label first.
        axes: index axis; rank correlations within folds, over items that have both tags and reviews: reviews (of what
            the judge predicts with the positions), tags (of what tags predict with the positions), agreement (of what
            both predict), each with _low and _high; tags and agreement with _null, _p and _q (of all axes) too. Empty
            if there are too few such items.
        confirmed: label, term, tag: words of a pole that are tags of it, in one form or another.
        left_out: reason, rows: what of the tags was not read.
        kind: USERS or GENOME.
        items: that have tags, and from which those that mark poles were chosen.
        tested: tags.
        compared: items that have both tags and reviews.
    """

    tags: pd.DataFrame
    axes: pd.DataFrame
    confirmed: pd.DataFrame
    left_out: pd.DataFrame
    kind: str
    items: int
    tested: int
    compared: int

    def summary(self) -> dict[str, float | int | str | None]:
        """The figures of the whole."""
        means = self.axes[["reviews", "tags", "agreement"]].mean() if len(self.axes) else {}
        return {
            "kind": self.kind,
            "items": self.items,
            "tested": self.tested,
            "compared": self.compared,
            "poles_with_tags": int(self.tags["label"].nunique()),
            "confirmed_words": len(self.confirmed),
            **{f"mean_{name}": float(value) for name, value in dict(means).items()},
        }


def compare_with_tags(
    tables: Mapping[str, pd.DataFrame],
    items: pd.DataFrame,
    item_ids: pd.Series,
    documents: Documents,
    read: DocumentConfig,
    positions: pd.DataFrame,
    stable: pd.Series,
    fit: CrossFit,
    terms: pd.DataFrame,
    config: TagConfig,
) -> TagFindings:
    """Find the tags that mark the poles of the stable axes, and compare what tags and reviews predict.

    Args:
        tables: of the source of the ratings, `tags` or `genome` or both.
        items: index item_id; title, ratings.
        item_ids: as `Ratings.item_ids`.
        read: which items the documents were gathered of: those that tags are looked for too.
        positions: index item_id, one column per axis.
        stable: index axis, bool.
        fit: what the readers predict of the documents' items.
        terms: the words of the poles: label, term, forms.
    """
    rated = items[(items["ratings"] >= read.min_ratings) & items.index.isin(positions.index)]
    use = _see_items(tables, rated["ratings"] / (rated["ratings"] + read.half_known), item_ids, config)
    random = np.random.default_rng(config.seed)
    chosen = positions.columns[stable.reindex(positions.columns, fill_value=False)]
    tags = _mark_poles(use, rated.loc[use.item_ids], positions.loc[use.item_ids, chosen], config, random)
    both = np.flatnonzero(np.isin(documents.items.index, use.item_ids))
    return TagFindings(
        tags=tags,
        axes=_compare(use, fit, documents.items, both, positions, config, random),
        confirmed=confirm_words(terms, tags),
        left_out=tables.get(LEFT_OUT, pd.DataFrame({"reason": [], "rows": []})),
        kind=use.kind,
        items=len(use.item_ids),
        tested=len(use.tags),
        compared=len(both),
    )


def confirm_words(terms: pd.DataFrame, tags: pd.DataFrame) -> pd.DataFrame:
    """Find the words of each pole that are among its tags, or are forms of the words there: label, term, tag.

    A word counts in any of its forms, and a tag too; all words of one must be in the other. Of several tags the one
    that marks the pole most is given.
    """
    rows = [
        (term.label, term.term, other)
        for term in terms.itertuples()
        for tag in tags[tags["label"] == term.label].itertuples()
        for other in _all_forms(tag.tag, tag.forms)
        if any(belong_together(one, other) for one in _all_forms(term.term, term.forms))
    ]
    found = pd.DataFrame(rows, columns=["label", "term", "tag"], dtype="str")
    return found.drop_duplicates(["label", "term"], ignore_index=True)


def _all_forms(first: str, forms: str) -> list[str]:
    return [first, *forms.split("; ")] if forms else [first]


def _see_items(
    tables: Mapping[str, pd.DataFrame], weights: pd.Series, item_ids: pd.Series, config: TagConfig
) -> TagUse:
    """The tags of the kind that is asked for, or of the other where there are none of it."""
    if len(tables.get(TAGS, ())) and (config.kind == USERS or GENOME not in tables):
        return count_user_tags(
            tags_by_item(tables[TAGS], item_ids),
            weights,
            min_items=config.min_items,
            min_users=config.min_users,
            max_tags=config.max_tags,
            prior_taggers=config.prior_taggers,
        )
    return read_relevance(genome_by_item(tables[GENOME], item_ids), weights)


def _mark_poles(
    use: TagUse, items: pd.DataFrame, positions: pd.DataFrame, config: TagConfig, random: np.random.Generator
) -> pd.DataFrame:
    parts = [pd.DataFrame({"label": [], "tag": [], "forms": [], "r": [], "p": [], "items": []})]
    if len(items) >= LEAST_ITEMS:
        groups = group_titles(items["title"]).to_numpy()
        orders = permute_items(groups, items["ratings"].to_numpy(), config.n_strata, config.permutations, random)
        r, null = correlate(use.use, positions.rank(), use.weights, orders)
        for (at, axis), (pole, sign) in product(enumerate(positions.columns), SIGNS.items()):
            p = corrected_p(r[:, at], null[:, at])
            families = find_families(use.tags, use.use, use.weights, sign * r[:, at], p, config.max_p, config.n_tags)
            first = np.array([family[0] for family in families], np.int64)
            forms = ["; ".join(use.tags[family[1:]]) for family in families]
            found = {"tag": use.tags[first], "forms": forms, "r": sign * r[first, at], "p": p[first]}
            parts.append(pd.DataFrame({"label": f"{axis}{pole}", **found, "items": use.items[first]}))
    table = pd.concat(parts, ignore_index=True)
    return table.astype(dict.fromkeys(["label", "tag", "forms"], "str") | {"r": float, "p": float, "items": "int64"})


def _compare(
    use: TagUse,
    fit: CrossFit,
    items: pd.DataFrame,
    both: np.ndarray,
    positions: pd.DataFrame,
    config: TagConfig,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Compare on the rows `both` of the documents' items, each predicted from tags as the readers are: held out.

    For the null, tags are permuted over items, and learned from anew.
    """
    if len(both) < LEAST_ITEMS:
        return pd.DataFrame()
    known = items.iloc[both]
    weights, groups = known["weight"].to_numpy(), known["group"].to_numpy()
    folds, judge = fit.folds[: config.n_repeats, both], fit.held_out[STACKED][: config.n_repeats, both]
    truth = positions.loc[known.index].to_numpy(np.float32)
    seen = standardise(use.use[np.searchsorted(use.item_ids, known.index)], weights / weights.sum())
    orders = permute_items(groups, known["ratings"].to_numpy(), config.n_strata, config.permutations, random)
    trials = np.vstack([np.arange(len(known)), orders])
    held_out = np.zeros_like(judge)
    null = {name: np.zeros((len(trials), truth.shape[1])) for name in ("tags", "agreement")}
    for repeat, fold in enumerate(folds):
        learned = [_Learned.fit(seen, fold == number, weights) for number in np.unique(fold)]
        for block in np.array_split(np.arange(len(trials)), -(-trials.size * truth.shape[1] // _AT_ONCE)):
            # Tags of other items are the same as other items' positions: both, and what reviews predict, move.
            true, predicted = (values[trials[block]].transpose(1, 0, 2) for values in (truth, judge[repeat]))
            from_tags = np.zeros_like(true)
            for each in learned:
                from_tags[each.test] = each.predict(true[each.train])
            held_out[repeat] = from_tags[:, 0] if block[0] == 0 else held_out[repeat]
            null["tags"][block] += rank_correlations(from_tags, true, fold, weights) / len(folds)
            null["agreement"][block] += rank_correlations(from_tags, predicted, fold, weights) / len(folds)

    resamples = Resamples.draw(groups, weights, len(folds), config.bootstraps, random)
    axes = pd.DataFrame(index=positions.columns.rename("axis"))
    pairs = {"reviews": (judge, truth), "tags": (held_out, truth), "agreement": (held_out, judge)}
    for name, (one, other) in pairs.items():
        axes[name], resampled = resamples.score(one, other, folds)
        add_interval(axes, name, resampled, config.confidence)
        if name in null:
            observed, permuted = null[name][0], null[name][1:]
            axes[f"{name}_null"] = permuted.mean(0)
            axes[f"{name}_p"] = (1 + (permuted >= observed).sum(0)) / len(trials)
            axes[f"{name}_q"] = false_discovery_control(axes[f"{name}_p"])
    return axes


@dataclass(frozen=True)
class _Learned:
    """What was learned of the items of all folds but one. train, test: bool (items,)."""

    train: np.ndarray
    test: np.ndarray
    ridge: KernelRidge
    projected: np.ndarray

    @classmethod
    def fit(cls, seen: np.ndarray, test: np.ndarray, weights: np.ndarray) -> "_Learned":
        train = ~test
        landmarks = choose_landmarks(int(train.sum()))
        known, compared = seen[train].astype(np.float64), seen[train][landmarks].astype(np.float64)
        ridge = KernelRidge.decompose(known @ compared.T, weights[train], landmarks)
        return cls(train, test, ridge, ridge.project(seen[test] @ compared.T))

    def predict(self, targets: np.ndarray) -> np.ndarray:
        """Predict the test items' targets from those of the others, (items, trials, axes)."""
        fit = fit_ridge(self.ridge, targets.reshape(len(targets), -1))
        return fit.predict(self.projected).reshape(-1, *targets.shape[1:])
