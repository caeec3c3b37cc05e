import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Each module imports only modules that stand before it.
WAY = [
    *("errors", "config", "parallel", "epochs", "distributed", "markdown"),
    *("artifacts", "runs", "kept_models", "movielens", "tables", "text_notes"),
    *("datasets", "ratings_source", "ratings", "splits", "training"),
    *("collab_factors", "collab_models", "rating_batches", "collab", "early_stopping", "collab_fit", "trials"),
    *("rotation", "stability", "study", "factors", "labels"),
    *("tokens", "review_source", "near_duplicates", "delta_tables", "review_store", "plain_text", "reviews"),
    *("transports", "manners", "fetching", "titles", "item_search", "source_corpus", "source_large_movie"),
    *("review_file", "source_file", "source_tmdb", "source_wikipedia", "source_imdbpy", "sources"),
    *("token_corpus", "token_stream", "pretrained", "checkpoints", "rate_search"),
    *("sentences", "language_model", "classifier", "predictions"),
    *("embeddings", "words", "baseline", "vectors", "thresholds", "calibration", "evaluation", "encoders", "names"),
    *("histograms", "changes", "pictures", "histogram_pictures", "maps", "pages", "provenance", "study_page"),
    *("encoder_page", "findings", "passages", "report_summary", "report_cards", "report_items", "report", "highlights"),
    *("console", "text_input", "factor_summary", "item_summary", "item_neighbours", "label_teller"),
    *("plots_source", "plots", "mixture", "genre_head", "genres", "genre_evaluation"),
    *("genre_films", "genre_pictures", "genre_page", "genre_teller", "genre_command"),
    *("sentiment_source", "sentiment_reviews", "sentiment_classifier", "sentiment_words", "sentiment"),
    *("sentiment_evaluation", "sentiment_page", "sentiment_teller", "sentiment_command"),
    *("title_catalogs", "items", "refresh", "refresh_page", "shifts", "settings"),
    *("factor_command", "item_commands", "predict_command", "report_command", "run_commands", "review_commands"),
    *("doctor", "doctor_command", "commands"),
]
PACKAGES = ["latentflix", "tasks", "flows"]
# Of the tasks' modules, those that hold what runs stages, or tasks that make no artifact.
NO_STAGES = ("__init__", "parallel", "publishing", "refresh", "stage")
PICKLING_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
PICKLING_CALLS = {
    *("torch.load", "torch.save", "np.load", "np.save", "numpy.load", "numpy.save"),
    *("pd.read_pickle", "load_learner", "load_pickle", "save_pickle", "load_model"),
}
PICKLING_METHODS = {"read_pickle", "to_pickle", "export", "save_encoder", "load_encoder", "load_pretrained_model"}


