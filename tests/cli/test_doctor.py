import json

import pytest

import latentflix.cli.diagnostics
from latentflix.cli.diagnostics import CheckResult
from tests.support.cli import call

FINE = [CheckResult("python", "3.12", "works", "here"), CheckResult("torch", "2.14", "missing", "no GPU")]


@pytest.fixture
def found(monkeypatch):
    findings = list(FINE)
    monkeypatch.setattr(latentflix.cli.diagnostics, "examine", lambda _: findings)
    return findings


def test_what_is_missing_is_shown_and_no_failure(found):
    ended = call("doctor")
    assert ended.code == 0
    assert [line.split() for line in ended.output.splitlines()[2:]] == [
        ["python", "3.12", "works", "here"],
        ["torch", "2.14", "missing", "no", "GPU"],
    ]


def test_what_is_broken_is_a_failure_and_json_says_the_same(found):
    found.append(CheckResult("disk", "artifacts", "broken", "full"))
    ended = call("doctor", "--json")
    assert ended.code == 1
    assert json.loads(ended.output)[-1] == {"part": "disk", "name": "artifacts", "state": "broken", "detail": "full"}
    assert ended.error == ""
