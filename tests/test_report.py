import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd

from latentflix.artifacts import Manifest
from latentflix.language_model import LanguageModelConfig
from latentflix.pages import PAGE
from latentflix.report import Findings, ReportConfig, build_report, headline, headline_sentence
from tests.small_study import make_study, make_trials
from tests.test_encoders import compare, make_case

LABELS = ["1+", "1-", "2+", "2-"]
SCRIPT = "<script>alert(1)</script>"
HANDLER = '<img src=x onerror="alert(2)">'
FIGURES = {
    "films": 1234,
    "reviews": 56789,
    "stable_factors": 9,
    "factors": 12,
    "words_auc": 0.5449,
    "auc": 0.6123,
    "auc_low": 0.58,
    "auc_high": 0.6449,
    "auc_null": 0.5001,
    "auc_null_sd": 0.0123,
    "auc_p": 0.001,
}


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def attributes(self, name):
        return [attrs[name] for _, attrs in self.tags if name in attrs]


def scores(names, value):
    ends = ("", "_null", "_null_sd", "_p", "_low", "_high")
    return {f"{name}{end}": value for name in names for end in ends} | {f"words_{name}": value for name in names}


def make_manifest(stage, config=None, metrics=None):
    return Manifest(
        stage=stage,
        key=f"{stage}key",
        inputs=(),
        config=config or {},
        files={},
        seconds=1.25,
        metrics=metrics or {},
        versions={"python": "3.11"},
        made_at="2026-01-01T00:00:00Z",
    )


def make_findings(**changes):
    films = pd.DataFrame(
        {"title": ["Alpha (1990)", f"Beta {HANDLER} (1991)", "Gamma & Co (1992)"], "ratings": [50, 60, 70]},
        index=pd.Index([3, 7, 12], name="movie_id"),
    )
    reviews = pd.DataFrame(
        {
            "review_id": ["a", "b", "c", "d"],
            "movie_id": [3, 7, 7, 12],
            "text": ["Plain.", f"Nice <br />film {SCRIPT} {HANDLER}", "Dull.", "word " * 200],
        }
    )
    film_labels = pd.DataFrame({"movie_id": [3, 3, 7, 7, 12], "label": ["1+", "2-", "1-", "2-", "2+"]})
    predictions = pd.DataFrame(
        [("0", "a", 0.9), ("0", "b", 0.8), ("1", "c", 0.1), ("1", "d", 0.7), ("random", "c", 0.99)],
        columns=["classifier", "review_id", "1+"],
    )
    predictions = predictions.assign(**{"1-": predictions["1+"], "2+": 0.3, "2-": 0.2})
    shares = pd.DataFrame([(film, label) for film in films.index for label in LABELS], columns=["movie_id", "label"])
    counted = pd.DataFrame(
        {"share": [0.5, 0.5, 1.0, 0.0], "dominating": [False, False, True, False]}, index=pd.Index(LABELS, name="label")
    )
    label_scores = pd.DataFrame(
        [
            {"axis": label[0], "films": 2, "prevalence": 0.4} | scores(["auc", "average_precision"], 0.71)
            for label in LABELS
        ],
        index=pd.Index(LABELS, name="label"),
    )
    overall = {"films": 3, "reviews": 4, "prevalence": 0.4, **scores(["auc", "average_precision"], 0.61)}
    review_aucs = {f"{words}review_auc_{split}": 0.8 for words in ("", "words_") for split in ("random", "grouped")}
    coverage = {"films_asked": 5, "films_linked": 4, "films_with_review": 3, "reviews": 4, "ambiguous_reviews": 1}
    findings = {
        "films": films,
        "axes": pd.DataFrame(
            {
                "explained": [0.6, 0.3, 0.1],
                "stability": [0.99, 0.95, 0.41],
                "stability_null": [0.71, 0.44, 0.22],
                "stability_null_95": [0.88, 0.57, 0.33],
                "stable": [True, True, False],
            },
            index=pd.Index(["1", "2", "3"], name="axis"),
        ),
        "film_labels": film_labels,
        "labels": counted,
        "reviews": reviews,
        "predictions": predictions,
        "label_scores": label_scores,
        "axis_scores": pd.DataFrame([scores(["correlation"], 0.33)], index=pd.Index(["1"], name="axis")),
        "overall": overall | review_aucs,
        "terms": pd.DataFrame({"label": ["1+", "1-"], "term": ["war", "<b>love</b>"], "z": 3.0, "films": 5}),
        "pole_films": pd.DataFrame({"label": ["1+"], "movie_id": [3], "title": ["Alpha (1990)"], "score": [2.5]}),
        "genres": pd.DataFrame(
            {"label": ["2-"], "genre": ["Drama"], "share": [0.5], "share_all": [0.25], "p": [0.001]}
        ),
        "names": {label: f"name of {label}" for label in LABELS},
        "shares": shares.assign(share=0.5, share_without=0.25),
        "dominating": "2+",
        "encoders": compare(make_case()),
        "rare": pd.DataFrame({"films": []}, index=pd.Index([], name="label")),
        "language_model_history": pd.DataFrame(
            {"train_loss": [3.0], "valid_loss": [2.0], "accuracy": [0.25], "perplexity": [7.389]}
        ),
        "language_model_rates": pd.DataFrame({"learning_rate": [1e-7, 1e-3, 1.0], "loss": [9.0, 8.0, 12.0]}),
        "sentences": pd.DataFrame({"sentence": ["i liked this movie because it ends", HANDLER]}),
        "classifier_history": pd.DataFrame({"classifier": ["0"], "train_loss": [0.5], "valid_loss": [0.6]}),
        "trials": make_trials(),
        "study": make_study(),
        "manifests": [
            make_manifest("datasets", {"name": "movielens_100k"}),
            make_manifest("factors", {"stable_from": 0.9}),
            make_manifest("reviews", metrics=coverage),
            make_manifest("language_model", LanguageModelConfig().model_dump(), {"suggested_rate": 2e-3}),
        ],
    }
    return Findings(**findings | changes)


