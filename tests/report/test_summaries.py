import pytest

from latentflix.artifacts import Store
from latentflix.errors import NotFound
from latentflix.report.summaries import Score, choose_factor, summarise_factors, summarise_item
from latentflix.runs import choose_run
from tests.support.factories.artifacts import put
from tests.support.factories.report import LEADS
from tests.support.factories.run import ITEMS, NAMES, write_run


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_run(Store(tmp_path_factory.mktemp("artifacts")))


@pytest.fixture(scope="module")
def factors(store):
    return summarise_factors(store, choose_run(store))


@pytest.fixture(scope="module")
def summarise(store):
    return lambda item_id: summarise_item(store, choose_run(store), ITEMS, item_id)


def test_a_stable_factor_has_two_poles_with_everything_known_about_them_and_an_unstable_one_has_none(factors):
    one, two = factors
    assert (one.axis, one.stable, one.stability, one.explained) == ("1", True, 0.98, 0.6)
    assert (one.shared, one.people, one.people_full) == (True, 0.6, 0.75)
    plus, minus = one.poles
    assert plus.name == "machine, war, robot"
    assert plus.terms == ("machine", "war", "robot")
    assert plus.items == (("Matrix, The (1999)", 2.0),)
    assert plus.genres == ("Sci-Fi",)
    assert plus.tags == ("robots", "dystopia <i>")
    assert (plus.confirmed, minus.confirmed) == (("war",), ())
    assert (plus.labelled_items, minus.labelled_items) == (3, 2)
    assert plus.test == Score(0.45, pytest.approx(0.35), pytest.approx(0.55), 0.01, 0.08, 0.002, 0.004, holds=True)
    assert minus.test is None
    assert one.tags == pytest.approx((0.5, 0.4, 0.6))
    assert one.agreement == pytest.approx((0.7, 0.6, 0.8))
    assert (two.axis, two.stable, two.shared, two.poles) == ("2", False, False, ())
    assert (two.tags, two.agreement) == (None, None)


def test_a_factor_has_its_score_what_words_add_and_what_each_reader_reaches(factors):
    one, two = factors
    assert one.score == Score(0.47, pytest.approx(0.37), pytest.approx(0.57), -0.2, 0.05, 0.001, 0.002, holds=True)
    assert one.beyond == (0.12, 0.02, 0.22)
    assert [(each.reader, each.lead) for each in one.readers] == [("stacked", None), *LEADS.items()]
    network = one.readers[3]
    assert (network.rho, network.lead_low, network.lead_high) == pytest.approx((0.22, 0.22, 0.28))
    assert (two.score.rho, two.score.holds) == (0.1, False)


def test_a_factor_that_was_not_evaluated_has_no_score(tmp_path):
    store = write_run(Store(tmp_path))
    run = choose_run(store)
    tables = {name: store.read_table(run.handle("evaluation"), name) for name in ("axes", "readers")}
    store.path(run.handle("evaluation")).joinpath("manifest.json").unlink()
    put(store, "evaluation", run.key, tables={**tables, "axes": tables["axes"].loc[["1"]]})
    one, two = summarise_factors(store, run)
    assert one.score is not None
    assert (two.score, two.beyond, two.readers) == (None, None, ())


@pytest.mark.parametrize("asked", ["1", "1+", "1-", " 1 "])
def test_a_factor_is_chosen_by_number_or_label(factors, asked):
    assert choose_factor(factors, asked) is factors[0]


@pytest.mark.parametrize("asked", ["3", "", "war", "11"])
def test_an_unknown_factor_is_an_error(factors, asked):
    with pytest.raises(NotFound, match="there is no such factor.*expected: a number from 1 to 2"):
        choose_factor(factors, asked)


def test_scores_of_an_item_come_strongest_first_if_it_has_any(summarise):
    scores = summarise(40).scores
    assert [(each.label, each.score, each.stable) for each in scores] == [
        ("2-", -2.5, False),
        ("1-", pytest.approx(-1.2), True),
    ]
    assert [each.name for each in scores] == ["", NAMES["1-"]]
    item = summarise(60)
    assert (item.scores, item.labels, item.predicted, item.reviews, item.tconst) == ((), (), (), 0, None)
    assert item.genres == ("Sci-Fi",)


def test_an_item_has_its_labels_with_the_words_that_its_reviews_use_and_its_predictions(summarise):
    item = summarise(10)
    assert (item.title, item.tconst, item.ratings, item.reviews) == ("Matrix, The (1999)", "tt0133093", 300, 2)
    assert [(each.label, each.name, each.strength) for each in item.labels] == [("1+", NAMES["1+"], 2.0)]
    assert item.labels[0].words == ("machine", "war")
    assert item.most_frequent == "1+"
    assert [(each.label, each.own, each.share, each.share_without) for each in item.predicted] == [
        ("1+", True, 1.0, None),
        ("1-", False, 0.5, 1.0),
    ]
