import re
from html import unescape

import numpy as np
import pandas as pd
import pytest

from latentflix.report.changes import Changes
from latentflix.report.formatting import NEUTRAL, PAGE
from latentflix.report.headline import headline_sentence
from latentflix.report.inputs import ReportConfig
from latentflix.report.page import build_report, comparison_section
from tests.support.factories.analysis import make_analysis
from tests.support.factories.comparison import compare, make_case
from tests.support.factories.report import COVERAGE, HANDLER, LABELS, SCRIPT, make_inputs, make_manifest, make_scores
from tests.support.html import Page, text_of

SECTIONS = ["factors", "items", "evaluation", "comparison", "recommenders", "language-model", "reviews", "changes"]
SECTIONS += ["run"]


def build(folder, config=None, **changes):
    figures = build_report(folder, make_inputs(**changes), config or ReportConfig())
    return figures, (folder / PAGE).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    figures, html = build(folder)
    return folder, figures, html


def section(html, name):
    return re.search(rf'<section id="{name}".*?</section>', html, re.DOTALL).group(0)


def section_text(html, name):
    return text_of(section(html, name))


def row_of(html, label):
    (row,) = re.findall(rf'<tr><th scope="row" class="words">{re.escape(label)} .*?</tr>', html)
    return re.findall(r"<td>(.*?)</td>", row)


def make_changes():
    return Changes(
        since="2025-12-31T10:20:30Z",
        factors=pd.DataFrame({"axis": ["1", "2"], "previous": ["4", ""], "correlation": [0.91, 0.0]}),
        poles=pd.DataFrame(
            [("1+", "4-", "war", SCRIPT), ("1-", "4+", "same", "same")],
            columns=["label", "previous", "name", "previous_name"],
        ),
        histograms=pd.DataFrame(
            {"item_id": [7], "change": [1.5], "label": "1+", "share": [0.75], "previous_share": [0.25]}
        ),
        metrics=pd.DataFrame({"stage": ["evaluation"], "metric": ["auc"], "previous": [0.51234567], "current": [0.6]}),
        settings=pd.DataFrame({"stage": ["collab"], "setting": ["epochs"], "previous": ["5"], "current": [None]}),
    )


def test_the_first_screen_shows_the_finding_its_certainty_its_data_and_its_date(built):
    text = text_of(re.search("<header>.*?</header>", built[2], re.DOTALL).group(0))
    assert "The recommender sorts films by 2 factors that come out the same in every training" in text
    assert "they stand better than guessing." in text
    assert "picks the right one 61.0 times in a hundred; guessing picks it 61.0 ± 61.0 times (p = 0.010)" in text
    assert "0.610 mean AUC on unseen films, interval 0.610 to 0.610; chance 0.610" in text
    assert "2 of 3 factors come out the same in every training; of these, 1 predictable from reviews" in text
    assert "3 films with a review, of 5 asked for and 4 linked to IMDb" in text
    assert "4 reviews of them; 1 more are listed under several films" in text
    assert "Made 2026-01-01 00:00:00 UTC Data MovieLens 100K (datasets)" in text
    assert "3 axes by pca; language model of at most 1,000 tokens" in text


def test_a_result_of_chance_is_called_so(tmp_path):
    _, html = build(tmp_path, overall={**make_inputs().overall, "auc": 0.506, "auc_p": 0.36})
    text = text_of(html)
    assert "they stand no better than guessing." in text
    assert "do not rely on the predicted histograms" in text


def test_every_section_is_in_the_navigation_and_has_a_heading(built):
    page = Page(built[2])
    navigation = Page(re.search("<nav .*?</nav>", built[2], re.DOTALL).group(0))
    assert navigation.attributes("href") == [f"#{name}" for name in SECTIONS]
    headed = [attrs for tag, attrs in page.tags if tag == "section" and attrs.get("id") in SECTIONS]
    assert [attrs["id"] for attrs in headed] == SECTIONS
    assert all(attrs["aria-labelledby"] in page.attributes("id") for attrs in headed)


def test_a_page_works_with_screen_reader_and_keyboard(built):
    page = Page(built[2])
    tags = [tag for tag, _ in page.tags]
    assert (tags.count("main"), tags.count("nav"), tags.count("h1")) == (1, 1, 1)
    assert [attrs for tag, attrs in page.tags if tag == "html"] == [{"lang": "en"}]
    assert page.tags[tags.index("a")][1] == {"class": "skip", "href": "#content"}
    assert all(attrs.get("alt") for tag, attrs in page.tags if tag == "img")
    assert all(attrs.get("title") for tag, attrs in page.tags if tag == "iframe")
    assert all(attrs.get("scope") for tag, attrs in page.tags if tag == "th")
    wide = [attrs for _, attrs in page.tags if "scroll" in (attrs.get("class") or "").split()]
    assert wide
    assert all(attrs.get("tabindex") == "0" and attrs.get("aria-label") for attrs in wide)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))


