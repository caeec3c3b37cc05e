"""Which films reviews are asked for: those of the last report, all that are linked to IMDb, or a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from latentflix.artifacts import Handle, Store
from latentflix.review_source import Film
from latentflix.titles import split_title

REPORT = "report"


@dataclass(frozen=True)
class LastRun:
    """made_at: when its report was made. handles: by stage, of the stages that a run has once."""

    made_at: str
    handles: Mapping[str, Handle]


def find_last_run(store: Store) -> LastRun | None:
    """The full run whose report was made last, None if there was none. Raises ArtifactError as `Store.manifest`."""
    handles = [Handle(stage=REPORT, key=path.parent.name) for path in store.root.glob(f"{REPORT}/[!.]*/manifest.json")]
    if not handles:
        return None
    manifest = max((store.manifest(handle) for handle in handles), key=lambda manifest: manifest.made_at)
    return LastRun(manifest.made_at, {handle.stage: handle for handle in manifest.inputs})


def films_of_report(store: Store, run: LastRun) -> list[Film]:
    """The films whose histograms the report shows, if they have an IMDb id. Raises as `Store.read_table`."""
    films = store.read_table(run.handles["ratings"], "films")
    shown = store.read_table(run.handles["histograms"], "shares")["movie_id"].unique()
    return linked_films(films.loc[films.index.intersection(shown)])


def chosen_films(films: pd.DataFrame, tconsts: Sequence[str]) -> list[Film]:
    """The films of these IMDb ids, with title and year where they are known. films: as in `linked_films`."""
    known = {film.tconst: film for film in linked_films(films)}
    return [known.get(tconst, Film("", None, tconst)) for tconst in tconsts]


def linked_films(films: pd.DataFrame) -> list[Film]:
    """The films whose IMDb id is known. films: `title` with the year, and `tconst` (nullable) if any is known."""
    known = films.reindex(columns=["title", "tconst"]).dropna().astype("str")
    return [
        Film(names[0], year, tconst)
        for tconst, (names, year) in zip(known["tconst"], known["title"].map(split_title), strict=True)
    ]
