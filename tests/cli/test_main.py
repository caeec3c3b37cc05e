import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import latentflix.report.summaries
from latentflix.artifacts import Store
from latentflix.cli.main import app
from tests.support.cli import run_command, run_error, run_ok
from tests.support.factories.run import TEXT, write_run

ROOT = Path(__file__).parents[2]
MAIN = "import sys; from latentflix.cli.main import main; sys.argv[0] = 'latentflix'; main()"
# What takes long to import.
HEAVY = ("torch", "fastai", "prefect", "scipy", "sklearn", "matplotlib", "spacy", "bokeh", "httpx")
TABLES = ("pandas", "pyarrow", "numpy")


def commands(group=app):
    """Every command, as it is typed."""
    for command in group.registered_commands:
        yield command.name or command.callback.__name__
    for part in group.registered_groups:
        yield from (f"{part.name} {name}" for name in commands(part.typer_instance))


def own_options():
    """The commands that do not leave their options to a flow."""
    return sorted(set(commands()) - {"run", "reviews refresh"})


def run_python(program, *arguments, **options):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **{"cwd": ROOT, **options})


def imported_by(*arguments, code=0):
    """The packages that the command has imported when it ends."""
    program = f"{MAIN[: MAIN.index('main()')]}\ntry: main()\nfinally: print('\\n' + ' '.join(sys.modules))"
    done = run_python(program, *arguments)
    assert done.returncode == code, done.stderr
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("arguments", [[], *map(str.split, own_options())], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    assert imported_by(*arguments, "--help").isdisjoint({*HEAVY, *TABLES})


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        *((command, 0) for command in ("factors", "report --no-open", "runs list")),
        *((f"{command} matrix", 0) for command in ("explain", "similar")),
        ("explain nothing", 1),
    ],
)
def test_commands_that_only_read_tables_import_nothing_heavy(arguments, code, artifacts):
    assert imported_by(*arguments.split(), *artifacts, code=code).isdisjoint(HEAVY)


def test_positions_are_predicted_without_the_network(artifacts):
    assert imported_by("predict", TEXT, *artifacts).isdisjoint({*HEAVY} - {"sklearn", "scipy"})


@pytest.mark.parametrize(
    ("command", "flow", "option"),
    [("run", "full", "--collab.epochs"), ("reviews refresh", "refresh_reviews", "--refresh.workers")],
)
def test_a_flow_takes_its_own_options_in_any_folder(tmp_path, command, flow, option):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").write_text("raise SystemExit('these are other flows')")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path)}
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {MAIN}"
    done = run_python(program, *command.split(), option, 0, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    expected = f"python -m flows.{flow}: a setting cannot be used; where: {option}"
    assert done.stderr.splitlines()[-1].startswith(expected)


def test_every_command_is_documented_and_every_documented_one_exists():
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    typed = [line for text in texts for line in re.findall(r"^\$ latentflix ([^\n#]*)", text, re.MULTILINE)]
    typed += [line for text in texts for line in re.findall(r"`latentflix ([^`]*)`", text)]
    known = set(commands())
    documented = {
        next((name for name in known if f"{line} ".startswith(f"{name} ")), line)
        for line in (" ".join(line.split()) for line in typed)
        if not line.startswith("--")
    }
    groups = {name.split()[0] for name in known if " " in name}
    assert documented - groups == known


def test_every_option_is_documented():
    text = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    for name in own_options():
        options = set(re.findall(r"(--[a-z][a-z-]+)", run_ok(*name.split(), "--help"))) - {"--help"}
        assert options - set(re.findall(r"(--[a-z][a-z-]+)", text)) == set(), name


def test_commands_call_an_item_what_the_report_calls_it(tmp_path):
    write_run(Store(tmp_path), item_noun="story", item_nouns="stories")
    asked = (["factors"], ["factors", "1"], ["explain", "the matrix"], ["similar", "the matrix"], ["runs", "list"])
    asked = (*asked, ["predict", "--network", TEXT])
    outputs = [run_ok(*arguments, "--artifacts-dir", tmp_path) for arguments in asked]
    assert [output for output in outputs if "film" in output.lower()] == []
    nouns = [set(re.findall("story|stories", output)) for output in outputs]
    assert nouns == [{"stories"}, {"stories"}, set(), {"story"}, {"stories"}, {"stories"}]


@pytest.mark.parametrize("command", ["genres", "sentiment"])
def test_an_error_is_one_line_and_exit_code_1(command, tmp_path):
    error = run_error(command, "a text", "--artifacts-dir", tmp_path)
    assert error.startswith(f"latentflix: no model of {command} was trained yet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["factor"], "latentflix: No such command 'factor'."),
        (["factors", "--nonsense"], "latentflix: No such option: --nonsense"),
        (["explain"], "latentflix: Missing argument 'item'. See latentflix explain --help"),
        (["similar", "x", "--top", "none"], "latentflix: Invalid value for '--top'"),
        (["runs"], "latentflix: Missing command. See latentflix runs --help"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, message):
    assert run_error(*arguments, code=2).startswith(message)


def test_an_unexpected_error_is_one_line_too(artifacts, monkeypatch):
    monkeypatch.setattr(latentflix.report.summaries, "summarise_factors", lambda *_: 1 / 0)
    error = run_error("factors", *artifacts)
    assert error.startswith("latentflix: an unexpected error; found: ZeroDivisionError: division by zero; ")
    assert "latentflix --verbose" in error


def test_verbose_shows_where_an_error_comes_from(tmp_path):
    result = run_command("--verbose", "factors", "--artifacts-dir", tmp_path)
    assert result.code == 1
    assert "Traceback (most recent call last)" in result.error
    assert result.error.splitlines()[-1].startswith("latentflix: there is no finished run yet")
    assert logging.getLogger("latentflix").level == logging.DEBUG
    assert "Traceback" not in run_command("factors", "--artifacts-dir", tmp_path).error


def test_without_a_command_there_is_help():
    assert "explain" in run_ok()
    assert run_ok() == run_ok("--help")


def test_a_closed_pipe_causes_no_traceback(artifacts):
    for arguments in (["factors"], ["factors", "--json"], ["--help"]):
        reads, writes = os.pipe()
        os.close(reads)
        command = [sys.executable, "-c", MAIN, *arguments]
        if arguments != ["--help"]:
            command += map(str, artifacts)
        done = subprocess.run(command, cwd=ROOT, stdout=writes, stderr=subprocess.PIPE, text=True)
        os.close(writes)
        assert (done.returncode, done.stderr) == (1, "")


def test_shells_can_complete_commands():
    typed = {"_LATENTFLIX_COMPLETE": "complete_bash", "COMP_WORDS": "latentflix ex", "COMP_CWORD": "1"}
    done = run_python(MAIN, env=os.environ | typed)
    assert done.stdout.split() == ["explain"]
