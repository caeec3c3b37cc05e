import json

import latentflix.cli.diagnostics
from latentflix.cli.diagnostics import CheckResult
from tests.support.cli import run_command, run_ok


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


def test_clean_says_what_it_removes_and_how_many_bytes(store):
    folder = store.root / "collab" / ".0123-abcd"
    folder.mkdir(parents=True)
    (folder / "value.json").write_bytes(b"1" * 1234)
    listed = json.loads(run_ok("doctor", "--artifacts-dir", store.root, "--json"))
    (detail,) = (each["detail"] for each in listed if each["name"] == "left by killed runs")
    assert detail.endswith(f"{folder} (1,234 bytes, an artifact that was not finished)")
    assert folder.exists()
    output = run_ok("doctor", "--clean", "--artifacts-dir", store.root)
    assert str(folder) in output
    assert output.endswith(f"removed 1 folders, 1,234 bytes, from {store.root}\n")
    assert not folder.exists()
    assert json.loads(run_ok("doctor", "--clean", "--artifacts-dir", store.root, "--json")) == []
