"""The rules of the structure that no import contract can state; the contracts are in pyproject.toml."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tasks.stage import StageTask

ROOT = Path(__file__).parents[1]
PACKAGES = ["latentflix", "tasks", "flows"]
MOST_LINES, MOST_ROOT_MODULES = 350, 10
PRETRAINED = ROOT / "latentflix" / "text" / "pretrained.py"
PICKLING_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
PICKLING_CALLS = {
    *("torch.load", "torch.save", "np.load", "np.save", "numpy.load", "numpy.save"),
    *("pd.read_pickle", "load_learner", "load_pickle", "save_pickle", "load_model"),
}
PICKLING_METHODS = {"read_pickle", "to_pickle", "export", "save_encoder", "load_encoder", "load_pretrained_model"}


def modules(*packages):
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


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


def relative(path):
    return str(path.relative_to(ROOT))


def each(*packages):
    return [pytest.param(path, id=relative(path)) for path in modules(*packages)]


def dotted(node):
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return getattr(node, "id", "")


def test_the_root_of_the_library_shows_its_rooms():
    assert len([path for path in (ROOT / "latentflix").glob("*.py") if path.stem != "__init__"]) <= MOST_ROOT_MODULES


@pytest.mark.parametrize("path", each(*PACKAGES))
def test_a_module_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize(
    "path",
    [param for param in each("latentflix", "tasks") if "__init__" in param.id and param.id != "latentflix/__init__.py"],
)
def test_a_package_holds_its_description_only(path):
    (node,) = tree(path).body
    assert isinstance(node.value.value, str)
    assert "\n" not in node.value.value


@pytest.mark.parametrize("path", [param for param in each("latentflix") if not param.id.startswith("latentflix/cli/")])
def test_only_commands_start_flows_by_name(path):
    texts = [
        node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [text for text in texts if text.startswith("flows.") or text == "prefect"] == []


@pytest.mark.parametrize("path", each("tests"))
def test_no_test_imports_another(path):
    assert [name for name in imported(path) if name.split(".")[-1].startswith("test_")] == []


def test_every_stage_is_run_by_a_flow():
    names = [path.stem for path in modules("tasks") if path.stem != "__init__"]
    found = [each for name in names for each in vars(import_module(f"tasks.{name}")).values()]
    stages = {stage.name: stage.make.__name__ for stage in found if isinstance(stage, StageTask)}
    assert len(stages) > 30
    used = {
        dotted(node).split(".")[-1]
        for path in modules("flows")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
    }
    assert [name for name, function in stages.items() if function not in used] == []


def test_stages_hold_no_branch_and_no_loop():
    """A branch or a loop belongs into the library."""
    for path in modules("tasks"):
        if path.stem not in ("reviews", "stage", "task_runners", "ui"):
            statements = [
                node for node in ast.walk(tree(path)) if isinstance(node, ast.If | ast.For | ast.While | ast.Try)
            ]
            assert statements == [], relative(path)


@pytest.mark.parametrize("path", [param for param in each(*PACKAGES) if param.values[0] != PRETRAINED])
def test_nothing_is_pickled(path):
    assert {name.split(".")[0] for name in imported(path)}.isdisjoint(PICKLING_MODULES)
    attributes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute | ast.Name)]
    assert {dotted(node) for node in attributes}.isdisjoint(PICKLING_CALLS)
    assert {node.attr for node in attributes if isinstance(node, ast.Attribute)}.isdisjoint(PICKLING_METHODS)


def test_a_learner_can_be_fitted_whichever_module_is_imported_first():
    program = "import latentflix.training; from fastai.learner import Learner; print(hasattr(Learner, 'fit_one_cycle'))"
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout == "True\n"


def test_the_pretrained_model_is_read_by_readers_that_build_nothing():
    calls = [node for node in ast.walk(tree(PRETRAINED)) if isinstance(node, ast.Call)]
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
