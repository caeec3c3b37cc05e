"""The genre flow on plots whose words name their genres, with an encoder that needs no model."""

import re
from pathlib import Path

import pytest

import tasks.text
from flows.genres import genres
from latentflix.artifacts import Handle, Store
from latentflix.genres.model import TrainedGenres
from latentflix.genres.predictor import GenrePredictor
from latentflix.settings import GenreSettings
from tests.support.factories.genres import QUICK, WORDS, WordEncoder, make_plots
from tests.support.synthetic_run import Run

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
        "genre_page",
    ),
}


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
        monkeypatch.setattr(tasks.text, "load_encoder", lambda _: WordEncoder())
        return Run(genres(settings), Store(settings.artifacts_dir))


@pytest.fixture(scope="module")
def first_run(prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("genres"))


def test_genres_are_predicted_from_their_words(first_run: Run) -> None:
    assert first_run.result.headline["average_precision"] > 0.98
    assert first_run.result.headline["micro_f1"] > 0.9
    assert set(first_run.result.seconds) == STAGES


def test_films_of_movielens_with_a_plot_are_compared(first_run: Run) -> None:
    films = first_run.store.read_table(first_run.handle("genre_comparison"), "films")
    assert films["title"].tolist() == ["Toy Story (1995)"]
    assert films["genres"].map(list).tolist() == [["Animation", "Children's", "Comedy"]]


def test_the_page_names_every_stage(first_run: Run) -> None:
    page = Path(first_run.result.report).read_text(encoding="utf-8")
    named = set(re.findall(r"<summary>(\w+)", page))
    assert STAGES - {"genre_page", "datasets", "ratings"} <= named


def test_a_second_run_takes_everything_from_the_cache(first_run: Run) -> None:
    again = run(first_run.store.root.parent)
    assert again.result.cached == dict.fromkeys(STAGES, True)


def test_the_stored_model_predicts_what_the_flow_predicted(first_run: Run) -> None:
    handle = first_run.handle("genres")
    predictor = GenrePredictor(first_run.store.read_field(handle, TrainedGenres, "model"), WordEncoder())
    expected = first_run.store.read_table(handle, "probabilities").iloc[0]
    assert predictor.predict(make_plots()["plot"][0]) == pytest.approx(expected.to_dict(), abs=1e-5)
    assert set(expected.index) == set(WORDS)


def test_strategies_of_reading_are_compared_when_asked(first_run: Run) -> None:
    compared = run(first_run.store.root.parent, compared_strategies=("head_tail",), embeddings={"chunk_tokens": 16})
    handles = [Handle(stage="genres", key=path.name) for path in (compared.store.root / "genres").iterdir()]
    readings = {tuple(compared.store.read_table(handle, "trials")["reading"]) for handle in handles}
    assert readings == {("chunks",), ("chunks", "head_tail")}
