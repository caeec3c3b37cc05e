import json
import webbrowser

import pytest

from latentflix.artifacts import Store
from tests.support.cli import complain, say
from tests.support.factories.run import write_run


@pytest.fixture
def artifacts(tmp_path):
    write_run(Store(tmp_path))
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    pages = []
    monkeypatch.setattr(webbrowser, "open", pages.append)
    return pages


def test_the_report_is_opened_and_its_path_printed(artifacts, opened):
    page = artifacts / "report" / ("a" * 20) / "index.html"
    assert say("report", "--artifacts-dir", artifacts) == f"{page}\n"
    assert opened == [page.as_uri()]


def test_it_may_be_printed_alone(artifacts, opened):
    told = json.loads(say("report", "--no-open", "--json", "--artifacts-dir", artifacts))
    assert told["report"].endswith("index.html")
    assert (told["run"], told["figures"]["auc"]) == ("a" * 20, 0.7)
    assert opened == []


def test_without_a_report_nothing_is_opened(tmp_path, opened):
    assert complain("report", "--artifacts-dir", tmp_path).startswith("latentflix: there is no finished run yet")
    assert opened == []
