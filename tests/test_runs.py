import pytest

from latentflix.artifacts import Handle, Store
from latentflix.errors import ArtifactError, NotFound
from latentflix.runs import Difference, choose_run, compare_runs, find_last_run, latest_artifact, list_runs, trace_stage
from tests.support.factories.artifacts import put, set_time
from tests.support.factories.run import write_run


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two runs, the one whose key comes last in the alphabet made first."""
    store = Store(tmp_path_factory.mktemp("artifacts"))
    write_run(store, "b" * 20)
    set_time(store, Handle(stage="report", key="b" * 20), "2026-01-01T00:00:00Z")
    write_run(store, "ab" * 10, epochs=5, auc=0.8)
    set_time(store, Handle(stage="report", key="ab" * 10), "2026-01-02T00:00:00Z")
    return store


def test_without_a_report_or_model_there_is_none_and_an_error_says_how_to_make_one(tmp_path):
    store = Store(tmp_path)
    assert find_last_run(store) is None
    with pytest.raises(NotFound, match=r"no finished run yet.*start one with latentflix run"):
        choose_run(store)
    with pytest.raises(ArtifactError, match="no model of sentiment.*what to do: run python -m flows.sentiment, or"):
        latest_artifact(store, "sentiment", "python -m flows.sentiment")


def test_runs_are_listed_the_last_one_first(store):
    assert [run.key for run in list_runs(store)] == ["ab" * 10, "b" * 20]
    assert find_last_run(store) == choose_run(store)
    assert choose_run(store).made_at == "2026-01-02T00:00:00Z"
    assert choose_run(store).figures["auc"] == 0.8
    assert choose_run(store, before_last=1).key == "b" * 20


def test_a_run_is_known_by_the_beginning_of_its_key(store):
    assert choose_run(store, "b").key == "b" * 20
    assert choose_run(store, "ab").key == "ab" * 10
    with pytest.raises(NotFound, match="no run has such a key; .*found: c; .*runs list"):
        choose_run(store, "c")
    with pytest.raises(NotFound, match=f"several runs have keys that begin so.*{'ab' * 10}, {'b' * 20}"):
        choose_run(store, "")
    with pytest.raises(NotFound, match="there are no 3 finished runs yet"):
        choose_run(store, before_last=2)


def test_a_run_knows_the_artifacts_that_it_made(store):
    run = choose_run(store, "b")
    assert run.handle("names") == Handle(stage="names", key="b" * 20)
    with pytest.raises(ArtifactError, match=r"the run made no embedding_baseline; where: run b+; found: ratings, "):
        run.handle("embedding_baseline")


def test_only_settings_and_metrics_that_differ_are_compared(store):
    comparison = compare_runs(store, choose_run(store, "b"), choose_run(store, "ab"))
    assert comparison["settings"] == [Difference("language_model", "epochs", 3, 5)]
    assert comparison["metrics"] == [Difference("label_evaluation", "auc", 0.7, 0.8)]


def test_a_run_whose_manifest_is_broken_is_left_out_and_named(store, tmp_path, caplog):
    folder = tmp_path / "report" / "cafe"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")
    write_run(Store(tmp_path), "d" * 20)
    assert [run.key for run in list_runs(Store(tmp_path))] == ["d" * 20]
    assert "cafe" in caplog.text


def test_the_model_that_was_made_last_is_taken(tmp_path):
    store = Store(tmp_path)
    for stage, key, made_at in (
        ("genres", "one", "2020-01-01T00:00:00Z"),
        ("genres", "late", "2999-01-01T00:00:00Z"),
        ("genres", "old", "1999-01-01T00:00:00Z"),
        ("sentiment", "other", "3999-01-01T00:00:00Z"),
    ):
        put(store, stage, key, values={"model": {}}, made_at=made_at)
    assert latest_artifact(store, "genres", "python -m flows.genres") == Handle(stage="genres", key="late")


def test_what_a_report_was_made_from_is_found_through_other_artifacts(tmp_path):
    store = Store(tmp_path)
    documents = put(store, "documents", "d")
    positions = [put(store, "positions", key, [documents]) for key in ("p", "q")]
    put(store, "report", "r", [put(store, "evaluation", "e", [*positions, documents])])
    run = choose_run(store)
    assert trace_stage(store, run, "documents") == [documents]
    assert trace_stage(store, run, "positions") == positions
    assert trace_stage(store, run, "embeddings") == []


def test_a_folder_of_reports_that_may_not_be_read_is_not_said_to_be_empty(store, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ArtifactError, match="a folder that you may not read; what to do: give yourself the right"):
        choose_run(store)
