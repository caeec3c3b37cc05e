import subprocess
import sys

import pytest

from latentflix.commands import main


@pytest.mark.parametrize(("command", "option"), [("genres", "--plot-column"), ("sentiment", "--text-column")])
def test_help_is_there_before_anything_heavy_is_imported(command, option):
    program = (
        "import sys; from latentflix.commands import app; "
        f"app(['{command}', '--help'], standalone_mode=False); print({{'torch', 'pandas'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert option in done.stdout
    assert done.stdout.endswith("set()\n")


@pytest.mark.parametrize("command", ["genres", "sentiment"])
def test_an_error_is_one_line_and_exit_code_1(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["latentflix", command, "a text"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith(f"latentflix: no model of {command} was trained yet")
    assert error.count("\n") == 1
