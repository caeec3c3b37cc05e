import json

import pytest

import latentflix.cli.diagnostics
from latentflix.cli.diagnostics import CheckResult
from tests.support.cli import run_command


@pytest.fixture
def found(monkeypatch):
    results = [CheckResult("python", "3.12", "works", "here"), CheckResult("torch", "2.14", "missing", "no GPU")]
    monkeypatch.setattr(latentflix.cli.diagnostics, "check_all", lambda _: results)
    return results


def test_missing_parts_are_shown_and_are_no_failure(found):
    result = run_command("doctor")
    assert result.code == 0
    assert [line.split() for line in result.output.splitlines()[2:]] == [
        ["python", "3.12", "works", "here"],
        ["torch", "2.14", "missing", "no", "GPU"],
    ]


def test_a_broken_part_is_a_failure_and_json_shows_the_same(found):
    found.append(CheckResult("disk", "artifacts", "broken", "full"))
    result = run_command("doctor", "--json")
    assert result.code == 1
    assert json.loads(result.output)[-1] == {"part": "disk", "name": "artifacts", "state": "broken", "detail": "full"}
    assert result.error == ""