def build(folder, config=None, **changes):
    figures = build_report(folder, make_findings(**changes), config or ReportConfig())
    return figures, (folder / PAGE).read_text(encoding="utf-8")


def row_of(html, label):
    (row,) = re.findall(rf"<tr><td>{re.escape(label)} .*?</tr>", html)
    return re.findall(r"<td>(.*?)</td>", row)


def test_what_reviews_say_is_shown_and_never_run(tmp_path):
    _, html = build(tmp_path)
    page = Page(html)
    assert SCRIPT not in html
    assert "<b>love</b>" not in html
    assert not page.attributes("onerror")
    assert SCRIPT in page.text
    assert HANDLER in page.text
    assert [attrs for tag, attrs in page.tags if tag == "script"] == [{}]


def test_the_language_model_has_its_section(tmp_path):
    _, html = build(tmp_path)
    page = Page(html)
    assert html.index('id="evaluation"') < html.index('id="language_model"') < html.index('id="recommenders"')
    assert "<tr><td>1</td><td>3.000</td><td>2.000</td><td>0.250</td><td>7.4</td></tr>" in html
    assert "at temperature 0.75:i liked this movie because it ends" in page.text.replace("\n", "")
    assert "rates.png" in page.attributes("src")
    assert (tmp_path / "rates.png").is_file()


def test_a_language_model_that_was_asked_for_neither_rates_nor_sentences_shows_none(tmp_path):
    _, html = build(tmp_path, language_model_rates=pd.DataFrame(), sentences=pd.DataFrame({"sentence": []}))
    assert "rates.png" not in html
    assert "let go on" not in html
    assert not (tmp_path / "rates.png").exists()


def test_the_recommenders_have_their_section(tmp_path):
    _, html = build(tmp_path)
    assert html.index('id="evaluation"') < html.index('id="recommenders"') < html.index('id="films"')
    assert "one recommender: bias, weight decay 0.4, 32 seeds" in Page(html).text


def test_what_manifests_hold_is_shown_and_never_run(tmp_path):
    manifests = [*make_findings().manifests, make_manifest("names", {"note": f"</pre>{SCRIPT}{HANDLER}"})]
    _, html = build(tmp_path, manifests=manifests)
    assert html.count("<script>") == 1
    assert not Page(html).attributes("onerror")
    assert "alert(2)" in Page(html).text


def test_everything_the_page_needs_lies_in_its_folder(tmp_path):
    _, html = build(tmp_path)
    page = Page(html)
    sources = page.attributes("src")
    assert len(sources) == 9
    links = [link for link in page.attributes("href") if not link.startswith("#")]
    assert links == ["map.html", "map.png"]
    assert all((tmp_path / name).is_file() for name in [*sources, *links])
    ids = page.attributes("id")
    inside = [link for link in page.attributes("href") if link.startswith("#")]
    assert all(link.removeprefix("#") in ids for link in inside)
    assert len(inside) == 5


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    _, html = build(tmp_path)
    page = Page(html)
    assert not [tag for tag, _ in page.tags if tag in ("link", "object", "embed", "base")]
    assert not [url for name in ("src", "href", "srcset") for url in page.attributes(name) if "//" in url]
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest", html)


def test_every_film_with_reviews_has_a_picture_and_a_section(tmp_path):
    _, html = build(tmp_path)
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == ["12.png", "3.png", "7.png"]
    for path in [*(tmp_path / "films").iterdir(), tmp_path / "training.png", tmp_path / "stability.png"]:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 2000
    assert Page(html).attributes("data-title") == [
        'beta <img src=x onerror="alert(2)"> (1991)',
        "alpha (1990)",
        "gamma & co (1992)",
    ]


