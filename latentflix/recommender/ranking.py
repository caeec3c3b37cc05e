"""How well fits rank the held-out items of each user, compared with a ranking by popularity."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from latentflix.recommender.latent_factors import LatentFactors

CUTOFF = 10
MEASURES = tuple(f"{ranked}{measure}" for ranked in ("", "ensemble_", "popularity_") for measure in ("recall", "ndcg"))
# They give a recall of 0.3 to within 0.01, and ranking all items takes long for each user.
_MOST_USERS = 5000
_SCORES_AT_ONCE = 2**24


def score_ranking(fits: Sequence[LatentFactors], train: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, float]:
    """Compute recall and NDCG at 10 on held-out interactions, each as a mean over users with any.

    For each user all items of the fits are ranked that the user has no interaction with in `train`. Recall is the share
    of the user's held-out items among the first ten, or of ten if there are more: 1 is the most that can be reached.
    NDCG is the sum of 1 / log2(1 + place) over the held-out items at places 1 to 10, divided by the greatest such sum.
    Counts of interactions are ignored. Of more than 5,000 users as many are drawn, always the same.
    Source: Liang and others 2018, "Variational autoencoders for collaborative filtering", whose measures these are.

    train, held_out: user_id, item_id; users and items are among those of the fits.
    Returns recall and ndcg, the mean of the single fits; ensemble_…, of the fits' mean prediction; popularity_…, of the
    same list for all users: items by the number of users in `train`.
    """
    user_ids, item_ids = fits[0].user_ids, fits[0].item_ids
    seen, wanted = (_matrix(table, user_ids, item_ids) for table in (train, held_out))
    users = np.flatnonzero(np.diff(wanted.indptr))
    if len(users) > _MOST_USERS:
        users = np.random.default_rng(0).choice(users, _MOST_USERS, replace=False)
    popularity = np.bincount(seen.indices, minlength=len(item_ids))
    at_once = max(_SCORES_AT_ONCE // len(item_ids), 1)
    singles, ensemble, popular = totals = np.zeros((3, 2))
    for chosen in np.split(users, range(at_once, len(users), at_once)):
        known, relevant = seen[chosen].toarray(), wanted[chosen].toarray()
        summed = np.zeros(known.shape, np.float32)
        for fit in fits:
            scores = fit.user_factors[chosen] @ fit.item_factors.T + fit.item_bias
            summed += scores
            singles += _sum_measures(scores, known, relevant) / len(fits)
        ensemble += _sum_measures(summed, known, relevant)
        popular += _sum_measures(popularity, known, relevant)
    return dict(zip(MEASURES, (totals / len(users)).ravel().tolist(), strict=True))


def _matrix(table: pd.DataFrame, user_ids: np.ndarray, item_ids: np.ndarray) -> csr_array:
    """Which users have an interaction with which items, bool (users, items)."""
    rows = (pd.Index(ids).get_indexer(table[name]) for name, ids in (("user_id", user_ids), ("item_id", item_ids)))
    return csr_array((np.ones(len(table), bool), tuple(rows)), shape=(len(user_ids), len(item_ids)))


def _sum_measures(scores: np.ndarray, known: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Recall and NDCG, each summed over the users. scores: (users, items) or (items,); the others: bool."""
    losses = np.where(known, np.inf, -scores)
    cutoff = min(CUTOFF, losses.shape[1])
    first = np.argpartition(losses, cutoff - 1, axis=1)[:, :cutoff]
    order = np.take_along_axis(losses, first, 1).argsort(1, kind="stable")
    found = np.take_along_axis(relevant, np.take_along_axis(first, order, 1), 1)
    most = np.minimum(relevant.sum(1), CUTOFF)
    gains = 1 / np.log2(np.arange(CUTOFF) + 2)
    return np.array([(found.sum(1) / most).sum(), (found @ gains[:cutoff] / gains.cumsum()[most - 1]).sum()])
