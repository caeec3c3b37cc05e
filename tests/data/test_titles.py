import pytest

from latentflix.data.titles import CONFIDENCE, Catalog, plain_name, resolve_titles, split_title
from tests.support.hostile_files import assert_linear
from tests.support.title_cases import HARD, OTHERS, films


def catalog(*titles):
    return Catalog("catalog", titles)


TRUE_TCONST = {title: tconst for title, tconst, *_ in HARD}


def test_the_title_cases_are_those_of_movielens(movielens_tables):
    items = movielens_tables["items"].drop_duplicates("title")
    assert items.set_index("title")["tconst"][[*TRUE_TCONST]].to_dict() == TRUE_TCONST


def test_hard_titles_are_found():
    names = [(name, year, tconst) for _, tconst, *both, year in HARD for name in both if name]
    imdb = catalog(*names, *((name, year, tconst) for tconst, name, _, year in OTHERS))
    assert resolve_titles(films(*TRUE_TCONST), [imdb]).links["tconst"].tolist() == list(TRUE_TCONST.values())


def test_a_missing_article_is_not_guessed():
    known = catalog(("The Land Before Time III", 1995, "tt0113596"))
    assert len(resolve_titles(films("Land Before Time III (1995) (V)"), [known]).unknown) == 1
    assert len(resolve_titles(films("Land Before Time III, The (1995) (V)"), [known]).links) == 1


@pytest.mark.parametrize(
    ("title", "names", "year"),
    [
        ("Toy Story (1995)", ["Toy Story"], 1995),
        ("African Queen, The (1951)", ["The African Queen"], 1951),
        ("Star Maker, The (Uomo delle stelle, L') (1995)", ["The Star Maker", "L'Uomo delle stelle"], 1995),
        ("Heidi Fleiss: Hollywood Madam (1995) ", ["Heidi Fleiss: Hollywood Madam"], 1995),
        ("Land Before Time III (1995) (V)", ["Land Before Time III"], 1995),
        ("City, The (a.k.a. Ciudad, La) (1998)", ["The City", "La Ciudad"], 1998),
        ("2001: A Space Odyssey (1968)", ["2001: A Space Odyssey"], 1968),
        ("1900 (1976)", ["1900"], 1976),
        ("(500) Days of Summer (2009)", ["Days of Summer", "500", "(500) Days of Summer"], 2009),
        ("unknown", ["unknown"], None),
        ("", [], None),
    ],
)
def test_a_title_is_split_into_its_names_and_the_year(title, names, year):
    found, when = split_title(title)
    assert found[: len(names)] == names
    assert when == year


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Les Misérables", "les miserables"),
        ("Blood & Wine", "Blood and Wine"),
        ("Mrs. Brown", "Mrs Brown"),
        ("Cook the Thief His Wife & Her Lover, The", "The Cook, the Thief, His Wife & Her Lover"),
        ("When the Cats Away", "When the Cat's Away"),
        ("African Queen, The", "The African Queen"),
    ],
)
def test_names_are_compared_without_accents_case_and_punctuation(one, other):
    assert plain_name(one) == plain_name(other)


def test_the_surest_method_wins():
    both = catalog(("Emma", 1996, "tt1"), ("Emma", 1997, "tt2"), ("Other", 1996, "tt3"))
    links = resolve_titles(films("Emma (1996)", "Emma (1998)", "Ema (Other) (1996)", "Ema (Emma) (1998)"), [both]).links
    assert links[["tconst", "method"]].to_numpy().tolist() == [
        ["tt1", "title"],
        ["tt2", "title, year off by one"],
        ["tt3", "other name"],
        ["tt2", "other name, year off by one"],
    ]
    assert links["confidence"].tolist() == [CONFIDENCE[method] for method in links["method"]]
    assert list(CONFIDENCE.values()) == sorted(CONFIDENCE.values(), reverse=True)


def test_a_film_that_fits_several_titles_is_ambiguous():
    twice = catalog(("Emma", 1996, "tt2"), ("Emma", 1996, "tt1"), ("Heat", 1994, "tt3"), ("Heat", 1996, "tt4"))
    later = catalog(("Emma", 1996, "tt1"))
    resolved = resolve_titles(films("Emma (1996)", "Heat (1995)"), [twice, later])
    assert resolved.links.empty
    assert resolved.ambiguous.to_numpy().tolist() == [[1, "Emma (1996)", "tt1 tt2"], [2, "Heat (1995)", "tt3 tt4"]]


def test_catalogs_are_asked_in_order():
    second = Catalog("second", [("Emma", 1996, "tt9"), ("Heat", 1995, "tt2")])
    resolved = resolve_titles(films("Emma (1996)", "Heat (1995)"), [catalog(("Emma", 1996, "tt1")), second])
    assert resolved.links[["tconst", "catalog"]].to_numpy().tolist() == [["tt1", "catalog"], ["tt2", "second"]]


def test_a_known_title_is_not_looked_up():
    resolved = resolve_titles(films("Emma (1996)", tconst=["tt7"]), [catalog(("Emma", 1996, "tt1"))])
    assert resolved.links[["tconst", "method", "confidence"]].to_numpy().tolist() == [["tt7", "known", 1.0]]


@pytest.mark.parametrize("title", ["Emma", "", "Nobody Knows It (1996)", "Emma (1994)"])
def test_a_film_that_is_not_found_is_unknown(title):
    resolved = resolve_titles(films(title), [catalog(("Emma", 1996, "tt1"))])
    assert resolved.unknown.to_numpy().tolist() == [[1, title]]
    assert resolved.links.empty


@pytest.mark.parametrize("piece", [" ", "(", "(a", "()", "(V)", ", the", "(1999)", "((a)", "&", "\u0301"])
def test_no_title_takes_longer_than_linear(piece):
    assert_linear(lambda size: [split_title(f"x{piece * size}y"), plain_name(f"x{piece * size}y")], (4_000, 32_000))
