"""What the key of an artifact depends on."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from latentflix.artifacts import Handle
from latentflix.config import StageConfig, setting
from latentflix.keys import artifact_key, source_digest
from tasks import factors
from tasks import text as text_tasks
from tests.support.files import write_folder

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
INPUT = Handle(stage="before", key="aaaaaaaaaaaaaaaaaaaa")
OTHER = Handle(stage="before", key="bbbbbbbbbbbbbbbbbbbb")


class Count(StageConfig):
    n: int = setting(1, "how many")


def key(inputs=None, config=None, stage="numbers", source="0"):
    return artifact_key(stage, inputs or {"before": (INPUT,)}, config or Count(), source)


def digest(root: Path, module: str, name: str) -> str:
    """The digest of a function as it stands in the files below `root`, which need not be importable."""
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    function = SimpleNamespace(__module__=module, __name__=name, __code__=SimpleNamespace(co_filename=str(path)))
    return source_digest(cast("Callable[..., Any]", function))


def test_a_key_is_the_same_every_time_and_twenty_digits_long():
    assert key() == key()
    assert len(key()) == 20
    assert set(key()) <= set("0123456789abcdef")


def test_whatever_makes_another_result_makes_another_key():
    keys = {
        key(),
        key(inputs={"before": (OTHER,)}),
        key(inputs={"after": (INPUT,)}),
        key(inputs={"before": (INPUT, OTHER)}),
        key(inputs={"before": (OTHER, INPUT)}),
        key(inputs={"before": (INPUT,), "after": (OTHER,)}),
        key(inputs={"before": (OTHER,), "after": (INPUT,)}),
        key(config=Count(n=2)),
        key(stage="letters"),
        key(source="1"),
    }
    assert len(keys) == 10


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A library, and a stage that reads through a helper of another task module."""
    files = {
        "latentflix/__init__.py": "",
        "latentflix/deep/__init__.py": "",
        "latentflix/work.py": "def work():\n    from latentflix.deep.numbers import n\n\n    return n\n",
        "latentflix/deep/numbers.py": "n = 1\n",
        "latentflix/readers.py": "def read():\n    return 2\n",
        "latentflix/elsewhere.py": "n = 1\n",
        "tasks/__init__.py": "",
        "tasks/stage.py": "def stage(name):\n    return lambda make: make\n",
        "tasks/reading.py": (
            "from latentflix.readers import read\n\nFACTOR = 1\n\n\ndef load():\n    return FACTOR * read()\n"
        ),
        "tasks/numbers.py": (
            "from latentflix.work import work\nfrom tasks.reading import load\nfrom tasks.stage import stage\n\n\n"
            "@stage('numbers')\ndef make():\n    return work() + helper()\n\n\n"
            "def helper():\n    return load()\n\n\n"
            "def neighbour():\n    from latentflix.elsewhere import n\n\n    return n\n"
        ),
    }
    return write_folder(tmp_path, {name: text.encode() for name, text in files.items()})


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def edit_changes_digest(root: Path, module: str, stage: str, file: str, old: str, new: str) -> bool:
    before = digest(root, module, stage)
    edit(root / file, old, new)
    return digest(root, module, stage) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("latentflix/work.py", "return n", "return 2 * n"),
        ("latentflix/deep/numbers.py", "n = 1", "n = 2"),
        ("latentflix/readers.py", "return 2", "return 3"),
        ("tasks/numbers.py", "work() + helper()", "work() - helper()"),
        ("tasks/numbers.py", "return load()", "return 2 * load()"),
        ("tasks/reading.py", "FACTOR * read()", "read()"),
        ("tasks/reading.py", "FACTOR = 1", "FACTOR = 2"),
    ],
)
def test_a_change_of_what_a_stage_runs_changes_its_key(root, file, old, new):
    assert edit_changes_digest(root, "tasks.numbers", "make", file, old, new)


@pytest.mark.parametrize("package", ["latentflix", "latentflix/deep"])
def test_a_change_of_a_package_that_is_imported_on_the_way_changes_the_key(root, package):
    before = digest(root, "tasks.numbers", "make")
    (root / package / "__init__.py").write_text("from latentflix.elsewhere import n\n")
    assert digest(root, "tasks.numbers", "make") != before
    assert edit_changes_digest(root, "tasks.numbers", "make", "latentflix/elsewhere.py", "n = 1", "n = 2")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("latentflix/elsewhere.py", "n = 1", "n = 2"),
        ("tasks/numbers.py", "    return n\n", "    return -n\n"),
        ("tasks/stage.py", "lambda make: make", "lambda make: print(name) or make"),
        ("tasks/numbers.py", "@stage('numbers')", "@stage('letters')"),
        ("latentflix/deep/numbers.py", "n = 1", "# one\n\n\nn = (\n    1\n)"),
        ("latentflix/readers.py", "    return 2", '    """Return two."""\n    return 2'),
    ],
    ids=["a module not imported", "another stage's helper", "the decorator", "its arguments", "layout", "a docstring"],
)
def test_a_change_of_anything_else_leaves_the_key(root, file, old, new):
    assert not edit_changes_digest(root, "tasks.numbers", "make", file, old, new)


@pytest.mark.parametrize(
    "statement",
    [
        "from latentflix.deep.numbers import n as work",
        "from latentflix.deep import numbers as work",
        "import latentflix.deep.numbers as work",
    ],
)
def test_every_way_to_import_counts(root, statement):
    edit(root / "tasks/numbers.py", "from latentflix.work import work", statement)
    assert edit_changes_digest(root, "tasks.numbers", "make", "latentflix/deep/numbers.py", "n = 1", "n = 2")


def test_a_function_within_another_has_no_key(root):
    with pytest.raises(ValueError, match=r"tasks.numbers.inner is not defined at the top level of its module"):
        digest(root, "tasks.numbers", "inner")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in ("latentflix", "tasks"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(
    ("module", "stage", "data"),
    [
        ("tasks.data", "fetch_data_set", "data/ml100k_imdb_ids.csv"),
        ("tasks.reviews", "join_reviews", "data/imdb_train_review_titles.parquet"),
        ("tasks.report", "write_report", "report/templates/report.html"),
        ("tasks.report", "write_report", "report/templates/page.css"),
        ("tasks.report", "write_report", "report/templates/charts.html"),
        ("tasks.report", "write_report", "report/templates/factors.html"),
    ],
)
def test_a_change_of_the_data_that_a_stage_reads_changes_its_key(copy, module, stage, data):
    before = digest(copy, module, stage)
    path = copy / "latentflix" / data
    path.write_bytes(path.read_bytes() + b"\n")
    assert digest(copy, module, stage) != before


def test_a_change_in_how_a_stage_reads_its_inputs_changes_its_key(copy):
    old = "return self.read_arrays(handle, name)[name]"
    assert edit_changes_digest(copy, "tasks.classifiers", "train_fold", "latentflix/artifacts.py", old, "return None")


def test_counting_votes_does_not_depend_on_how_networks_are_trained(copy):
    edited = ("latentflix/text/distributed.py", "import os\n", "import os\n\nCHANGED = True\n")
    assert not edit_changes_digest(copy, "tasks.factors", "count_votes", *edited)


def test_a_stage_that_only_counts_does_not_depend_on_the_networks():
    labels, training = (source_digest(stage.make) for stage in (factors.label, text_tasks.train))
    assert labels != training
