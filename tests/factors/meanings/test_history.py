import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from latentflix.errors import ArtifactError
from latentflix.factors.meanings.history import TestedMeaning, add_meaning, count_meanings, read_meanings

ROOT = Path(__file__).parents[3]
ADD = """
import sys
from pathlib import Path
from latentflix.factors.meanings.history import TestedMeaning, add_meaning
for number in range(200):
    phrase = f"{sys.argv[2]} {number} " + "long " * 2000
    add_meaning(Path(sys.argv[1]), TestedMeaning(phrase=phrase, axis="1", pole="+", by="words", rho=0.5, p=0.01))
"""


def meaning(phrase, axis="1", pole="+", by="words", p=0.5):
    return TestedMeaning(phrase=phrase, axis=axis, pole=pole, by=by, rho=0.1, p=p)


def test_meanings_are_kept_in_their_order_with_what_was_found_when_and_by_whom(tmp_path):
    path = tmp_path / "meanings" / "run.jsonl"
    assert read_meanings(path) == []
    first, second = meaning("funny\nor not"), meaning("喜剧").model_copy(update={"rho": None, "tested_by": "a model"})
    for each in (first, second):
        add_meaning(path, each)
    assert read_meanings(path) == [first, second]
    written = json.loads(path.read_text().splitlines()[0])
    assert set(written) == {"phrase", "axis", "pole", "by", "rho", "p", "tested_at", "tested_by"}
    assert (written["tested_by"], written["tested_at"][-1]) == ("user", "Z")


def test_a_question_that_was_asked_before_does_not_count_again():
    tested = [meaning("Funny"), meaning("sad"), meaning("funny")]
    count = count_meanings(tested, meaning("funny", p=0.1))
    assert (count.number, count.tested, count.expected_by_chance) == (1, 2, pytest.approx(0.1))
    others = (meaning("new"), meaning("funny", axis="2"), meaning("funny", pole="-"), meaning("funny", by="sentences"))
    assert [(count.number, count.tested) for count in (count_meanings(tested, each) for each in others)] == [(3, 3)] * 4
    # For all factors, the pole is what was found, not what was asked.
    tried = [meaning("funny", axis="", pole="3+")]
    assert count_meanings(tried, meaning("funny", axis="", pole="4-")).tested == 1


def test_broken_lines_are_left_out_with_a_warning_and_spoil_no_other(tmp_path, caplog):
    path = tmp_path / "run.jsonl"
    add_meaning(path, meaning("first"))
    with path.open("ab") as file:
        file.write(b'\xff\xfe\n[]\n{"phrase": "cut o')
    add_meaning(path, meaning("last"))
    with caplog.at_level(logging.WARNING):
        assert [each.phrase for each in read_meanings(path)] == ["first", "last"]
    assert [message.rpartition(", ")[2] for message in caplog.messages] == ["line 2", "line 3", "line 4"]
    assert f"does not count; where: {path}" in caplog.text


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "meanings").write_text("not a folder")
    with pytest.raises(ArtifactError, match="cannot be counted; where: .*expected: a folder with free space"):
        add_meaning(tmp_path / "meanings" / "run.jsonl", meaning("x"))


def test_two_processes_that_add_at_once_lose_nothing(tmp_path):
    path = tmp_path / "run.jsonl"
    processes = [subprocess.Popen([sys.executable, "-c", ADD, str(path), name], cwd=ROOT) for name in ("one", "two")]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    found = [" ".join(each.phrase.split()[:2]) for each in read_meanings(path)]
    assert sorted(found) == sorted(f"{name} {number}" for name in ("one", "two") for number in range(200))
