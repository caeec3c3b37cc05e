"""Artifacts with known content, as old as a test wants."""

import json

from latentflix.artifacts import MANIFEST, Handle
from latentflix.config import StageConfig


def put(store, stage, key, inputs=(), *, config=None, metrics=None, made_at=None, **parts):
    """Write an artifact in whose manifest each input has the name of its stage.

    parts: tables, values (of JSON), arrays and files, each by name.
    """
    handle = Handle(stage=stage, key=key)
    by_stage = {each.stage: tuple(other for other in inputs if other.stage == each.stage) for each in inputs}
    with store.new(handle, by_stage, config or StageConfig()) as artifact:
        writers = {"tables": artifact.write_table, "values": artifact.write_json, "arrays": artifact.write_arrays}
        for kind, contents in parts.items():
            for name, content in contents.items():
                if kind == "files":
                    path = artifact.folder / name
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes(content)
                else:
                    writers[kind](name, content)
        artifact.metrics.update(metrics or {})
    if made_at:
        set_time(store, handle, made_at)
    return handle


def set_time(store, handle, made_at):
    path = store.path(handle) / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "made_at": made_at}))
