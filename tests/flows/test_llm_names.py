"""The full flow with a language model that names the poles too, in a world whose factors are known."""

import json
import logging
import re
from pathlib import Path

import pytest

from latentflix.errors import SettingsError
from tests.support.fake_llm import KEY, fake_llm
from tests.support.synthetic_run import Run, copy_stages, run_synthetic
from tests.support.synthetic_world import World


def repeat_words(prompt: str) -> str:
    plus, minus = (" ".join(words.split(", ")[:3]) for words in re.findall("Words: (.*)", prompt))
    return json.dumps({"+": plus, "-": minus})


def run_with(llm_address: str, run: Run, world: World, folder: Path) -> Run:
    copy_stages(run, folder)
    return run_synthetic(world, folder, llm={"address": llm_address, "model": "a-model", "timeout": 5})


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_phrases_of_a_model_stand_on_the_page_with_their_scores(
    synthetic_run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with fake_llm(answer=repeat_words) as llm, caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("LATENTFLIX_LLM_KEY", f"{llm.address} {KEY}")
        run = run_with(llm.address, synthetic_run, world, tmp_path)
        assert [headers["authorization"] for _, headers, _ in llm.requests] == [f"Bearer {KEY}"] * 3
    assert run.made == {"llm_names", "report"}
    phrases = run.table("llm_names", "phrases").set_index("label")
    assert list(phrases.index) == ["1+", "1-", "2+", "2-", "3+", "3-"]
    assert (phrases["rho"] > 0.2).mean() > 0.8
    page = Path(run.result.report).read_text(encoding="utf-8")
    section = re.search(r'<section id="llm-names".*?</section>', page, re.DOTALL)
    assert section
    assert all(f'<td class="words">{phrase}</td>' in section.group(0) for phrase in phrases["phrase"])
    assert KEY.encode() not in contents(tmp_path)
    assert KEY not in caplog.text


def test_a_server_that_fails_costs_the_run_nothing_else(
    synthetic_run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with fake_llm(status=500, body=KEY.encode()) as llm, caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("LATENTFLIX_LLM_KEY", f"{llm.address} {KEY}")
        run = run_with(llm.address, synthetic_run, world, tmp_path)
    assert run.made == {"llm_names", "report"}
    assert set(run.table("llm_names", "phrases")["note"]) == {"the server answered with status 500"}
    page = Path(run.result.report).read_text(encoding="utf-8")
    assert "1+, 1-, 2+, 2-, 3+, 3-: the server answered with status 500." in page
    assert KEY.encode() not in contents(tmp_path)
    assert KEY not in caplog.text


def test_a_run_cannot_have_a_key_sent_to_another_address(
    synthetic_run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LATENTFLIX_LLM_KEY", f"https://llm.example.org {KEY}")
    with (
        fake_llm() as llm,
        caplog.at_level(logging.DEBUG),
        pytest.raises(SettingsError, match="the key of the language model is for another address") as failure,
    ):
        run_with(llm.address, synthetic_run, world, tmp_path)
    assert llm.requests == []
    assert KEY not in caplog.text + str(failure.value)
