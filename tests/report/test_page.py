import re
from html import unescape

import numpy as np
import pandas as pd
import pytest

from latentflix.data.large_movie import review_counts
from latentflix.report.changes import Changes
from latentflix.report.formatting import NEUTRAL, PAGE
from latentflix.report.headline import headline_sentence
from latentflix.report.inputs import ReportConfig
from latentflix.report.page import build_report, comparison_section
from tests.support.factories.analysis import make_analysis
from tests.support.factories.comparison import compare, make_case
from tests.support.factories.report import (
    COVERAGE,
    HANDLER,
    LABELS,
    SCRIPT,
    make_axis_scores,
    make_inputs,
    make_manifest,
    make_scores,
)
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
        factors=pd.DataFrame(
            {
                "axis": ["1", "2"],
                "previous": ["4", ""],
                "correlation": [0.91, 0.0],
                "holds": pd.array([True, False], "boolean"),
                "previous_holds": pd.array([False, pd.NA], "boolean"),
            }
        ),
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


def header_of(html):
    return re.search("<header>.*?</header>", html, re.DOTALL).group(0)


def test_the_first_screen_shows_the_finding_its_certainty_its_data_and_its_date(built):
    text = text_of(header_of(built[2]))
    assert "What people write about films predicts where the recommender puts them on 1 of its 3 factors." in text
    assert "0.40 mean score over the 2 stable factors, interval 0.30 to 0.50; the language model alone 0.15" in text
    assert (
        "genres, year and ratings, without a word read, 0.45. Beyond genres, year and popularity, words reach 0.12"
        in text
    )
    assert "2 of 3 factors are stable: they come out the same in every training on these ratings; 1 of 3 are" in text
    assert "1 of 3 names of ends hold" in text
    assert "3 films with 4 reviews, of 5 asked for and 4 linked to IMDb; 1 more reviews are listed under" in text
    assert "Made 2026-01-01 00:00:00 UTC Data MovieLens 100K (datasets)" in text
    assert "3 axes by pca; language model of at most 1,000 tokens" in text


def lines_of(html, name):
    (shown,) = re.findall(rf'<ol class="lines" aria-label="{name}">.*?</ol>', header_of(html), re.DOTALL)
    return [text_of(line) for line in re.findall("<li>.*?</li>", shown, re.DOTALL)]


def test_the_factors_that_hold_are_a_line_each_the_best_predicted_first_and_the_others_are_folded_away(tmp_path, built):
    assert lines_of(built[2], "Factors that hold") == [
        "1 war Alpha love, <b> (not confirmed on other films) score 0.47, chance -0.20"
    ]
    assert lines_of(built[2], "Factors that do not hold") == [
        "2 no word marks this pole film (not confirmed on other films) Drama score 0.10, chance -0.20",
        '3 no name, because it is not stable Gamma & Co; Beta <img src=x onerror="alert "> '
        'no name, because it is not stable Beta <img src=x onerror="alert ">; Gamma & Co score -0.10, chance -0.20',
    ]
    folded = header_of(built[2]).partition("<details>")[2]
    assert "2 factors that do not hold: reviews predict no better than chance" in text_of(folded)
    assert 'aria-label="Factors that do not hold"' in folded
    scores = {"1": (0.3, 0.01, True), "2": (0.1, 0.4, False), "3": (0.5, 0.001, True)}
    _, html = build(tmp_path, axis_scores=make_axis_scores(scores))
    assert [line.split()[0] for line in lines_of(html, "Factors that hold")] == ["3", "1"]
    assert [line.split()[0] for line in lines_of(html, "Factors that do not hold")] == ["2"]
    cards = re.findall(r'id="factor-(\d)"', html)
    assert cards == ["3", "1", "2"]


def test_at_most_five_words_and_three_titles_stand_in_a_line(tmp_path):
    words = [f"word{letter}" for letter in "abcdefg"]
    terms = make_inputs().terms.head(1)
    terms = pd.concat([terms.assign(term=word) for word in words], ignore_index=True)
    titles = [f"Number {number}, The (1990)" for number in range(5)]
    ends = pd.DataFrame({"label": "1+", "item_id": 3, "title": titles, "score": 2.0})
    _, html = build(tmp_path, terms=terms, pole_items=ends)
    line = lines_of(html, "Factors that hold")[0]
    assert line.startswith("1 worda, wordb, wordc, wordd, worde The Number 0; The Number 1; The Number 2 no word marks")


def test_a_run_in_which_nothing_holds_says_so(tmp_path):
    scores = make_axis_scores(dict.fromkeys("123", (0.0, 0.5, False)))
    overall = {**make_inputs().overall, "factors_that_hold": 0}
    _, html = build(tmp_path, axis_scores=scores, overall=overall)
    text = text_of(html)
    assert "does not predict where the recommender puts them on any of its 3 factors." in text
    assert "do not rely on the predicted histograms" in text
    assert "3 factors that do not hold" in text
    assert "No factor holds." in text
    assert 'aria-label="Factors that hold"' not in html


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
        "1 4 0.91 no yes 2 new – – no",
        "evaluation auc 0.5123 0.6",
        f"1 of 2 poles have another name, are new, or are gone. pole name previous its name 1+ war 4- {SCRIPT}",
        f"Beta {HANDLER} (1991) 1.50 1+ 0.25 0.75",
        "collab.epochs 5 –",
    ):
        assert part in text
    assert "same" not in text.partition("Names")[2]


def cells_of(html, table, first):
    (shown,) = re.findall(rf'aria-label="{table}"><table>.*?</table>', html, re.DOTALL)
    (row,) = [row for row in re.findall("<tr>.*?</tr>", shown, re.DOTALL) if text_of(row).startswith(first)]
    return re.findall(r"<td>(.*?)</td>", row)


