import pytest

from latentflix.artifacts import Handle, Store
from latentflix.config import StageConfig
from latentflix.errors import ArtifactError
from latentflix.kept_models import newest


def keep(store, stage, key, made_at):
    handle = Handle(stage=stage, key=key)
    with store.new(handle, [], StageConfig()) as artifact:
        artifact.write_json("model", {})
    manifest = store.manifest(handle).model_copy(update={"made_at": made_at})
    (store.path(handle) / "manifest.json").write_text(manifest.model_dump_json())


def test_the_model_that_was_made_last_is_taken(tmp_path):
    store = Store(tmp_path)
    keep(store, "genres", "one", "2020-01-01T00:00:00Z")
    keep(store, "genres", "late", "2999-01-01T00:00:00Z")
    keep(store, "genres", "old", "1999-01-01T00:00:00Z")
    keep(store, "sentiment", "other", "3999-01-01T00:00:00Z")
    assert newest(store, "genres", "python -m flows.genres") == Handle(stage="genres", key="late")


def test_without_a_model_one_line_says_how_to_make_one(tmp_path):
    with pytest.raises(ArtifactError, match="no model of sentiment.*what to do: run python -m flows.sentiment, or"):
        newest(Store(tmp_path), "sentiment", "python -m flows.sentiment")
