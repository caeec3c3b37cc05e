"""latentflix says in words what a recommender's latent factors mean."""

from importlib import import_module
from typing import Any

_PUBLIC = {"explain": "latentflix.explanation.explain", "Explanation": "latentflix.explanation.result"}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    # The import takes seconds, and most programs need other parts.
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
