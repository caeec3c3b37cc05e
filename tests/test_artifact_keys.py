"""What the key of an artifact hangs on."""

import shutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from latentflix import artifacts
from latentflix.artifacts import Handle, artifact_key
from latentflix.config import StageConfig, setting

ROOT = Path(__file__).parents[1]
INPUT = Handle(stage="before", key="aaaaaaaaaaaaaaaaaaaa")


class Count(StageConfig):
    n: int = setting(1, "how many")


def key(inputs=(INPUT,), config=None, stage="numbers", modules=(artifacts,)):
    return artifact_key(stage, inputs, config or Count(), modules)


def test_a_key_is_the_same_every_time_and_twenty_digits_long():
    assert key() == key()
    assert len(key()) == 20
    assert set(key()) <= set("0123456789abcdef")


def test_whatever_makes_another_result_makes_another_key():
    other = Handle(stage="before", key="bbbbbbbbbbbbbbbbbbbb")
    keys = {
        key(),
        key(inputs=()),
        key(inputs=(other,)),
        key(inputs=(INPUT, other)),
        key(inputs=(other, INPUT)),
        key(config=Count(n=2)),
        key(stage="letters"),
        key(modules=(artifacts, import_module("latentflix.data.ratings"))),
    }
    assert len(keys) == 8


def source_key(monkeypatch, package, name):
    monkeypatch.setattr(artifacts, "_PACKAGE", package)
    artifacts._source_digest.cache_clear()
    module = ModuleType(name)
    module.__file__ = str(package / f"{name}.py")
    try:
        return key(modules=(module,))
    finally:
        artifacts._source_digest.cache_clear()


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "latentflix"
    folder.mkdir()
    (folder / "stage.py").write_text("from latentflix.middle import work\n\nresult = work()\n")
    (folder / "middle.py").write_text("def work():\n    from latentflix.deep import n\n\n    return n\n")
    (folder / "deep.py").write_text("n = 1\n")
    (folder / "elsewhere.py").write_text("n = 1\n")
    return folder


@pytest.mark.parametrize("name", ["stage", "middle", "deep"])
def test_a_change_of_what_a_stage_imports_changes_the_key(monkeypatch, package, name):
    before = source_key(monkeypatch, package, "stage")
    path = package / f"{name}.py"
    path.write_text(path.read_text() + "more = 2\n")
    assert source_key(monkeypatch, package, "stage") != before


def test_a_change_of_what_a_stage_does_not_import_leaves_the_key(monkeypatch, package):
    before = source_key(monkeypatch, package, "stage")
    (package / "elsewhere.py").write_text("n = 2\n")
    assert source_key(monkeypatch, package, "stage") == before


def test_a_comment_or_a_blank_line_leaves_the_key(monkeypatch, package):
    before = source_key(monkeypatch, package, "stage")
    (package / "deep.py").write_text("# one\n\n\nn = (\n    1\n)\n")
    assert source_key(monkeypatch, package, "stage") == before


@pytest.mark.parametrize(
    "statement",
    [
        "from latentflix.deep import n",
        "from latentflix import deep",
        "import latentflix.deep",
        "import latentflix.deep as d",
    ],
)
def test_every_way_to_import_counts(monkeypatch, package, statement):
    (package / "stage.py").write_text(f"{statement}\n")
    before = source_key(monkeypatch, package, "stage")
    (package / "deep.py").write_text("n = 2\n")
    assert source_key(monkeypatch, package, "stage") != before


@pytest.mark.parametrize(
    ("module", "data"),
    [
        ("movielens", "data/ml100k_imdb_ids.csv"),
        ("reviews", "data/imdb_train_review_titles.parquet"),
        ("report", "templates/report.html"),
        ("report", "templates/page.css"),
        ("report", "templates/charts.html"),
        ("report", "templates/factors.html"),
    ],
)
def test_a_change_of_the_data_that_a_module_reads_changes_the_key(monkeypatch, tmp_path, module, data):
    copy = tmp_path / "latentflix"
    shutil.copytree(ROOT / "latentflix", copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = source_key(monkeypatch, copy, module)
    (copy / data).write_bytes((copy / data).read_bytes() + b"\n")
    assert source_key(monkeypatch, copy, module) != before
