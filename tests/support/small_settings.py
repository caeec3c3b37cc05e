"""Settings with which real data goes the whole way in well under a minute of training."""

import json
from typing import Any

SMALL_SETTINGS: dict[str, Any] = {
    "collab": {"n_seeds": 4, "epochs": 4},
    "trials": {"models": ["dot_range", "bias"], "weight_decays": [0.1, 0.4], "n_seeds": 1},
    "factors": {"stable_from": 0.5},
    "labels": {"top_k": 3},
    "language_model": {"max_tokens": 30_000, "embedding_size": 32},
    "classifier": {"n_folds": 2, "max_tokens": 60, "all_epochs": 1},
    "evaluation": {"permutations": 50, "bootstraps": 50},
}


def as_arguments(settings: dict[str, Any]) -> list[str]:
    return [
        argument
        for stage, fields in settings.items()
        for name, value in fields.items()
        for argument in (f"--{stage}.{name}".replace("_", "-"), json.dumps(value))
    ]
