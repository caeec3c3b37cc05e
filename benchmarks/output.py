"""What every benchmark prints."""

import json
import sys
from typing import Any

import pandas as pd


def print_results(table: pd.DataFrame, ratios: dict[str, float], *, as_json: bool) -> None:
    """Print the table and the ratios below it, or both as one JSON object."""
    if as_json:
        rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records"))
        sys.stdout.write(json.dumps({"results": rows, "ratios": ratios}) + "\n")
        return
    sys.stdout.write(table.to_string(index=False, float_format=lambda number: f"{number:,.4g}") + "\n\n")
    for name, ratio in ratios.items():
        sys.stdout.write(f"{name}: {ratio:.3g}\n")


def say(text: str) -> None:
    """Print a line of progress, apart from the results."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
