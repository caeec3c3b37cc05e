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
from tests.support.cli import call, complain, say
from tests.support.factories.run import write_run

ROOT = Path(__file__).parents[2]
MAIN = "import sys; from latentflix.cli.main import main; sys.argv[0] = 'latentflix'; main()"
# What takes long to import, and what may ask no more than it needs.
HEAVY = ("torch", "fastai", "prefect", "scipy", "sklearn", "matplotlib", "spacy", "bokeh", "httpx")
TABLES = ("pandas", "pyarrow", "numpy")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    write_run(Store(folder))
    return folder


def commands(group=app):
    """Every command, as it is typed."""
    for command in group.registered_commands:
        yield command.name or command.callback.__name__
    for part in group.registered_groups:
        yield from (f"{part.name} {name}" for name in commands(part.typer_instance))


def own_options():
    """The commands that do not leave their options to a flow."""
    return sorted(set(commands()) - {"run", "reviews refresh"})


def imported_by(*arguments):
    """The packages that the command has imported when it ends."""
    program = (
        "import sys\nfrom latentflix.cli.main import app\n"
        f"app({list(arguments)!r}, standalone_mode=False)\n"
        "print('\\n' + ' '.join({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [[], *map(str.split, own_options())], ids=" ".join)
def test_help_is_there_before_anything_heavy_is_imported(arguments):
    assert imported_by(*arguments, "--help").isdisjoint({*HEAVY, *TABLES})


@pytest.mark.parametrize(
    "arguments",
    [["factors"], ["explain", "the matrix"], ["similar", "the matrix"], ["report", "--no-open"], ["runs", "list"]],
    ids=" ".join,
)
def test_a_question_that_tables_answer_imports_nothing_heavy(arguments, artifacts):
    assert imported_by(*arguments, "--artifacts-dir", str(artifacts)).isdisjoint(HEAVY)


def test_a_item_that_is_unknown_is_told_without_anything_heavy(artifacts):
    program = f"{MAIN[: MAIN.index('main()')]}\ntry: main()\nfinally: print(*sys.modules)"
    arguments = ["explain", "nothing", "--artifacts-dir", str(artifacts)]
    done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert {name.split(".")[0] for name in done.stdout.split()}.isdisjoint(HEAVY)


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


def test_every_option_is_documented_that_a_command_of_its_own_has():
    text = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    for name in own_options():
        options = set(re.findall(r"(--[a-z][a-z-]+)", say(*name.split(), "--help"))) - {"--help"}
        assert options - set(re.findall(r"(--[a-z][a-z-]+)", text)) == set(), name


@pytest.mark.parametrize("command", ["genres", "sentiment"])
def test_an_error_is_one_line_and_exit_code_1(command, tmp_path):
    error = complain(command, "a text", "--artifacts-dir", tmp_path)
    assert error.startswith(f"latentflix: no model of {command} was trained yet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["factor"], "latentflix: No such command 'factor'."),
        (["factors", "--nonsense"], "latentflix: No such option: --nonsense"),
        (["explain"], "latentflix: Missing argument 'film'. See latentflix explain --help"),
        (["similar", "x", "--top", "none"], "latentflix: Invalid value for '--top'"),
        (["runs"], "latentflix: Missing command. See latentflix runs --help"),
    ],
)
def test_a_question_asked_wrongly_is_one_line_and_exit_code_2(arguments, message):
    assert complain(*arguments, code=2).startswith(message)


def test_an_error_that_nobody_foresaw_is_one_line_too(artifacts, monkeypatch):
    monkeypatch.setattr(latentflix.report.summaries, "summarise_factors", lambda *_: 1 / 0)
    error = complain("factors", "--artifacts-dir", artifacts)
    assert error.startswith("latentflix: an error that nobody foresaw; found: ZeroDivisionError: division by zero; ")
    assert "latentflix --verbose" in error


def test_verbose_shows_where_an_error_comes_from(tmp_path):
    ended = call("--verbose", "factors", "--artifacts-dir", tmp_path)
    assert ended.code == 1
    assert "Traceback (most recent call last)" in ended.error
    assert ended.error.splitlines()[-1].startswith("latentflix: there is no finished run yet")
    assert logging.getLogger("latentflix").level == logging.DEBUG
    assert "Traceback" not in call("factors", "--artifacts-dir", tmp_path).error


def test_without_a_command_there_is_help():
    assert "explain" in say()
    assert say() == say("--help")


def test_a_reader_who_has_seen_enough_costs_no_traceback(artifacts):
    """What is written to a pipe that nobody reads any more."""
    for arguments in (["factors"], ["factors", "--json"], ["--help"]):
        reads, writes = os.pipe()
        os.close(reads)
        command = [sys.executable, "-c", MAIN, *arguments]
        if arguments != ["--help"]:
            command += ["--artifacts-dir", str(artifacts)]
        done = subprocess.run(command, cwd=ROOT, stdout=writes, stderr=subprocess.PIPE, text=True)
        os.close(writes)
        assert (done.returncode, done.stderr) == (1, "")


def test_shells_can_complete_commands():
    environment = {
        **os.environ,
        "_LATENTFLIX_COMPLETE": "complete_bash",
        "COMP_WORDS": "latentflix ex",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([sys.executable, "-c", MAIN], cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["explain"]