def test_films_with_too_few_reviews_get_no_picture(tmp_path):
    _, html = build(tmp_path, ReportConfig(min_reviews=2))
    assert [path.name for path in (tmp_path / "films").iterdir()] == ["7.png"]
    assert len(Page(html).attributes("data-title")) == 1


def test_the_excerpt_is_of_the_carriers_review_most_surely_given_the_label_unseen(tmp_path):
    _, html = build(tmp_path)
    quotes = re.findall(r"<blockquote>(.*?)</blockquote>", html, re.DOTALL)
    assert len(quotes) == 4 + 2
    assert quotes[0].startswith("Plain.")
    assert quotes[1].startswith("Nice  film &lt;script&gt;")
    assert "of Beta &lt;img" in quotes[1]


def test_sources_and_attributions_are_shown(tmp_path):
    stored = make_findings().reviews.assign(source="wikipedia", attribution="“Beta”, CC BY-SA 4.0")
    _, html = build(tmp_path, reviews=stored)
    text = Page(html).text
    assert "1 attributions" in text
    assert text.count("“Beta”, CC BY-SA 4.0") == 5
    assert f"<td>wikipedia</td><td>{stored['movie_id'].nunique()}</td><td>{len(stored)}</td>" in html


def test_a_long_excerpt_is_cut_between_words(tmp_path):
    _, html = build(tmp_path, ReportConfig(excerpt_length=42))
    (shown,) = re.findall(r"<blockquote>(word .*?)<br>", html)
    assert shown == "word " * 8 + "…"


def test_only_stable_factors_have_a_card_and_the_others_are_listed(tmp_path):
    _, html = build(tmp_path)
    assert [name for name in Page(html).attributes("id") if name.startswith("factor-")] == ["factor-1", "factor-2"]
    assert "axis 3 (0.41)" in Page(html).text
    assert "stability 0.95 (turned at random 0.44, 95 % below 0.57) · share of the variance 0.300" in Page(html).text
    assert "Drama (50 % here, 25 % of all)" in Page(html).text
    for label in LABELS:
        assert f"{label} name of {label}" in Page(html).text


def test_scores_that_are_no_numbers_are_dashes(tmp_path):
    label_scores = make_findings().label_scores
    label_scores.loc["2+", scores(["auc", "average_precision"], 0).keys()] = np.nan
    _, html = build(tmp_path, label_scores=label_scores)
    assert row_of(html, "2+")[4:] == ["–", "– to –", "– ± –", "–", "–"] * 2
    assert row_of(html, "1+")[4:7] == ["0.71", "0.71 to 0.71", "0.71 ± 0.71"]
    assert "nan" not in Page(html).text.lower()


def test_a_run_without_a_random_split_shows_dashes_for_it(tmp_path):
    overall = {**make_findings().overall, "review_auc_random": None, "words_review_auc_random": None}
    _, html = build(tmp_path, overall=overall)
    assert "reaches an AUC over reviews of –; on films never read about 0.800." in Page(html).text


def test_a_mean_that_went_through_a_manifest_as_null_is_a_dash(tmp_path):
    overall = {**make_findings().overall, **dict.fromkeys(("auc", "auc_low", "auc_high", "words_auc"))}
    figures, html = build(tmp_path, overall=overall)
    assert figures["auc"] is None
    assert "mean AUC of –," in Page(html).text
    assert "mean held-out AUC – [–, –]" in headline_sentence(figures)


def test_the_page_says_what_ran_and_under_which_licence(tmp_path):
    text = Page(build(tmp_path)[1]).text
    assert "MovieLens 100K, https://grouplens.org/datasets/movielens/100k/. Licence: GroupLens research" in text
    assert "datasets movielens_100k datasetskey, 1.2 s, 2026-01-01T00:00:00Z" in text
    assert '"films_with_review": 3' in text
    assert "Coverage: 5 films were asked for, 4 are linked to IMDb, 3 have a review, 4 reviews in all" in text


def test_figures_are_those_of_the_stages(tmp_path):
    figures, _ = build(tmp_path)
    findings = make_findings()
    assert figures == headline(findings.overall, findings.manifests[2].metrics, findings.axes)
    assert {"films": 3, "reviews": 4, "factors": 3, "stable_factors": 2, "auc": 0.61}.items() <= figures.items()


def test_headline_sentence():
    assert headline_sentence(FIGURES) == (
        "1,234 films, 56,789 reviews, 9 stable factors of 12; mean held-out AUC 0.612 [0.580, 0.645] against "
        "0.500 ± 0.012 for labels permuted across films; TF-IDF and logistic regression 0.545"
    )


def test_the_headline_has_every_figure_of_its_sentence(tmp_path):
    assert FIGURES.keys() == build(tmp_path)[0].keys()
