"""Cross-fitting: positions of items as predicted by readers that have learned nothing from them or their sequels."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from latentflix.artifacts import Handle, Store
from latentflix.factors.documents import Documents, review_parts
from latentflix.factors.folds import assign_groups
from latentflix.factors.permutations import permute_items
from latentflix.factors.readers.protocol import Reader
from latentflix.factors.readers.registry import Readers, ReadersConfig, repeat_groups
from latentflix.factors.readers.ridge import KernelRidge, RidgeFit, choose_landmarks, fit_ridge
from latentflix.factors.readers.stacked import STACKED, stack_readers
from latentflix.factors.readers.tfidf import WordReader
from latentflix.metrics import rank_correlations

logger = logging.getLogger(__name__)

# Numbers of one block of permuted positions.
_AT_ONCE = 2**24


@dataclass(frozen=True)
class CrossFit:
    """Positions predicted of items that were held out.

    Attributes:
        item_ids: int32 (items,).
        folds: int64 (repeats, items), the fold of each item in each repeat.
        held_out: by reader, STACKED among them, float32 (repeats, items, axes).
        beyond: float32 (2, repeats, items, axes): what is left of the positions when what their circumstances predict
            is taken out, and what the readers of words predict of that.
        null: float32 (permutations, axes), the rank correlation of STACKED for permuted positions.
        null_words: float32 (permutations, axes), the same, scored by readers of the true positions: a null that does
            not learn anew.
        reviews: index review_id; a float32 column for each axis, the position that the reader of words predicts of the
            review alone; it has not learned from the review's item.
    """

    item_ids: np.ndarray
    folds: np.ndarray
    held_out: dict[str, np.ndarray]
    beyond: np.ndarray
    null: np.ndarray
    null_words: np.ndarray
    reviews: pd.DataFrame


def read_without_kind(store: Store, documents: Handle, positions: Iterable[Handle]) -> dict[str, np.ndarray]:
    """Read the positions that are predicted without one kind of text: by kind, float32 (repeats, items, axes).

    positions: an artifact for each kind, in the order in which the documents name the kinds. Raises ArtifactError.
    """
    kinds = store.manifest(documents).metrics["separable_kinds"]
    return {
        kind: store.read_field(handle, CrossFit, "held_out")[STACKED]
        for kind, handle in zip(kinds, positions, strict=True)
    }


def cross_fit(documents: Documents, positions: pd.DataFrame, readers: Readers, config: ReadersConfig) -> CrossFit:
    """Make all repeats of `cross_fit_repeats`, as the tasks of `repeat_groups` make them."""
    groups = (group.repeats for group in repeat_groups(config))
    return merge_repeats([cross_fit_repeats(documents, positions, readers, config, group) for group in groups])


def merge_repeats(parts: Sequence[CrossFit]) -> CrossFit:
    """Put the repeats of several tasks together, in their order."""
    n_repeats = [len(part.folds) for part in parts]
    null, fixed = (
        np.average([getattr(part, name) for part in parts], axis=0, weights=n_repeats).astype(np.float32)
        for name in ("null", "null_words")
    )
    return CrossFit(
        parts[0].item_ids,
        np.concatenate([part.folds for part in parts]),
        {name: np.concatenate([part.held_out[name] for part in parts]) for name in parts[0].held_out},
        np.concatenate([part.beyond for part in parts], axis=1),
        null,
        fixed,
        pd.concat([part.reviews for part in parts]),
    )


def cross_fit_repeats(
    documents: Documents, positions: pd.DataFrame, readers: Readers, config: ReadersConfig, repeats: Sequence[int]
) -> CrossFit:
    """Predict the position of every item from the others, in each of some repeats, and for permuted positions too.

    Raises NotEnoughData if there are fewer than two groups of items for each fold.

    Args:
        positions: index item_id, one column per axis.
        repeats: their numbers, of all `n_repeats`; single reviews are predicted in the first of all.
    """
    items = documents.items
    targets = positions.loc[items.index].to_numpy(np.float64)
    weights, groups = items["weight"].to_numpy(), items["group"].to_numpy()
    random = np.random.default_rng(config.seed)
    folds = np.stack([assign_groups(groups, config.n_folds, random) for _ in range(config.n_repeats)])[list(repeats)]
    orders = permute_items(groups, items["ratings"].to_numpy(), config.n_strata, config.permutations, random)
    text_readers: list[Reader] = [readers.words, *readers.others]
    names = [reader.name for reader in text_readers] + [STACKED, readers.metadata.name]
    held_out = {name: np.zeros((len(repeats), *targets.shape), np.float32) for name in names}
    beyond = np.zeros((2, len(repeats), *targets.shape), np.float32)
    null = np.zeros((config.permutations, targets.shape[1]))
    fixed = np.zeros_like(null)
    parts = review_parts(documents)
    reviews = np.zeros((len(parts) if 0 in repeats else 0, targets.shape[1]), np.float32)
    steps = tqdm(total=len(repeats) * config.n_folds, desc="readers", leave=False, disable=None)
    for repeat, fold in enumerate(folds):
        blocks = _empty_blocks(orders, targets.shape[1])
        for number in range(config.n_folds):
            train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            fitted = [_Fitted.fit(reader, train, test, weights) for reader in text_readers]
            for reader, found in zip(text_readers, fitted, strict=True):
                held_out[reader.name][repeat, test] = found.predict(targets[train])[0]
            held_out[STACKED][repeat, test] = _stacked(fitted, targets[train], weights[train])
            yardstick, known = (
                _Fitted.fit(reader, train, test, weights) for reader in (readers.metadata, readers.circumstances)
            )
            held_out[readers.metadata.name][repeat, test] = yardstick.predict(targets[train])[0]
            expected, left_out = known.predict(targets[train])
            beyond[0, repeat, test] = targets[test] - expected
            beyond[1, repeat, test] = _stacked(fitted, targets[train] - left_out, weights[train])
            for chosen, block in blocks:
                permuted = targets[orders[chosen][:, train]].astype(np.float32)
                flat = permuted.transpose(1, 0, 2).reshape(len(train), -1)
                block[test] = _stacked(fitted, flat, weights[train]).reshape(len(test), len(permuted), -1)
            inside = parts["item_id"].isin(items.index[test]).to_numpy()
            if repeats[repeat] == 0 and inside.any():
                reviews[inside] = fitted[0].read(readers.words, train, parts.loc[inside, "text"], targets[train])
            steps.update()
        for chosen, block in blocks:
            truth = targets[orders[chosen]].transpose(1, 0, 2)
            null[chosen] += rank_correlations(block, truth, fold, weights) / len(repeats)
            fixed[chosen] += rank_correlations(held_out[STACKED][repeat][:, None], truth, fold, weights) / len(repeats)
    steps.close()
    return CrossFit(
        items.index.to_numpy(np.int32),
        folds,
        held_out,
        beyond,
        null.astype(np.float32),
        fixed.astype(np.float32),
        pd.DataFrame(reviews, pd.Index(parts["part_id"][: len(reviews)], name="review_id"), positions.columns),
    )


@dataclass(frozen=True)
class _Fitted:
    """What a reader has learned to see in some items, ready for any targets."""

    landmarks: np.ndarray
    ridge: KernelRidge
    projected: np.ndarray

    @classmethod
    def fit(cls, reader: Reader, train: np.ndarray, test: np.ndarray, weights: np.ndarray) -> "_Fitted":
        chosen = choose_landmarks(len(train))
        learned, seen = reader.kernels(train, test, train[chosen])
        ridge = KernelRidge.decompose(learned, weights[train], chosen)
        return cls(train[chosen], ridge, ridge.project(seen))

    def fit_targets(self, targets: np.ndarray) -> RidgeFit:
        return fit_ridge(self.ridge, targets)

    def predict(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The predictions of the test items, and those of the items learned from, each left out."""
        fit = self.fit_targets(targets)
        return fit.predict(self.projected), fit.left_out

    def read(self, words: WordReader, train: np.ndarray, texts: Sequence[str], targets: np.ndarray) -> np.ndarray:
        """Predict the targets of texts by the reader of words, which this is."""
        vocabulary = words.learn(train)
        kernel = (words.text_features(texts, vocabulary) @ words.features(self.landmarks, vocabulary).T).toarray()
        return self.fit_targets(targets).predict(self.ridge.project(kernel))


def _stacked(fitted: Sequence[_Fitted], targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    predicted, left_out = zip(*(each.predict(targets) for each in fitted), strict=True)
    shares = stack_readers(left_out, targets, weights).astype(targets.dtype)
    return np.asarray(sum(share * part for share, part in zip(shares, predicted, strict=True)))


def _empty_blocks(orders: np.ndarray, n_axes: int) -> list[tuple[slice, np.ndarray]]:
    """Parts of the permutations, each with room for the predictions float32 (items, permutations, axes)."""
    size = max(_AT_ONCE // (orders.shape[1] * n_axes), 1)
    starts = range(0, len(orders), size)
    chosen = [slice(start, min(start + size, len(orders))) for start in starts]
    return [(part, np.zeros((orders.shape[1], part.stop - part.start, n_axes), np.float32)) for part in chosen]
