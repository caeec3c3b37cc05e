import json

import latentflix.cli.diagnostics
from latentflix.cli.diagnostics import CheckResult
from tests.support.cli import run_command


def test_parts_are_shown_also_in_json_and_a_broken_one_is_a_failure_but_a_missing_one_is_not(monkeypatch):
    found = [CheckResult("python", "3.12", "works", "here"), CheckResult("torch", "2.14", "missing", "no GPU")]
    monkeypatch.setattr(latentflix.cli.diagnostics, "check_all", lambda *_: found)
    result = run_command("doctor")
    assert result.code == 0
    assert [line.split() for line in result.output.splitlines()[2:]] == [
        ["python", "3.12", "works", "here"],
        ["torch", "2.14", "missing", "no", "GPU"],
    ]
    found.append(CheckResult("disk", "artifacts", "broken", "full"))
    result = run_command("doctor", "--json")
    assert (result.code, result.error) == (1, "")
    assert json.loads(result.output)[-1] == {"part": "disk", "name": "artifacts", "state": "broken", "detail": "full"}
