import json
import re

import numpy as np
import pandas as pd
import pytest

from latentflix.factors.meanings.chat import Answer
from latentflix.factors.meanings.llm_names import LlmConfig, name_by_model
from tests.support.factories.meanings import make_planted

CONFIG = LlmConfig(address="http://here", model="m", permutations=400, bootstraps=50)
NO_TESTS = pd.DataFrame(columns=["rho"])
STABLE = pd.Series({"A": True, "B": True})


@pytest.fixture(scope="module")
def planted():
    return make_planted(n_items=80)


def name(planted, ask, stable=STABLE, tests=NO_TESTS, **changed):
    _, documents, positions = planted
    return name_by_model(documents, positions, stable, tests, ask, CONFIG.model_copy(update=changed))


def repeat_words(prompt):
    """Answer with the first words that are shown of each pole."""
    plus, minus = (" ".join(words.split(", ")[:3]) for words in re.findall("Words: (.*)", prompt))
    return Answer(json.dumps({"+": plus, "-": minus}))


def test_phrases_are_tested_on_items_that_the_model_was_not_shown(planted):
    world, documents, _ = planted
    tests = pd.DataFrame({"rho": [0.7]}, index=["A+"])
    found = name(planted, repeat_words, tests=tests)
    table = found.phrases.set_index("label")
    assert list(table.index) == ["A+", "A-", "B+", "B-"]
    assert (table["rho"] > 0.4).all()
    assert (table["p"] < 0.02).all()
    assert (table["q"] >= table["p"]).all()
    assert (table["rho_low"] < table["rho"]).all()
    assert (table["shown_rho"] > table["rho"] - 0.2).all()
    assert table["words_rho"].fillna(0).tolist() == [0.7, 0, 0, 0]
    assert (table["note"] == "").all()
    assert all(
        set(table.loc[f"{factor}{pole}", "phrase"].split()) <= set(words)
        for (factor, pole), words in world.words.items()
    )
    assert found.items == 80 - len(found.shown) == 40
    kept = documents.items.drop(found.shown)
    prompts = " ".join(found.exchanges["prompt"])
    assert [title for title in kept["title"] if title in prompts] == []
    assert found.summary() == {"asked": 2, "unanswered": 0, "phrases": 4, "tested": 4}


def test_phrases_that_say_nothing_of_a_factor_have_no_score_above_chance(planted):
    words = planted[0].words["B", "+"]
    found = name(planted, lambda _: Answer(json.dumps({"+": words[0], "-": words[1]})), pd.Series({"A": True}))
    assert (found.phrases["q"] > 0.05).all()


def test_what_is_shown_is_words_titles_and_short_passages(planted):
    (prompt,) = name(planted, repeat_words, pd.Series({"A": True}), n_words=3, n_titles=2, n_passages=1).exchanges[
        "prompt"
    ]
    shown = prompt[prompt.index("Pole +") :]
    assert [len(words.split(", ")) for words in re.findall("Words: (.*)", shown)] == [3, 3]
    assert [len(titles.split("; ")) for titles in re.findall("Items: (.*)", shown)] == [2, 2]
    passages = re.findall('Passage: "(.*)"', shown)
    assert len(passages) == 2
    assert max(map(len, passages)) <= 200
    assert '{"+": "a phrase", "-": "a phrase"}' in prompt


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (Answer(note="the server answered with status 500"), "the server answered with status 500"),
        (Answer("I would rather not."), "the answer has no phrase for this pole"),
        (Answer('{"+": "<script>alert(1)</script>", "-": "**"}'), "the answer has an empty phrase"),
        (Answer('{"+": "zzz", "-": "qqq"}'), "no text of this run uses a word of the phrase"),
        (Answer(json.dumps({"+": "x" * 90, "-": "y" * 90})), "the phrase is longer than 80 characters"),
    ],
)
def test_whatever_is_answered_costs_its_own_phrase_only(planted, answer, note):
    answers = iter([answer, None])
    found = name(planted, lambda prompt: next(answers) or repeat_words(prompt))
    table = found.phrases
    assert table["note"].str.startswith(note).tolist() == [True, True, False, False]
    assert table["rho"].notna().tolist() == [False, False, True, True]
    assert found.exchanges["answer"].tolist()[0] == answer.text
    assert not table["phrase"].str.contains("script").any()


def test_as_many_phrases_are_asked_for_as_the_settings_allow_and_none_of_unstable_factors(planted):
    asked = []

    def ask(prompt):
        asked.append(prompt)
        return Answer("")

    name(planted, ask, max_phrases=3)
    assert len(asked) == 1
    found = name(planted, ask, pd.Series({"A": False, "B": False}))
    assert len(asked) == 1
    assert (len(found.phrases), len(found.exchanges)) == (0, 0)
    assert found.summary() == {"asked": 0, "unanswered": 0, "phrases": 0, "tested": 0}


def test_too_few_items_to_test_on_are_noted():
    found = name(make_planted(n_items=12), repeat_words)
    assert found.phrases["note"].str.startswith("there are too few items to test a phrase on").all()
    assert np.isnan(found.phrases["rho"].astype(float)).all()
