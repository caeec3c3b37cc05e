import re

import pandas as pd
import pyarrow as pa
import pytest

from latentflix.data.large_movie import review_links
from latentflix.errors import DataError, NotEnoughData, StoreError
from latentflix.reviews.films import films_of_own
from latentflix.reviews.join import (
    Coverage,
    ReviewConfig,
    check_reviews,
    gather_reviews,
    held_out_texts,
    imdb_links,
    join_reviews,
    read_stored_reviews,
    with_store_version,
)
from latentflix.reviews.sources.file import FileConfig, FileSource
from latentflix.reviews.sources.protocol import query
from latentflix.reviews.store import ReviewStore, to_arrow
from latentflix.text.cleaning import text_id
from tests.support.synthetic_reviews import BEGAN, make_links, review, sha256, write

ITEMS = pd.DataFrame(
    {"title": ["Emma", "Heat", "Fargo"], "tconst": ["tt1", "tt2", None]}, index=pd.Index([1, 2, 3], name="item_id")
)
COLUMNS = {"review_id": "str", "item_id": "int32", "tconst": "str", "text": "str", "stars": "Int8"}
ARTICLE = re.compile(r", (The|A|An|Les|La|Le|Il|Das|Der)$")


def corpus(*texts):
    return pd.DataFrame({"text": list(texts), "positive": 1})


def join(texts, linked, item_ids=(1, 2, 3), items=ITEMS):
    return join_reviews(corpus(*texts), items, pd.Series(item_ids), make_links(*linked), ReviewConfig())


@pytest.fixture(scope="module")
def joined(imdb_reviews, movielens):
    items = movielens.items
    return join_reviews(imdb_reviews, items, pd.Series(items.index), review_links(), ReviewConfig())


