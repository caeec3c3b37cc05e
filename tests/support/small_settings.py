"""Settings with which a run trains for seconds."""

import json
from typing import Any

# For real data.
SMALL_SETTINGS: dict[str, Any] = {
    "collab": {"n_seeds": 4, "epochs": 4},
    "halves": {"n_pairs": 1, "n_seeds": 1},
    "trials": {"models": ["dot_range", "bias"], "weight_decays": [0.1, 0.4], "n_seeds": 1},
    "factors": {"stable_from": 0.5},
    "readers": {"n_repeats": 1, "permutations": 10},
    "language_model": {"max_tokens": 30_000, "embedding_size": 32},
    "classifier": {"n_folds": 2, "max_tokens": 60, "all_epochs": 1},
    "evaluation": {"permutations": 50, "bootstraps": 50},
}


def as_arguments(settings: dict[str, Any]) -> list[str]:
    """The options of a command line that give these settings."""
    arguments = []
    for stage, fields in settings.items():
        for name, value in fields.items():
            option = f"{stage}.{name}".replace("_", "-")
            match value:
                case bool():
                    arguments += [f"--{option}" if value else f"--no-{option}"]
                case str():
                    arguments += [f"--{option}", value]
                case _:
                    arguments += [f"--{option}", json.dumps(value)]
    return arguments
