"""Models that flows have kept: which of them is asked."""

from latentflix.artifacts import Handle, Store
from latentflix.errors import ArtifactError


def newest(store: Store, stage: str, program: str) -> Handle:
    """The artifact of this stage that was made last.

    program: what makes one, for the error. Raises ArtifactError if there is none.
    """
    handles = [Handle(stage=stage, key=path.parent.name) for path in store.root.glob(f"{stage}/[!.]*/manifest.json")]
    if not handles:
        raise ArtifactError(
            f"no model of {stage} was trained yet",
            where=str(store.root / stage),
            remedy=f"run {program}, or name another folder with --artifacts-dir",
        )
    return max(handles, key=lambda handle: store.manifest(handle).made_at)
