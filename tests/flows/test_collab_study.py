"""The collab study on real data, with fits of a few seconds."""

from pathlib import Path

import pytest

from flows.collab_study import collab_study
from flows.command_line import FlowResult, main
from latentflix.artifacts import Handle, Store
from latentflix.settings import CollabStudySettings
from tests.support.small_settings import as_arguments

QUICK = {
    "collab": {"n_factors": 8, "epochs": 2, "batch_size": 2048, "n_seeds": 2, "seeds_per_task": 1},
    "trials": {"weight_decays": [0.1, 5.0], "n_seeds": 1},
}
STAGES = {"datasets", "ratings", "collab", "trials", "analysis", "analysis_page"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> CollabStudySettings:
    return CollabStudySettings.model_validate({**QUICK, "artifacts_dir": tmp_path_factory.mktemp("study")})


@pytest.fixture(scope="module")
def result(prefect: None, settings: CollabStudySettings) -> FlowResult:
    return collab_study(settings)


def test_four_models_are_fitted_and_the_better_weight_decay_of_each_is_chosen(
    result: FlowResult, settings: CollabStudySettings
) -> None:
    store = Store(settings.artifacts_dir)
    (folder,) = (settings.artifacts_dir / "trials").iterdir()
    trials = store.read_table(Handle(stage="trials", key=folder.name), "trials")
    assert len(trials) == 8
    best = trials.loc[trials.groupby("model")["rmse"].idxmin()]
    assert trials[trials["chosen"]].sort_values("model").index.tolist() == best.index.tolist()
    assert set(result.headline) == {"dot", "dot_range", "bias", "neural"}
    assert result.headline["bias"]["rmse"] == trials.loc[trials["model"] == "bias", "rmse"].min()
    assert result.headline["bias"]["weight_decay"] == 0.1
    assert 0.9 < result.headline["bias"]["rmse"] < 1.1


def test_the_page_shows_the_recommender_of_all_groups_of_seeds(result: FlowResult) -> None:
    page = Path(result.report)
    text = page.read_text(encoding="utf-8")
    assert "one recommender: bias, weight decay 0.5, 2 seeds" in text
    assert "Star Wars (1977)" in text
    assert "films" in text
    assert "MovieLens 100K" in text
    assert text.count("<summary>collab") == 2
    assert all((page.parent / name).is_file() for name in ("map.html", "map.png", "curves.png"))


def test_a_second_run_takes_everything_from_the_cache(result: FlowResult, settings: CollabStudySettings) -> None:
    again = collab_study(settings)
    assert again.cached == dict.fromkeys(STAGES, True)
    assert again.report == result.report


def test_the_command_line_prints_the_path_of_the_page_and_the_scores(
    result: FlowResult, settings: CollabStudySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--artifacts-dir", str(settings.artifacts_dir), *as_arguments(QUICK)]
    main(collab_study, CollabStudySettings, "prog", arguments)
    *_, report, sentence = capsys.readouterr().out.splitlines()
    assert report == f"report: {result.report}"
    assert sentence == result.sentence


def test_the_command_line_in_json_is_one_value(
    settings: CollabStudySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = FlowResult(report="page", headline={"rmse": 0.9}, sentence="well", seconds={}, cached={})
    main(lambda _: expected, CollabStudySettings, "prog", ["--artifacts-dir", str(settings.artifacts_dir), "--json"])
    assert FlowResult.model_validate_json(capsys.readouterr().out) == expected


def test_one_changed_trial_setting_leaves_the_others_at_the_defaults_of_the_study() -> None:
    settings = CollabStudySettings.model_validate({"trials": {"n_seeds": 3}})
    assert settings.trials.weight_decays == CollabStudySettings().trials.weight_decays
    assert len(settings.trials.weight_decays) == 5
