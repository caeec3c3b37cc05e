import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from latentflix.findings import ReportConfig
from latentflix.report_films import reported_films, write_films
from tests.pages import Page
from tests.small_findings import HANDLER, make_findings


@pytest.fixture
def written(tmp_path):
    return tmp_path, str(write_films(tmp_path, make_findings(), ReportConfig()))


def test_every_film_with_reviews_has_its_section_the_most_reviewed_first(written):
    page = Page(written[1])
    assert page.attributes("data-title") == [
        'beta <img src=x onerror="alert(2)"> (1991)',
        "alpha (1990)",
        "gamma & co (1992)",
    ]
    assert [name for name in page.attributes("id") if name.startswith("film-") and name != "film-list"] == [
        *("film-7", "film-3", "film-12")
    ]
    assert "2 reviews, 60 ratings" in page.text
    assert "1 review, 50 ratings" in page.text


def test_a_film_leads_to_its_factors(written):
    section = re.search(r'<li class="card" id="film-3".*?</li>', written[1], re.DOTALL).group(0)
    assert re.findall(r'<a href="#factor-(\d)" title="name of [^"]*">([^<]*)</a>', section) == [
        ("1", "1+"),
        ("2", "2-"),
    ]


def test_every_film_has_a_picture_that_is_loaded_when_it_comes_into_view(written):
    folder, html = written
    pictures = [attrs for tag, attrs in Page(html).tags if tag == "img"]
    assert [attrs["src"] for attrs in pictures] == ["films/7.png", "films/3.png", "films/12.png"]
    assert {attrs["loading"] for attrs in pictures} == {"lazy"}
    for attrs in pictures:
        width, height = Image.open(folder / attrs["src"]).size
        assert (attrs["width"], attrs["height"]) == (str(width), str(height))
    assert pictures[0]["alt"] == f"Predicted labels over the reviews of Beta {HANDLER} (1991), with and without 2+"


def test_a_label_too_rare_to_learn_has_no_bar(tmp_path):
    findings = make_findings()
    rare = pd.DataFrame({"films": [2]}, index=pd.Index(["1-"], name="label"))
    findings = make_findings(rare=rare, shares=findings.shares[findings.shares["label"] != "1-"])
    films = {film.movie_id: film for film in reported_films(findings, ReportConfig())}
    assert films[7].labels == ["1-", "2-"]
    assert films[7].histogram.own.tolist() == [False, False, True]
    text = Page(str(write_films(tmp_path, findings, ReportConfig()))).text
    assert "No bar for 1-: too few films with reviews carry it." in text


def test_there_is_a_poster_of_all_films(written):
    folder, html = written
    size = Image.open(folder / "films.png").size
    assert re.search(r'<a href="films.png">All 3 films as one picture', html)
    assert f"{size[0]:,} × {size[1]:,} dots" in html


def test_titles_are_shown_and_never_run(written):
    page = Page(written[1])
    assert not page.attributes("onerror")
    assert HANDLER in page.text


def test_films_with_too_few_reviews_are_left_out(tmp_path):
    html = write_films(tmp_path, make_findings(), ReportConfig(min_reviews=2))
    assert [path.name for path in (tmp_path / "films").iterdir()] == ["7.png"]
    assert len(Page(html).attributes("data-title")) == 1


def test_a_page_without_any_film_has_no_poster(tmp_path):
    html = write_films(tmp_path, make_findings(), ReportConfig(min_reviews=5))
    assert "films.png" not in html
    assert list((tmp_path / "films").iterdir()) == []


def test_a_histogram_has_the_shares_and_own_labels_of_its_film():
    findings = make_findings()
    shares = findings.shares.assign(share=np.arange(12) / 12, share_without=np.arange(12) / 24)
    films = {film.movie_id: film for film in reported_films(make_findings(shares=shares), ReportConfig())}
    histogram = films[7].histogram
    assert histogram.before == pytest.approx(np.arange(4, 8) / 12)
    assert histogram.after == pytest.approx(np.arange(4, 8) / 24)
    assert histogram.own.tolist() == [False, True, False, True]
