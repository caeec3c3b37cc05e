"""PlotSummaries to page: planted genres, and an encoder that needs no model."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import tasks.embeddings

from flows.command_line import FlowResult
from flows.genres import genres
from latentflix.artifacts import Handle, Store
from latentflix.genres.predictor import GenrePredictor, read_model
from latentflix.settings import GenreSettings
from tests.support.factories.genres import QUICK, WORDS, WordEncoder, make_plots

STAGES = {
    *(
        "plot_source",
        "plot_summaries",
        "embeddings",
        "genres",
        "genre_evaluation",
        "datasets",
        "ratings",
        "genre_comparison",
    ),
    "genre_page",
}


@dataclass(frozen=True)
class Run:
    outcome: FlowResult
    store: Store

    def handle(self, stage: str) -> Handle:
        (folder,) = (self.store.root / stage).iterdir()
        return Handle(stage=stage, key=folder.name)


def run(folder: Path, **changed: object) -> Run:
    plots = make_plots().drop(columns="plot_id")
    plots.loc[0, "title"] = "Toy Story"
    plots.to_csv(folder / "plots.csv", index=False)
    settings = GenreSettings.model_validate(
        {
            "plot_source": {"path": folder / "plots.csv", "title_column": "title"},
            "plot_summaries": {"min_films": 5},
            "genres": QUICK.model_dump(),
            "genre_evaluation": {"bootstraps": 20},
            "artifacts_dir": folder / "artifacts",
            **changed,
        }
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(tasks.embeddings, "load_encoder", lambda _: WordEncoder())
        return Run(genres(settings), Store(settings.artifacts_dir))


@pytest.fixture(scope="module")
def planted(prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("genres"))


def test_planted_genres_are_told(planted: Run) -> None:
    assert planted.outcome.headline["average_precision"] > 0.98
    assert planted.outcome.headline["micro_f1"] > 0.9
    assert set(planted.outcome.seconds) == STAGES


def test_films_of_movielens_with_a_plot_stand_beside_it(planted: Run) -> None:
    films = planted.store.read_table(planted.handle("genre_comparison"), "films")
    assert films["title"].tolist() == ["Toy Story (1995)"]
    assert films["genres"].map(list).tolist() == [["Animation", "Children's", "Comedy"]]


def test_the_page_names_every_stage(planted: Run) -> None:
    page = Path(planted.outcome.report).read_text(encoding="utf-8")
    named = set(re.findall(r"<summary>(\w+)", page))
    assert STAGES - {"genre_page", "datasets", "ratings"} <= named


def test_a_second_run_takes_everything_from_the_cache(planted: Run) -> None:
    again = run(planted.store.root.parent)
    assert again.outcome.cached == dict.fromkeys(STAGES, True)


def test_the_model_that_was_kept_tells_what_the_flow_told(planted: Run) -> None:
    handle = planted.handle("genres")
    teller = GenrePredictor(read_model(planted.store, handle), WordEncoder())
    told = planted.store.read_table(handle, "probabilities").iloc[0]
    assert teller.tell(make_plots()["plot"][0]) == pytest.approx(told.to_dict(), abs=1e-5)
    assert set(told.index) == set(WORDS)


def test_ways_of_reading_are_compared_when_asked(planted: Run) -> None:
    compared = run(planted.store.root.parent, compared_strategies=("head_tail",), embeddings={"chunk_tokens": 16})
    handles = [Handle(stage="genres", key=path.name) for path in (compared.store.root / "genres").iterdir()]
    readings = {tuple(compared.store.read_table(handle, "trials")["reading"]) for handle in handles}
    assert readings == {("chunks",), ("chunks", "head_tail")}
