"""The full flow in the synthetic world, for a worker: with this entry point it reads that world, not the data sets."""

import os
from pathlib import Path

import pytest

from flows.full import full
from tests.support.synthetic_run import replace_data_sets
from tests.support.synthetic_world import make_world

replace_data_sets(make_world(), Path(os.environ["SYNTHETIC_FOLDER"]), pytest.MonkeyPatch())

__all__ = ["full"]