def test_nothing_is_loaded_from_elsewhere_and_everything_the_page_needs_lies_in_its_folder(built):
    folder, _, html = built
    page = Page(html)
    sources = page.attributes("src")
    links = [link for link in page.attributes("href") if not link.startswith("#")]
    assert len(sources) == 10
    assert set(links) == {"items.png", "map.html", "map.png"}
    assert all((folder / name).stat().st_size > 1000 for name in [*sources, *links])
    inside = {link for link in page.attributes("href") if link.startswith("#")}
    assert {link.removeprefix("#") for link in inside} <= set(page.attributes("id"))
    assert not [tag for tag, _ in page.tags if tag in ("link", "object", "embed", "base")]
    assert not [url for name in ("src", "href", "srcset") for url in page.attributes(name) if "//" in url]
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest", html)


def test_reviews_titles_and_manifests_are_shown_and_never_run(tmp_path):
    manifests = [*make_inputs().manifests, make_manifest("classifier", {"n_folds": f"</pre>{SCRIPT}{HANDLER}"})]
    _, html = build(tmp_path, manifests=manifests, changes=make_changes())
    page = Page(html)
    assert SCRIPT not in html
    assert not page.attributes("onerror")
    assert [attrs for tag, attrs in page.tags if tag == "script"] == [{}]
    assert page.text.count(SCRIPT) == 4
    assert "alert(2)" in page.text


def test_changes_since_the_previous_report_are_shown_if_there_is_one(tmp_path, built):
    assert "There is no earlier report to compare with" in section_text(built[2], "changes")
    _, html = build(tmp_path, changes=make_changes())
    assert "1 of 2 poles have another name than in the previous report, of 2025-12-31 10:20:30 UTC." in text_of(html)
    text = section_text(html, "changes")
    for part in (
        "a run that ended 2025-12-31 10:20:30 UTC",
        "1 4 0.91 2 new –",
        "evaluation auc 0.5123 0.6",
        f"1 of 2 poles have another name, are new, or are gone. pole name previous its name 1+ war 4- {SCRIPT}",
        f"Beta {HANDLER} (1991) 1.50 1+ 0.25 0.75",
        "collab.epochs 5 –",
    ):
        assert part in text
    assert "same" not in text.partition("Names")[2]


def test_scores_that_are_nan_or_went_through_a_manifest_as_null_are_dashes(tmp_path):
    inputs = make_inputs()
    label_scores, axis_scores = inputs.label_scores, inputs.axis_scores
    label_scores.loc["2+", make_scores(["auc", "average_precision"], 0).keys()] = np.nan
    axis_scores.loc["2", :] = np.nan
    names = ("auc", "auc_low", "auc_high", "auc_null", "auc_null_sd", "auc_p", "words_auc", "review_auc_random")
    overall = {**inputs.overall, **dict.fromkeys(names)}
    figures, html = build(tmp_path, label_scores=label_scores, axis_scores=axis_scores, overall=overall)
    assert row_of(html, "2+")[3:] == ["–", "– to –", "– ± –", "–", "–"] * 2
    assert row_of(html, "1+")[3:6] == ["0.71", "0.71 to 0.71", "0.71 ± 0.71"]
    assert "nan" not in text_of(html).lower()
    assert figures["auc"] is None
    assert "– mean AUC on unseen films, interval – to –; chance –" in text_of(html)
    assert "reaches an AUC over reviews of –; on unseen films it reaches 0.800." in text_of(html)


def test_the_training_is_described_and_drawn_and_what_the_language_model_writes_is_shown(built):
    shown = section(built[2], "language-model")
    text = text_of(shown)
    assert "AWD-LSTM from scratch, trained on 900 tokens of 20 reviews of other films" in text
    assert "perplexity is 7.4, and it predicts the next token correctly 25.0 % of the time" in text
    assert "held-out loss accuracy perplexity 1 4.000 3.000 0.200 20.1 2 3.000 2.000 0.250 7.4" in text
    assert "0 0.500 0.600" in text
    assert Page(shown).attributes("src") == ["language_model.png", "rates.png", "classifiers.png"]
    assert "continues “I liked this movie because” for 40 tokens at temperature 0.75." in text
    assert "<blockquote>I liked this movie because it ends</blockquote>" in shown
    assert HANDLER in Page(shown).text


