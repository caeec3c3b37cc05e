"""How programs start on a console that lacks characters, and on Windows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from latentflix.artifacts import Store
from tests.support.factories.run import write_run

ROOT = Path(__file__).parents[2]
COMMAND = "from latentflix.cli.main import main; main()"
# As `python -m flows.full`, but for what the flow does.
FLOW = """
import sys
from flows.command_line import FlowResult, main
from latentflix.settings import FullSettings

def flow(settings):
    return FlowResult(report="é", headline={}, sentence="rho 0.24 ± 0.07", seconds={}, cached={})

main(flow, FullSettings, "python -m flows.full")
"""


def run(program: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("encoding", ["ascii", "ascii:strict"])
def test_a_character_that_the_console_lacks_is_replaced(tmp_path: Path, encoding: str) -> None:
    write_run(Store(tmp_path))
    arguments = ("factors", "1", "--artifacts-dir", str(tmp_path))
    shown = run(COMMAND, *arguments, PYTHONIOENCODING=encoding)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "factor 1" in shown.stdout
    whole = run(COMMAND, *arguments, "--json", PYTHONIOENCODING="utf-8")
    assert json.loads(run(COMMAND, *arguments, "--json", PYTHONIOENCODING=encoding).stdout) == json.loads(whole.stdout)


def test_the_end_of_a_flow_is_printed_on_any_console() -> None:
    plain = run(FLOW, PYTHONIOENCODING="ascii")
    assert (plain.returncode, plain.stdout) == (0, "report: ?\nrho 0.24 ? 0.07\n")
    assert json.loads(run(FLOW, "--json", PYTHONIOENCODING="ascii").stdout)["sentence"] == "rho 0.24 ± 0.07"


WINDOWS = """
import sys, typer, multiprocessing
sys.platform = "win32"
sys.modules["fcntl"] = None
try:
    {start}
finally:
    assert not {{"torch", "prefect", "pandas"}} & set(sys.modules)
"""


@pytest.mark.parametrize("start", ["from latentflix.cli.main import main; main()", "import flows.full"])
def test_on_windows_a_program_says_that_it_is_not_supported_before_it_imports_anything_heavy(start: str) -> None:
    ended = run(WINDOWS.format(start=start))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert "Windows is not supported; found: win32; expected: Linux or macOS; what to do: use the Wind" in ended.stderr