def modules(package):
    return sorted(path for path in (ROOT / package).rglob("*.py"))


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """Every dotted name that a module imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_packages(path):
    return {name.split(".")[0] for name in imported(path)}


def imported_modules(path):
    """The modules of the library that a module imports."""
    parts = [name.split(".") for name in imported(path)]
    return {part[1] for part in parts if part[0] == "latentflix" and len(part) > 1 and part[1] in WAY}


def relative(path):
    return str(path.relative_to(ROOT))


def everything(*packages):
    return [pytest.param(path, id=relative(path)) for package in packages for path in modules(package)]


def stage_modules():
    return sorted(path.stem for path in modules("tasks") if path.stem not in NO_STAGES)


def stage_name(path):
    """What a task module calls its stage."""
    names = [
        decorator.args[0].value
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "stage"
    ]
    assert len(names) == 1
    return names[0]


def dotted(node):
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return getattr(node, "id", "")


def test_the_way_names_every_module_once():
    assert sorted(WAY) == sorted(path.stem for path in modules("latentflix") if path.stem != "__init__")


@pytest.mark.parametrize("path", everything("latentflix"))
def test_the_library_knows_neither_prefect_nor_tasks_nor_flows(path):
    assert imported_packages(path).isdisjoint({"prefect", "tasks", "flows", "tests"})


@pytest.mark.parametrize("path", everything("tasks"))
def test_tasks_know_no_flow(path):
    assert imported_packages(path).isdisjoint({"flows", "tests"})


@pytest.mark.parametrize("path", everything("flows"))
def test_flows_know_no_test(path):
    assert "tests" not in imported_packages(path)


def test_only_what_makes_and_runs_stages_knows_prefect_among_the_tasks():
    assert [path.stem for path in modules("tasks") if "prefect" in imported_packages(path)] == [*NO_STAGES[1:]]


@pytest.mark.parametrize("place", range(len(WAY)), ids=WAY)
def test_a_module_imports_only_what_stands_before_it(place):
    assert imported_modules(ROOT / "latentflix" / f"{WAY[place]}.py") <= set(WAY[:place])


@pytest.mark.parametrize("path", everything(*PACKAGES))
def test_imports_name_modules_that_exist(path):
    for name in imported(path):
        package, *rest = name.split(".")
        if package in PACKAGES and rest:
            assert (ROOT / package / f"{rest[0]}.py").is_file()


@pytest.mark.parametrize("path", everything("latentflix"))
def test_library_modules_are_imported_in_the_way_that_counts_for_the_key(path):
    plain = [alias.name for node in ast.walk(tree(path)) if isinstance(node, ast.Import) for alias in node.names]
    assert [name for name in plain if name.split(".")[0] == "latentflix"] == []


@pytest.mark.parametrize("stage", stage_modules())
def test_a_task_imports_the_library_module_of_its_own_name(stage):
    assert stage in imported_modules(ROOT / "tasks" / f"{stage}.py")


@pytest.mark.parametrize("path", [param for param in everything(*PACKAGES) if param.id != "latentflix/pretrained.py"])
def test_nothing_is_pickled(path):
    assert imported_packages(path).isdisjoint(PICKLING_MODULES)
    attributes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute | ast.Name)]
    assert {dotted(node) for node in attributes}.isdisjoint(PICKLING_CALLS)
    assert {node.attr for node in attributes if isinstance(node, ast.Attribute)}.isdisjoint(PICKLING_METHODS)


def test_a_learner_can_be_fitted_whichever_module_is_imported_first():
    program = "import latentflix.training; from fastai.learner import Learner; print(hasattr(Learner, 'fit_one_cycle'))"
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout == "True\n"


def test_the_pretrained_model_is_read_by_readers_that_build_nothing():
    calls = [node for node in ast.walk(tree(ROOT / "latentflix" / "pretrained.py")) if isinstance(node, ast.Call)]
    loads = [call for call in calls if dotted(call.func) == "torch.load"]
    assert [[(word.arg, ast.unparse(word.value)) for word in call.keywords] for call in loads] == [
        [("map_location", "'cpu'"), ("weights_only", "True")]
    ]
    assert {dotted(call.func) for call in calls}.isdisjoint({"pickle.load", "pickle.loads", "pickle.Unpickler"})


def test_results_of_tasks_are_kept_as_json():
    calls = [
        call
        for call in ast.walk(tree(ROOT / "tasks" / "stage.py"))
        if isinstance(call, ast.Call) and dotted(call.func) == "task"
    ]
    serializers = [word.value.value for call in calls for word in call.keywords if word.arg == "result_serializer"]
    assert len(calls) == 1
    assert serializers == ["json"]


@pytest.mark.parametrize("stage", stage_modules())
def test_a_stage_has_one_name_everywhere(stage):
    assert stage_name(ROOT / "tasks" / f"{stage}.py") == stage
    assert (ROOT / "latentflix" / f"{stage}.py").is_file()
    assert (ROOT / "tests" / f"test_{stage}.py").is_file()


@pytest.mark.parametrize("stage", stage_modules())
def test_a_flow_runs_every_stage(stage):
    names = ("full.py", "ratings.py", "language_models.py", "genres.py", "sentiment.py", "refresh_reviews.py")
    parts = [ROOT / "flows" / name for name in names]
    assert f"tasks.{stage}" in {name for part in parts for name in imported(part)}


@pytest.mark.parametrize("module", [name for name in WAY if name != "errors"])
def test_a_library_module_has_its_test(module):
    assert (ROOT / "tests" / f"test_{module}.py").is_file()
