import re

import numpy as np
import pandas as pd

from latentflix.factors.meanings.llm_names import LlmNames
from latentflix.report.formatting import PAGE, Nouns
from latentflix.report.inputs import ReportConfig
from latentflix.report.llm_names import llm_section
from latentflix.report.page import build_report
from tests.support.factories.report import HANDLER, SCRIPT, make_inputs
from tests.support.html import text_of

COLUMNS = ["label", "phrase", "rho", "rho_low", "rho_high", "p", "q", "shown_rho", "words_rho", "note"]


def make_found(rows, model="a-model"):
    exchanges = pd.DataFrame(columns=["axis", "prompt", "answer", "note", "seconds"])
    return LlmNames(pd.DataFrame(rows, columns=COLUMNS), exchanges, np.arange(3, dtype=np.int32), 1200, model)


FOUND = make_found(
    [
        ("1-", "slow", 0.05, -0.1, 0.2, 0.3, 0.3, 0.2, np.nan, ""),
        ("1+", f"war {SCRIPT}", 0.41, 0.3, 0.5, 0.0005, 0.001, 0.35, 0.38, ""),
        ("2+", "", np.nan, np.nan, np.nan, np.nan, np.nan, 0.1, np.nan, f"status 500 {HANDLER}"),
        ("2-", "", np.nan, np.nan, np.nan, np.nan, np.nan, 0.1, np.nan, f"status 500 {HANDLER}"),
    ],
    model=f"m{HANDLER}",
)


def test_each_phrase_stands_with_its_score_beside_that_of_the_words():
    html = str(llm_section(FOUND, {"1+": f"of words {SCRIPT}", "1-": ""}, Nouns("book", "books")))
    rows = [text_of(row) for row in re.findall("<tr>.*?</tr>", html, re.DOTALL)][1:]
    assert rows == [
        f"1+ war {SCRIPT} 0.41 [0.30, 0.50] 0.0005 yes 0.35 0.38 of words {SCRIPT}",
        "1- slow 0.05 [-0.10, 0.20] 0.3000 no 0.20 –",
    ]
    assert "1 of 2 phrases score above chance" in html
    text = text_of(html)
    assert "words, titles and passages of 3 books" in text
    assert "tested on the other 1,200 books" in text
    assert f"2+, 2-: status 500 {HANDLER}." in text
    assert SCRIPT not in html
    assert "<img" not in html


def test_without_a_phrase_the_section_says_why():
    found = make_found([("1+", "", *[np.nan] * 7, "the server answered with status 500")])
    text = text_of(llm_section(found, {}, Nouns()))
    assert "No phrase could be tested." in text
    assert "1+: the server answered with status 500." in text
    assert "No phrase could be tested." in text_of(llm_section(make_found([]), {}, Nouns()))


def test_the_page_has_the_section_only_if_a_model_was_asked(tmp_path):
    for place, llm_names in enumerate(([], [FOUND])):
        folder = tmp_path / str(place)
        folder.mkdir()
        build_report(folder, make_inputs(llm_names=llm_names), ReportConfig())
        page = (folder / PAGE).read_text(encoding="utf-8")
        assert page.count('<section id="llm-names"') == place
        assert page.count('<a href="#llm-names">Names from a language model</a>') == place
