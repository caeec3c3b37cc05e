"""Named sets of settings: the profiles of flows, and what comes with sources that are not the usual ones."""

from collections.abc import Mapping
from typing import Any

# The collab study is there for the trials, so it tries more than the full flow does.
STUDY_WEIGHT_DECAYS = (0.0, 0.1, 0.2, 0.5, 1.0)

# ULMFiT's own sizes, for which there are pretrained weights.
_ULMFIT = {
    "pretrained": True,
    "vocabulary_size": 60_000,
    "embedding_size": 400,
    "hidden_size": 1152,
    "n_layers": 3,
    "dropout": 0.3,
    "max_tokens": 100_000_000,
    "batch_size": 128,
    "sequence_length": 80,
    "frozen_epochs": 1,
    "epochs": 10,
    "learning_rate": 2e-3,
    "valid_share": 0.1,
}

# Fits to many ratings are drawn in a fraction of the time that training takes, and predict better.
_DRAWN = {"model": "bayes", "n_factors": 20, "seeds_per_task": 20, "posterior": {"between": 2}}

# For a thousand items and a million ratings, or more.
_MANY_ITEMS: Mapping[str, Mapping[str, Any]] = {
    "reviews": {"corpus": "large_movie_reviews"},
    "documents": {"min_ratings": 30},
    "trials": {"models": ("bias", "bayes"), "weight_decays": (0.5,)},
}

FULL: Mapping[str, Mapping[str, Any]] = {
    "sample": {},
    "standard": {
        **_MANY_ITEMS,
        "ratings_source": {"data_set": "movielens_1m"},
        "collab": {**_DRAWN, "n_seeds": 160},
        "halves": {"n_seeds": 8},
        "classifier": {"max_reviews_per_item": 5},
    },
    "ulmfit": {
        **_MANY_ITEMS,
        "ratings_source": {"data_set": "movielens_32m"},
        "collab": {**_DRAWN, "n_seeds": 40},
        "halves": {"n_pairs": 2, "n_seeds": 4},
        "readers": {"n_repeats": 2, "permutations": 200},
        "language_model": _ULMFIT,
        "classifier": {"n_folds": 5, "max_tokens": 1440, "batch_size": 64, "dropout": 0.5},
    },
}

# A small encoder that has read little has little to forget, so it may learn faster than one that has read much.
_SMALL_SENTIMENT = {"sentiment_classifier": {"all_epochs": 5, "all_learning_rate": 5e-3}}

SENTIMENT: Mapping[str, Mapping[str, Any]] = {
    "sample": _SMALL_SENTIMENT,
    "standard": _SMALL_SENTIMENT,
    "ulmfit": {
        "language_model": _ULMFIT,
        "sentiment_classifier": {"max_tokens": 1440, "batch_size": 64, "dropout": 0.5},
    },
}

# Vectors and texts of one's own may be of anything.
_OWN_VECTORS = {
    "network": False,
    "report": {"item_noun": "item", "category_noun": "category", "category_nouns": "categories", "origin": ""},
}
_OWN_TEXTS = {"network": False, "report": {"item_noun": "item", "text_noun": "text", "passage_share": 1.0}}


def source_values(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The values of stages, some sets of them, that come with the sources that the settings given name."""
    source, ratings, vectors, texts, reviews = (
        dict(given.get(name) or {}) for name in ("ratings_source", "ratings", "item_factors", "texts", "reviews")
    )
    values: list[Mapping[str, Any]] = []
    if vectors.get("path"):
        values.append(_OWN_VECTORS)
    if texts.get("path") or reviews.get("ids") == "own":
        values.append(_OWN_TEXTS)
    if source.get("rating_column") == "":
        values.append(_of_interactions("interactions"))
    elif ratings.get("likes_from") is not None:
        values.append(_of_interactions("likes"))
    return values


def _of_interactions(origin: str) -> dict[str, Any]:
    return {"collab": {"model": "als"}, "report": {"origin": origin}, "analysis_page": {"origin": origin}}