def test_the_evaluation_has_the_scores_of_every_factor_and_reader(built, tmp_path):
    html = section(built[2], "evaluation")
    assert cells_of(html, "Scores by factor", "1") == [
        *("0.47", "0.37 to 0.57", "-0.20 ± 0.05", "0.001", "0.004", "0.002", "yes", "0.12 [0.02, 0.22]"),
        *("0.00", "0.22", "0.090"),
    ]
    assert cells_of(html, "Scores by factor", "2")[6] == "no"
    judge = cells_of(html, "Scores by reader", "all readers of words together (the judge)")
    assert judge == ["0.400", "0.300 to 0.500", "–", "–"]
    network = cells_of(html, "Scores by reader", "language model")
    assert network == ["0.150", "0.050 to 0.250", "0.250", "0.220 to 0.280"]
    assert "this null is widened by 1.40, the factor by which learning anew widens the null" in text_of(html)
    inputs = make_inputs()
    without = inputs.axis_scores.drop(columns=[name for name in inputs.axis_scores if "network" in name])
    _, html = build(tmp_path, axis_scores=without, reader_scores=inputs.reader_scores.drop(index="network"))
    assert len(cells_of(html, "Scores by factor", "1")) == 9
    assert "widened" not in html


def test_scores_that_are_nan_or_went_through_a_manifest_as_null_are_dashes(tmp_path):
    inputs = make_inputs()
    label_scores, axis_scores = inputs.network.label_scores, inputs.axis_scores
    label_scores.loc["2+", make_scores(["auc", "average_precision"], 0).keys()] = np.nan
    axis_scores.loc["2", axis_scores.columns.drop("holds")] = np.nan
    names = ("mean_rho", "mean_rho_low", "mean_rho_high", "mean_rho_network", "review_auc_random")
    overall = {**inputs.overall, **dict.fromkeys(names)}
    figures, html = build(tmp_path, label_scores=label_scores, axis_scores=axis_scores, overall=overall)
    assert row_of(html, "2+")[3:] == ["–", "– to –", "– ± –", "–", "–"] * 2
    assert row_of(html, "1+")[3:6] == ["0.71", "0.71 to 0.71", "0.71 ± 0.71"]
    assert cells_of(html, "Scores by factor", "2")[:3] == ["–", "– to –", "– ± –"]
    assert "nan" not in text_of(html).lower()
    assert figures["mean_rho"] is None
    assert (
        "– mean score over the 2 stable factors, interval – to –; genres, year and ratings, without a word read,"
        in text_of(html)
    )
    assert "reach an AUC over reviews of –; on unseen films they reach 0.800." in text_of(html)


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
    history = make_inputs().network.language_model_history.tail(1)
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


def test_the_page_of_a_run_that_read_less_says_what_more_could_be_had_and_how(built, tmp_path):
    more = "More can be read: the whole Large Movie Review Dataset has"
    assert more not in section_text(built[2], "reviews")
    known = make_inputs().items.assign(tconst=["tt0000010", "tt0000016", None])
    known = pd.concat([known, known.iloc[:2].set_axis([20, 21]).assign(tconst=["tt0000029", "tt0000030"])])
    text = section_text(build(tmp_path, items=known.rename_axis("item_id"))[1], "reviews")
    n_reviews = review_counts()[["tt0000010", "tt0000016", "tt0000029", "tt0000030"]].sum()
    assert f"{more} {n_reviews:,} reviews of 4 of these films" in text
    assert 'make run ARGS="--reviews.corpus large_movie_reviews" fetches and reads it.' in text


def test_what_each_kind_of_text_adds_is_shown_if_there_are_several(built, tmp_path):
    assert "Kinds of texts" not in built[2]
    scores = {"items": 2, "parts": 1234, "mean_rho_without": 0.35, "difference": 0.05}
    scores |= {f"{name}_{end}": 0.01 for name in ("mean_rho_without", "difference") for end in ("low", "high")}
    kinds = pd.DataFrame([scores, scores], pd.Index(["review", "data_plot"], name="kind"))
    text = section_text(build(tmp_path, kind_scores=kinds)[1], "evaluation")
    assert "all readers together, 0.400, and what is left of it if no text of a kind is read" in text
    assert "reviews 2 1,234 0.350 0.010 to 0.010 0.050 0.010 to 0.010" in text
    assert "plots of the CMU Movie Summary Corpus, CC BY-SA 2 1,234" in text


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
    expected |= {"predictable_factors": 1, "factors_that_hold": 1, "factors_shared_by_people": 1, "mean_rho": 0.4}
    assert (expected | {"names_that_hold": 1, "names_tested": 3}).items() <= figures.items()
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
    predicted = inputs.recommender.analysis.predicted.assign(title="A title")
    figures, html = build(
        tmp_path,
        config,
        reviews=inputs.reviews.replace("film", "plot", regex=True),
        terms=inputs.terms.replace("film", "plot", regex=True),
        analysis=make_analysis(predicted=predicted),
        rare=pd.DataFrame({"items": [2]}, index=pd.Index(["3+"], name="label")),
        changes=make_changes(),
    )
    map_page = unescape((tmp_path / "map.html").read_text(encoding="utf-8"))
    assert headline_sentence(figures, config.nouns).startswith("3 books, 4 reviews; ")
    assert re.findall("film", html + map_page, re.IGNORECASE) == []
    assert "<title>Map of the books</title>" in map_page
    assert '["book","@title"]' in map_page
    for part in ("3 books with 4 reviews", "Similar books", "All 3 books as one picture", "prediction for every book"):
        assert part in text_of(html)