def test_one_epoch_is_listed_and_not_drawn_and_rates_and_sentences_are_shown_only_if_there_are_any(tmp_path):
    history = make_inputs().language_model_history.tail(1)
    nothing = {"language_model_rates": pd.DataFrame(), "sentences": pd.DataFrame({"sentence": []})}
    _, html = build(tmp_path, language_model_history=history, **nothing)
    assert "1 3.000 2.000 0.250 7.4" in section_text(html, "language-model")
    assert "What it writes" not in html
    for picture in ("language_model.png", "rates.png"):
        assert picture not in html
        assert not (tmp_path / picture).exists()


def test_methods_are_compared_and_labels_left_out_are_named(tmp_path):
    rare = pd.DataFrame({"items": [2]}, index=pd.Index(["3+"], name="label"))
    text = section_text(build(tmp_path, rare=rare)[1], "comparison")
    for part in (
        "the language model's encoder 0.",
        "TF-IDF and logistic regression 0.",
        "the same prediction for every film 0.500 [",
        "Left out because too few films with reviews have them: 3+ (2).",
    ):
        assert part in text


def test_reviews_are_counted_by_item_and_by_source(built, tmp_path):
    text = section_text(built[2], "reviews")
    assert "Of 5 films asked for, 4 are linked to IMDb and 3 have a review: 4 reviews in all" in text
    assert "source films reviews corpus 3 4" in text
    assert "reviews, at least films 1 3 2 1" in text
    reviews = make_inputs().reviews.assign(source=["one", "one", "two", "two"])
    assert "source films reviews one 2 2 two 2 2" in section_text(build(tmp_path, reviews=reviews)[1], "reviews")


def test_a_passage_is_shown_with_the_attribution_of_its_licence(tmp_path):
    reviews = make_inputs().reviews.assign(source="wikipedia", attribution="“Beta”, CC BY-SA 4.0")
    html = build(tmp_path, reviews=reviews)[1]
    passages = section(html, "factors").count("</blockquote>")
    assert passages > 0
    assert section(html, "factors").count("“Beta”, CC BY-SA 4.0</footer>") == passages
    assert "1 attribution" in section_text(html, "reviews")


def test_the_page_says_what_ran_under_which_licence_and_with_which_figures(built):
    _, figures, html = built
    text = text_of(html)
    assert "MovieLens 100K, https://grouplens.org/datasets/movielens/100k/. Licence: GroupLens research" in text
    assert "datasets movielens_100k datasetskey, 1.2 s, 2026-01-01T00:00:00Z" in text
    assert '"items_with_review": 3' in text
    expected = {"items": COVERAGE["items_with_review"], "reviews": 4, "factors": 3, "stable_factors": 2, "auc": 0.61}
    assert expected.items() <= figures.items()
    assert figures["predictable_factors"] == 1
    assert all(label in html for label in LABELS)


def test_every_method_and_label_has_its_row_and_rare_labels_are_named_if_there_are_any():
    comparison = compare(make_case())
    rare = pd.DataFrame({"items": [2]}, index=pd.Index(["3<"], name="label"))
    html = comparison_section(comparison, rare, NEUTRAL)
    for row in comparison.methods.to_dict("records"):
        assert f"<td>{row['auc']:.3f} [{row['auc_low']:.3f}, {row['auc_high']:.3f}]</td>" in html
    for row in comparison.labels.to_dict("records"):
        assert f"{row['label']}</th><td>{row['items']}</td><td>{row['threshold']:.2f}</td>" in html
    assert "have them: 3&lt; (2)." in html
    assert "the same prediction for every item" in html
    assert "Left out" not in comparison_section(comparison, rare.head(0), NEUTRAL)


def test_a_setting_says_what_an_item_is_called(tmp_path):
    config = ReportConfig(item_noun="book")
    inputs = make_inputs()
    predicted = inputs.analysis.predicted.assign(title="A title")
    figures, html = build(
        tmp_path,
        config,
        reviews=inputs.reviews.replace("film", "plot", regex=True),
        terms=inputs.terms.replace("film", "plot"),
        analysis=make_analysis(predicted=predicted),
        rare=pd.DataFrame({"items": [2]}, index=pd.Index(["3+"], name="label")),
        changes=make_changes(),
    )
    map_page = unescape((tmp_path / "map.html").read_text(encoding="utf-8"))
    assert headline_sentence(figures, config.nouns).startswith("3 books, 4 reviews, ")
    assert re.findall("film", html + map_page, re.IGNORECASE) == []
    assert "<title>Map of the books</title>" in map_page
    assert '["book","@title"]' in map_page
    for part in ("3 books with a review", "Similar books", "All 3 books as one picture", "prediction for every book"):
        assert part in text_of(html)
