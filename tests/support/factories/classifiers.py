"""Items with labels and reviews, for what is split and trained by item."""

import numpy as np
import pandas as pd


def draw_labels(seed=0, n_items=60, n_labels=6):
    """The item of each review, items with one to eight reviews each; and which labels each item has."""
    random = np.random.default_rng(seed)
    items = pd.Series(np.repeat(random.permutation(1000)[:n_items], random.integers(1, 9, n_items)))
    has_label = pd.DataFrame(random.random((n_items, n_labels)) < np.linspace(0.15, 0.6, n_labels), items.unique())
    return items.sample(frac=1, random_state=seed, ignore_index=True), has_label
