"""The package as users install it: a wheel in an environment of its own, used from an empty folder."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from latentflix.artifacts import file_sha256
from tests.support.small_settings import as_arguments
from tests.support.synthetic_run import HASTY, write_ratings
from tests.support.synthetic_world import make_world

ROOT = Path(__file__).parents[1]
PACKAGES = ("latentflix", "tasks", "flows")
# Python imports this when it starts in the new environment: a few reviews take the place of the corpus.
FEW_REVIEWS = """
import os

folder = os.environ.get("SYNTHETIC_FOLDER")
if folder:
    import pandas as pd
    from latentflix.data import datasets, download, large_movie

    read = lambda path: {"reviews": pd.read_parquet(path)}
    file = download.SourceFile("reviews.parquet", "", os.environ["SYNTHETIC_HASH"], read)
    datasets.DATA_SETS["imdb_reviews"] = download.DataSet("a few reviews", "", "", (file,))
    large_movie.review_links = lambda: pd.read_parquet(os.path.join(folder, "links.parquet"))
"""


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Run a command in a folder, without the variables that would lead it back to the sources."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PREFECT_"))}
    done = subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `pip wheel .` builds; from a copy, for the build leaves files where the sources are."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(".*", "__pycache__", "artifacts", "build", "*.egg-info")
    shutil.copytree(ROOT, folder / "sources", ignore=ignored)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel"]
    run(*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder / "sources", folder=folder)
    (built,) = folder.glob("latentflix-*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment with the wheel, and with the other packages of this environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    programs = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", programs / "python", "install"]
    run(*pip, "--no-deps", "--no-index", wheel, folder=folder)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    # Without the packages' own .pth files, one of which may name the sources.
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site_packages / "few_reviews.py").write_text(FEW_REVIEWS)
    (site_packages / "others.pth").write_text("\n".join([*others, "import few_reviews"]))
    return programs


def test_the_wheel_has_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if not re.match(r"latentflix-[\d.]+\.dist-info/", name)}
    assert found == expected
    assert {"latentflix/py.typed", "latentflix/report/templates/page.css"} <= found


def test_an_installed_package_runs_in_an_empty_folder(programs: Path, tmp_path: Path) -> None:
    where = "import latentflix, tasks, flows; print(latentflix.__file__, tasks.__file__, flows.__file__)"
    places = run(programs / "python", "-c", where, folder=tmp_path).split()
    assert [Path(place).is_relative_to(programs.parent) for place in places] == [True] * len(PACKAGES)

    world, data, empty = make_world(), tmp_path / "data", tmp_path / "empty"
    data.mkdir()
    empty.mkdir()
    world.reviews.to_parquet(data / "reviews.parquet")
    world.review_films.to_parquet(data / "links.parquet")
    environment = {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "SYNTHETIC_FOLDER": str(data),
        "SYNTHETIC_HASH": f"sha256:{file_sha256(data / 'reviews.parquet')}",
    }
    settings = as_arguments({**HASTY, "ratings_source": write_ratings(world, data)})
    command = [programs / "latentflix", "run", "--json", "--data-dir", data, *settings]
    output = run(*command, folder=empty, **environment)
    result = json.loads(output.splitlines()[-1])
    report = json.loads(run(programs / "latentflix", "report", "--no-open", "--json", folder=empty))
    assert Path(result["report"]) == (empty / report["report"]).resolve()
    assert Path(result["report"]).is_relative_to(empty / "artifacts")
    assert report["figures"]["auc"] == result["headline"]["auc"]