def test_review_links_are_as_they_were_gathered_and_all_of_reviews_of_the_data_set(imdb_reviews):
    table = review_links()
    assert table.dtypes.astype(str).to_dict() == {"review_sha256": "str", "tconst": "str", "rating": "int8"}
    assert len(table) == 24_964
    assert table["review_sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert table["tconst"].str.fullmatch(r"tt\d{7,8}").all()
    assert sorted(table["rating"].unique()) == [1, 2, 3, 4, 7, 8, 9, 10]
    assert set(table["review_sha256"]) == set(imdb_reviews["text"].map(sha256))


def test_only_items_with_an_imdb_id_are_linked():
    assert imdb_links(ITEMS).to_dict("list") == {"item_id": [1, 2], "tconst": ["tt1", "tt2"]}
    assert imdb_links(ITEMS[["title"]]).empty
    with pytest.raises(NotEnoughData, match="0 of them linked to IMDb.*that the items have IMDb ids"):
        join(["of emma"], [("of emma", "tt1", 8)], items=ITEMS[["title"]])


def test_items_of_the_same_imdb_title_are_merged(movielens, movielens_tables):
    assert movielens_tables["items"]["tconst"].dropna().duplicated().sum() == 15
    assert imdb_links(movielens.items)["tconst"].is_unique


def test_the_reviews_of_movielens_are_as_measured(joined, imdb_reviews):
    table, coverage = joined
    assert coverage == Coverage(
        items_asked=1664, items_linked=1334, items_with_review=102, reviews=1340, ambiguous_reviews=0
    )
    assert coverage.sentence() == (
        "1,664 items asked for, 1,334 of them linked to IMDb, 102 with a review, 1,340 reviews; "
        "0 reviews left out because they belong to several items"
    )
    assert table.dtypes.astype(str).to_dict() == COLUMNS
    assert table["review_id"].is_unique
    assert table["review_id"].is_monotonic_increasing
    assert list(table["review_id"]) == [sha256(text) for text in table["text"]]
    positive = dict(zip(imdb_reviews["text"], imdb_reviews["positive"], strict=True))
    assert [stars > 5 for stars in table["stars"]] == [positive[text] == 1 for text in table["text"]]


@pytest.mark.parametrize(
    ("title", "n_reviews", "word", "share"),
    [
        ("Hamlet (1996)", 30, "hamlet", 0.95),
        ("Titanic (1997)", 30, "titanic", 0.8),
        ("Shining, The (1980)", 30, "shining|kubrick", 0.9),
        ("Emma (1996)", 30, "emma|austen", 0.9),
        ("Jane Eyre (1996)", 13, "jane eyre", 1),
        ("Sgt. Bilko (1996)", 11, "bilko", 0.5),
        ("Theodore Rex (1995)", 26, "rex|dinosaur|whoop", 0.8),
        ("Kazaam (1996)", 19, "kazaam|genie|shaq", 0.9),
        ("Return of the Jedi (1983)", 30, "jedi|star wars|ewok", 0.95),
    ],
)
def test_reviews_of_known_films_mention_them(joined, movielens, title, n_reviews, word, share):
    table, _ = joined
    own = table["item_id"] == movielens.items.index[movielens.items["title"] == title][0]
    speaks = table["text"].str.contains(word, case=False)
    assert own.sum() == n_reviews
    assert speaks[own].mean() >= share
    assert speaks[~own].mean() < 0.06


def test_reviews_name_their_own_film_and_hardly_ever_another(joined, movielens):
    table, _ = joined
    items = movielens.items
    names = items["title"].str.replace(r"\s*\(.*", "", regex=True).str.replace(ARTICLE, "", regex=True).str.lower()
    own = table["item_id"].map(names)
    # The same names, assigned to the reviews of the films half the table away.
    ordered = table.assign(name=own).sort_values("item_id", ignore_index=True)
    other = ordered["name"].to_numpy()[(ordered.index + len(ordered) // 2) % len(ordered)]
    named = [name in text.lower() for name, text in zip(ordered["name"], ordered["text"], strict=True)]
    named_other = [name in text.lower() for name, text in zip(other, ordered["text"], strict=True)]
    assert sum(named) / len(named) > 0.4
    assert sum(named_other) / len(named_other) < 0.03


def test_the_order_of_the_reviews_does_not_matter(joined, imdb_reviews, movielens):
    items = movielens.items
    shuffled = imdb_reviews.sample(frac=1, random_state=1)
    again = join_reviews(shuffled, items, pd.Series(items.index), review_links(), ReviewConfig())
    pd.testing.assert_frame_equal(again[0], joined[0])


def test_reviews_are_joined_by_their_text_and_a_repeated_one_counts_once():
    table, coverage = join(["of heat", "of nothing", "of emma"], [("of emma", "tt1", 8), ("of heat", "tt2", 3)])
    found = table.set_index("text")[["item_id", "tconst", "stars"]].to_dict("index")
    assert found == {
        "of emma": {"item_id": 1, "tconst": "tt1", "stars": 8},
        "of heat": {"item_id": 2, "tconst": "tt2", "stars": 3},
    }
    assert coverage == Coverage(items_asked=3, items_linked=2, items_with_review=2, reviews=2, ambiguous_reviews=0)
    table, coverage = join(["of emma", "of emma"], [("of emma", "tt1", 8), ("of emma", "tt1", 8)])
    assert list(table["text"]) == ["of emma"]
    assert (coverage.reviews, coverage.ambiguous_reviews) == (1, 0)


def test_only_known_items_that_are_asked_for_count():
    linked = [("of emma", "tt1", 8), ("of heat", "tt2", 3), ("of four", "tt4", 3)]
    table, coverage = join(["of emma", "of heat", "of four"], linked, (2, 2, 3, 4, 99))
    assert list(table["text"]) == ["of heat"]
    assert coverage == Coverage(items_asked=2, items_linked=1, items_with_review=1, reviews=1, ambiguous_reviews=0)


@pytest.mark.parametrize("other", ["tt2", "tt99"], ids=["of another item", "of no item here"])
def test_a_text_of_several_titles_is_left_out_and_counted(other):
    table, coverage = join(
        ["of emma", "of both"], [("of emma", "tt1", 8), ("of both", "tt1", 3), ("of both", other, 3)]
    )
    assert list(table["text"]) == ["of emma"]
    assert (coverage.reviews, coverage.ambiguous_reviews) == (1, 1)


@pytest.mark.parametrize(
    ("texts", "linked"),
    [
        (["of nothing"], [("of emma", "tt1", 8)]),
        (["of emma"], [("of emma", "tt99", 8)]),
        (["of both"], [("of both", "tt1", 8), ("of both", "tt2", 8)]),
    ],
    ids=["text unknown", "item unknown", "all ambiguous"],
)
def test_a_join_without_any_review_is_refused(texts, linked):
    with pytest.raises(NotEnoughData, match="no item has a review; found: 3 items asked for, 2 of them linked"):
        join(texts, linked)


@pytest.mark.parametrize("text", [None, float("nan"), 7, "", "  \n\t "], ids=repr)
def test_reviews_without_a_text_are_refused_with_their_row(text):
    table = corpus("good", text, "bad", text)
    table.index = pd.Index([7] * 4)
    found = f"{len(text)} characters" if isinstance(text, str) else "7|nan|None"
    message = rf"no text; where: row 1 \(counting from 0\), column text; 2 such rows; found: ({found}); expected: a"
    with pytest.raises(DataError, match=message):
        check_reviews(table, ReviewConfig())
    with pytest.raises(DataError, match="row 1"):
        join(["of emma", text], [("of emma", "tt1", 8)])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (corpus("good").rename(columns={"text": "review"}), "lack a column; found: review, positive; expected: a colu"),
        (corpus(), "there are no reviews; found: 0 rows"),
        (
            corpus("a" * 1000, "b" * 1001),
            r"^a review is too long; where: row 1 \(counting from 0\), column text; 1 such rows; "
            "found: 1,001 characters; expected: at most 1,000 characters",
        ),
    ],
    ids=["no column of texts", "no rows", "too long a text"],
)
def test_unusable_reviews_are_refused(table, message):
    with pytest.raises(DataError, match=message):
        check_reviews(table, ReviewConfig(max_characters=1000))


def held_out(table, linked, item_ids=(1, 2)):
    """The texts that no language model may read, where items 1 and 2 are tt1 and tt2."""
    return set(held_out_texts(table, ITEMS, pd.Series(item_ids), make_links(*linked))["text_id"])


def test_all_texts_of_items_that_are_asked_for_are_held_out(joined, movielens, imdb_reviews):
    linked = [("of emma", "tt1", 8), ("of heat", "tt2", 3), ("of both", "tt1", 5), ("of both", "tt2", 5)]
    table, _ = join(["of heat", "of nothing", "of emma", "of both"], linked)
    assert held_out(table, linked) == {sha256("of emma"), sha256("of heat"), sha256("of both")}
    table, _ = join(["of heat", "of emma"], linked, item_ids=[2])
    assert held_out(table, linked, item_ids=[2]) == {sha256("of heat"), sha256("of both")}
    texts = set(held_out_texts(joined[0], movielens.items, pd.Series(movielens.items.index), review_links())["text_id"])
    assert set(joined[0]["review_id"]) <= texts
    assert sum(text_id(text) in texts for text in imdb_reviews["text"].unique()) == 1_340


@pytest.fixture
def store(store):
    store.merge([review("tt1", 1, "of <b>emma</b>", rating=8.0, attribution="by Ann"), review("tt2", 1)], BEGAN)
    return store


def stored(store, item_ids=(1, 2, 3), **settings):
    config = with_store_version(ReviewConfig(store=store.uri, **settings))
    return gather_reviews(corpus("of the corpus"), ITEMS, pd.Series(item_ids), make_links(), config)


def test_reviews_are_read_from_a_store_if_one_is_named(store):
    table, coverage = stored(store)
    assert table.dtypes.astype(str).to_dict() == {**COLUMNS, "kind": "str", "source": "str", "attribution": "str"}
    (row,) = table[table["item_id"] == 1].to_dict("records")
    assert (row["text"], row["stars"], row["tconst"], row["attribution"]) == ("of  emma", 8, "tt1", "by Ann")
    assert row["review_id"] == sha256("of <b>emma</b>")
    assert pd.isna(table.set_index("item_id").loc[2, "stars"])
    assert coverage == Coverage(
        items_asked=3, items_linked=2, items_with_review=2, reviews=2, ambiguous_reviews=0, store_version=1
    )
    assert coverage.sentence().endswith("0 because no model may learn from them; version 1 of the review store")


@pytest.mark.parametrize("rating", [1000.0, float("nan"), float("inf")])
def test_a_stored_rating_out_of_bounds_is_read_as_missing(store, rating):
    rows = to_arrow([review("tt1", 9, rating=9.0)], BEGAN)
    place = rows.schema.get_field_index("rating")
    store.reviews.append(rows.set_column(place, rows.schema.field(place), pa.array([rating], pa.float32())))
    table, _ = stored(store)
    assert table.set_index("review_id")["stars"].isna()[review("tt1", 9).content_sha256]


def test_texts_without_permission_to_train_or_of_several_items_are_left_out_and_counted(store):
    text = write("both")
    store.merge([review("tt1", number, training_allowed=False) for number in (2, 3)], BEGAN)
    store.merge([review("tt1", 4, text), review("tt2", 4, text)], BEGAN)
    table, coverage = stored(store)
    assert len(table) == coverage.reviews == 2
    assert (coverage.unlicensed_reviews, coverage.ambiguous_reviews) == (2, 1)


def test_only_texts_of_the_kinds_and_lengths_of_the_settings_are_read_from_a_store(store):
    store.merge([review("tt1", 2, kind="plot"), review("tt1", 3, kind="reception")], BEGAN)
    assert len(stored(store)[0]) == 2
    assert len(stored(store, kinds=("review", "plot"))[0]) == 3
    assert len(stored(store, kinds=("reception",))[0]) == 1
    store.merge([review("tt1", 4, "<p></p>"), review("tt1", 5, "long " * 30)], BEGAN)
    assert len(stored(store, max_characters=100)[0]) == 1
    assert len(stored(store)[0]) == 3


def test_a_stored_text_is_measured_before_it_is_made_plain(store):
    store.merge([review("tt1", 4, "<b>" * 50 + "short")], BEGAN)
    assert "short" not in set(stored(store, max_characters=100)[0]["text"])
    assert "short" in set(stored(store)[0]["text"])


def test_the_version_of_the_store_is_part_of_the_settings_of_a_store_alone(store):
    store.merge([review("tt1", 2)], BEGAN)
    newest, older = (with_store_version(ReviewConfig(store=store.uri, store_version=version)) for version in (None, 1))
    assert (newest.store_version, older.store_version) == (2, 1)
    assert newest.store_id == older.store_id == store.table_id()
    assert "store" not in newest.model_dump()
    assert len(stored(store, store_version=1)[0]) == 2
    assert len(stored(store)[0]) == 3
    assert with_store_version(ReviewConfig()) == ReviewConfig()


def test_a_store_that_cannot_be_used_is_refused(store, tmp_path):
    with pytest.raises(StoreError, match="there is no review store; where: .*none"):
        with_store_version(ReviewConfig(store=str(tmp_path / "none")))
    assert not (tmp_path / "none").exists()
    with pytest.raises(StoreError, match="this is another review store; where: .*; found: .*; expected: mine"):
        with_store_version(ReviewConfig(store=store.uri, store_id="mine"))
    with pytest.raises(StoreError, match="no such version; where: .*; found: version 7; expected: 0 to 1"):
        with_store_version(ReviewConfig(store=store.uri, store_version=7))
    with pytest.raises(NotEnoughData, match="no item has a review; found: 1 items asked for.*fill the store"):
        stored(store, item_ids=(3,))


def test_texts_of_the_store_are_held_out_as_they_are_read(store):
    table, _ = stored(store)
    linked = [("of emma elsewhere", "tt1", 8), ("of nothing", "tt9", 3)]
    assert held_out(table, linked) == {*map(sha256, table["text"]), sha256("of emma elsewhere")}


def test_a_store_of_books_is_filled_and_read_by_the_ids_of_their_own_source(tmp_path):
    (tmp_path / "blurbs.csv").write_text("item,text\nb1,Of whales.\nb2,Of spies.\nb9,Of nothing.\n")
    source = FileSource(FileConfig(path=tmp_path / "blurbs.csv", item_column="item"))
    titles = {"title": ["W", "S", "N"], "source_id": ["b1", "b2", "b3"]}
    items = pd.DataFrame(titles, index=pd.Index([1, 2, 3], name="item_id"))
    store = ReviewStore(str(tmp_path / "store"))
    answers = [query(source, film, "") for film in films_of_own(items)]
    assert [answer.outcome for answer in answers] == ["ok", "ok", "not_covered"]
    store.merge([each for answer in answers for each in answer.reviews], BEGAN)
    config = ReviewConfig(store=str(tmp_path / "store"), ids="own")
    found, coverage = read_stored_reviews(items, items.index.to_series(), config)
    assert dict(zip(found["item_id"], found["text"], strict=True)) == {1: "Of whales.", 2: "Of spies."}
    assert coverage.sentence().startswith("3 items asked for, 3 of them with an id of their own, 2 with a review")
