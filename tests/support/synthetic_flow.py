"""The full flow in the synthetic world, as an entry point for a worker and as a command: it reads no data set."""

import os
from pathlib import Path

import pytest

from flows.command_line import main
from flows.full import full
from latentflix.settings import FullSettings
from tests.support.synthetic_run import replace_data_sets
from tests.support.synthetic_world import make_world

replace_data_sets(make_world(), Path(os.environ["SYNTHETIC_FOLDER"]), pytest.MonkeyPatch())

__all__ = ["full"]

if __name__ == "__main__":
    main(full, FullSettings, "python -m tests.support.synthetic_flow")
