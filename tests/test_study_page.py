import re
from html.parser import HTMLParser

import pytest

from latentflix.pages import PAGE
from latentflix.study_page import build_study_page, write_section
from tests.small_study import HANDLER, make_study, make_trials


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def attributes(self, name):
        return [attrs[name] for _, attrs in self.tags if name in attrs]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    figures = build_study_page(folder, make_study(), make_trials(), [])
    return folder, figures, (folder / PAGE).read_text(encoding="utf-8")


def rows(page, heading):
    """The cells of the table that follows a heading."""
    table = re.search(r"<table>(.*?)</table>", page[page.index(heading) :], re.DOTALL).group(1)
    return [re.findall(r"<td>(.*?)</td>", row) for row in table.split("<tr>")[2:]]


def test_the_chosen_trials_stand_side_by_side(built):
    assert rows(built[2], "Recommenders</h2>") == [
        ["bias", "0.4", "2", "0.9017", "0.8988", "0.7098", "2", "3.1", "944 × 50", "1658 × 51"],
        ["neural", "0.8", "2", "0.9178", "0.8988", "0.7098", "2", "3.1", "944 × 50", "1658 × 51"],
    ]


def test_every_trial_is_listed_and_the_chosen_ones_are_marked(built):
    listed = rows(built[2], "All 3 trials")
    assert [(row[0], row[1], row[-1]) for row in listed] == [
        *(("bias", "0.4", "yes"), ("neural", "0.8", "yes")),
        ("bias", "0.1", ""),
    ]


def test_predicted_stands_beside_actual(built):
    shown = rows(built[2], "Predicted and actual")
    assert len(shown) == 15
    assert shown[0] == ["Film 10", "10", "1", "3.00 ± 0.25"]
    assert shown[-1] == ["Film 9", "9", "1", "2.00 ± 0.25"]


def test_the_middle_of_the_predictions_of_each_rating_is_told(built):
    after_first = built[2].partition("Predicted and actual")[2].partition("</table>")[2]
    assert rows(after_first, "") == [["1", "20", "2.50", "2.00 to 3.00"], ["5", "20", "4.50", "4.50 to 4.50"]]


def test_biases_are_shown_from_both_ends(built):
    assert rows(built[2], "Liked beyond what")[0] == ["Alpha (1990)", "0.40 ± 0.02", "4.50", "90"]
    assert rows(built[2], "Disliked beyond that")[0] == ["Delta", "-0.35 ± 0.02", "1.50", "60"]


def test_a_model_without_biases_says_so(tmp_path):
    section = write_section(tmp_path, make_study(biases=make_study().biases.head(0)), make_trials())
    assert "None: this model has no biases" in section


def test_similar_films_stand_under_their_film_with_a_dash_where_one_seed_has_no_spread(built):
    (card,) = re.findall(r'<div class="card">(.*?)</div>', built[2])
    page = Page(card)
    assert page.text.replace("\xa0", " ") == f"Beta {HANDLER}Alpha (1990) 0.95 ± 0.01Delta 0.50 ± –"


def test_the_page_says_which_recommender_it_looks_at_and_what_the_axes_explain(built):
    text = Page(built[2]).text
    assert "one recommender: bias, weight decay 0.4, 32 seeds." in text
    assert "RMSE of the mean prediction 0.907 stars" in text
    assert "48 %, 16 %, 9 % of the variance" in text


def test_figures_and_sentence_are_of_the_chosen_trials(built):
    _, figures, page = built
    assert {model: trial["rmse"] for model, trial in figures["models"].items()} == {"bias": 0.9017, "neural": 0.9178}
    assert figures["sentence"].startswith(
        "bias 0.902 RMSE (0.899 averaged over 2 seeds; weight decay 0.4, epoch 2, 3 s)"
    )
    assert figures["sentence"] in Page(page).text


def test_titles_are_shown_and_never_run(built):
    page = Page(built[2])
    assert not page.attributes("onerror")
    assert HANDLER in page.text


def test_everything_the_page_needs_lies_in_its_folder(built):
    folder, _, text = built
    page = Page(text)
    sources = page.attributes("src")
    assert sorted(sources) == ["curves.png", "map.html", "map.png"]
    links = [link for link in page.attributes("href") if not link.startswith("#")]
    assert links
    assert all((folder / name).stat().st_size > 2000 for name in [*sources, *links])
    assert not [tag for tag, _ in page.tags if tag in ("link", "script", "object", "embed", "base")]
