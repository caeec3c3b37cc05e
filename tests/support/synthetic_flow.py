"""The full flow in the planted world, for a worker: what it imports here finds that world in place of the data sets."""

import os
from pathlib import Path

import pytest

from flows.full import full
from tests.support.synthetic_run import plant
from tests.support.synthetic_world import make_world

plant(make_world(), Path(os.environ["PLANTED_FOLDER"]), pytest.MonkeyPatch())

__all__ = ["full"]
