"""An artifact of a stage `numbers`: its handle, what it holds, and what fills it."""

import numpy as np
import pandas as pd

from latentflix.artifacts import Handle
from latentflix.config import StageConfig, setting

HANDLE = Handle(stage="numbers", key="0123456789abcdef0123")
INPUT = Handle(stage="before", key="aaaaaaaaaaaaaaaaaaaa")
TABLE = pd.DataFrame(
    {"item": ["Shining, The (1980)", "Misérables, Les (1995)"], "stars": np.array([4, 5], np.int8)},
    index=pd.Index([200, 1135], name="item_id"),
)
VALUE = {"axis": "3+", "items": ["Amélie"], "share": 0.25}
ARRAYS = {"factors": np.arange(6, dtype=np.float32).reshape(2, 3), "ids": np.array([7, 8], np.int64)}


class Count(StageConfig):
    n: int = setting(1, "how many")


def fill(artifact):
    artifact.write_table("table", TABLE)
    artifact.write_json("value", VALUE)
    artifact.write_arrays("arrays", ARRAYS)
    artifact.metrics["rows"] = 2


def refuse(_):
    raise AssertionError("made again")
