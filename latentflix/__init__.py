"""latentflix says in words what a recommender's latent factors mean."""

from importlib import import_module
from typing import Any

__all__ = ["Explanation", "explain"]


def __getattr__(name: str) -> Any:
    # The import takes seconds, and most programs need other parts.
    if name in __all__:
        return getattr(import_module("latentflix.explanation"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
