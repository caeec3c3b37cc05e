"""Artifacts of models, made when a test wants."""

from latentflix.config import StageConfig


def save_model(store, handle, model, prefix="", made_at=None):
    """Write the artifact of a model, and have it be as old as `made_at` says."""
    with store.new(handle, {}, StageConfig()) as artifact:
        artifact.write(model, prefix)
    if made_at:
        manifest = store.manifest(handle).model_copy(update={"made_at": made_at})
        (store.path(handle) / "manifest.json").write_text(manifest.model_dump_json())
    return handle
