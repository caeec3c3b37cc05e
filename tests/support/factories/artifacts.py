"""Artifacts with known content, as old as a test wants."""

import json

from latentflix.artifacts import MANIFEST, Handle
from latentflix.config import StageConfig


def put(
    store, stage, key, inputs=(), *, config=None, metrics=None, tables=None, values=None, arrays=None, made_at=None
):
    """Write an artifact with tables, values and arrays by name; in its manifest each input has its stage's name."""
    handle = Handle(stage=stage, key=key)
    by_stage = {each.stage: tuple(other for other in inputs if other.stage == each.stage) for each in inputs}
    with store.new(handle, by_stage, config or StageConfig()) as artifact:
        for write, parts in (
            (artifact.write_table, tables),
            (artifact.write_json, values),
            (artifact.write_arrays, arrays),
        ):
            for name, content in (parts or {}).items():
                write(name, content)
        artifact.metrics.update(metrics or {})
    if made_at:
        set_time(store, handle, made_at)
    return handle


def put_model(store, stage, key, model, prefix="", made_at=None):
    """Write the artifact of a model."""
    handle = Handle(stage=stage, key=key)
    store.ensure(handle, {}, StageConfig(), lambda artifact: artifact.write(model, prefix))
    if made_at:
        set_time(store, handle, made_at)
    return handle


def set_time(store, handle, made_at):
    path = store.path(handle) / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "made_at": made_at}))
