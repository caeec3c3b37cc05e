import numpy as np
import pandas as pd
import pytest

from latentflix.errors import DataError
from latentflix.sentiment.dataset import (
    SentimentReviewConfig,
    SentimentSource,
    load_sentiment_source,
    prepare_sentiment,
    split_by_group,
    with_fingerprint,
)
from latentflix.text.cleaning import text_id
from tests.support.factories.sentiment import make_links, make_reviews, write_archive
from tests.support.files import write_folder

CONFIG = SentimentReviewConfig(max_characters=1000)
TWO = [("good", True, "tt0000001"), ("bad", False, "tt0000002")]
REVIEWS = make_reviews()
NO_LINKS = make_links(REVIEWS[:0])


def prepare(table=REVIEWS, links=NO_LINKS, **changes):
    return prepare_sentiment(table, links, CONFIG.model_copy(update=changes))


def load(path):
    return load_sentiment_source(with_fingerprint(SentimentSource(path=path)))


def test_reviews_have_label_part_and_film_of_their_file(tmp_path):
    write_archive(tmp_path / "aclImdb", {"train": TWO})
    write_folder(tmp_path / "aclImdb" / "test", {"pos/0_9.txt": b"fine", "neg/0_2.txt": b"dull"})
    for path in (tmp_path, tmp_path / "aclImdb"):
        reviews = load(path)["reviews"].set_index("text")
        assert reviews["positive"].to_dict() == {"good": True, "bad": False, "fine": True, "dull": False}
        assert reviews["part"].to_dict() == {"good": "train", "bad": "train", "fine": "test", "dull": "test"}
        assert reviews["tconst"].dropna().to_dict() == {"good": "tt0000001", "bad": "tt0000002"}


def test_line_n_names_the_title_of_review_n_whatever_the_order_of_the_files(tmp_path):
    rows = [(f"text {number}", True, f"tt{number:07d}") for number in range(12)]
    write_archive(tmp_path, {"train": [*rows, ("x", False, "tt9999999")], "test": [rows[0], ("y", False, "tt8888888")]})
    reviews = load(tmp_path)["reviews"].query("part == 'train' and positive")
    assert reviews.set_index("text")["tconst"].to_dict() == {text: tconst for text, _, tconst in rows}


def test_reviews_without_a_label_are_read_unless_they_are_of_a_film_that_is_held_out(tmp_path):
    rows = list(REVIEWS.itertuples(index=False, name=None))
    write_archive(tmp_path, {"train": rows[:200], "test": rows[200:]})
    of_test, of_train, of_none = rows[-1][2], rows[0][2], "tt9999999"
    texts = ["of test", "of none", rows[0][0], "of none", ""]
    films = [of_test, of_none, of_train, of_none, of_none]
    files = {f"unsup/{number}_0.txt": text.encode() for number, text in enumerate(texts)}
    write_folder(tmp_path / "train", {**files, "urls_unsup.txt": "\n".join(films).encode()})
    prepared = prepare(load(tmp_path)["reviews"])
    assert prepared.unlabelled["text"].tolist() == ["of none"]
    unread = set(prepared.unread["text_id"])
    assert {text_id("of test"), text_id(rows[-1][0])} <= unread
    assert not {text_id("of none"), *prepared.reviews.query("part == 'train'")["review_id"]} & unread
    assert not prepared.reviews["text"].isin(["of none", "of test"]).any()
    assert prepared.left_out.empty


@pytest.mark.parametrize("lines", ["One.<br /><br />Two.", "One.\r\nTwo.", "One. <BR>\n Two.", "One. Two."])
def test_line_breaks_become_blanks(tmp_path, lines):
    write_archive(tmp_path, {"train": TWO, "test": [(lines, True, "tt0000003"), ("dull", False, "tt0000003")]})
    assert "One. Two." in set(load(tmp_path)["reviews"]["text"])


def test_a_file_that_is_not_utf_8_is_named_and_the_others_are_read(tmp_path):
    write_archive(tmp_path, {"train": TWO, "test": TWO})
    (tmp_path / "train" / "pos" / "1_8.txt").write_bytes(b"caf\xe9")
    tables = load(tmp_path)
    assert len(tables["reviews"]) == 4
    assert tables["unreadable"]["file"].tolist() == ["train/pos/1_8.txt"]
    assert tables["unreadable"]["reason"][0].startswith("not UTF-8")


def test_a_folder_of_another_kind_is_refused(tmp_path):
    with pytest.raises(DataError, match="no text in train/pos, train/neg, test/pos, test/neg"):
        with_fingerprint(SentimentSource(path=tmp_path))


def test_the_same_folder_elsewhere_is_the_same_source_and_an_altered_one_another(tmp_path):
    for name in ("a", "b"):
        write_archive(tmp_path / name, {"train": TWO, "test": TWO})
    first, second = (with_fingerprint(SentimentSource(path=tmp_path / name)) for name in ("a", "b"))
    assert first.model_dump() == second.model_dump()
    (tmp_path / "b" / "train" / "pos" / "0_7.txt").write_text("gold", encoding="utf-8")
    assert with_fingerprint(SentimentSource(path=tmp_path / "b")).sha256 != first.sha256


@pytest.mark.parametrize("seed", range(4))
def test_no_film_is_in_two_parts_and_the_parts_have_their_shares_whatever_the_seed(seed):
    reviews = prepare(seed=seed).reviews
    assert reviews.groupby("film")["part"].nunique().max() == 1
    shares = reviews["part"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.03)
    assert shares["valid"] == pytest.approx(0.12, abs=0.03)
    pd.testing.assert_frame_equal(prepare(REVIEWS.sample(frac=1, random_state=3), seed=seed).reviews, reviews)
    assert not prepare(seed=seed + 1).reviews["part"].equals(reviews["part"])


def test_films_come_from_the_links_if_the_source_has_none():
    table = REVIEWS.drop(columns="tconst")
    prepared = prepare(table, make_links(REVIEWS))
    pd.testing.assert_frame_equal(prepared.reviews, prepare().reviews)
    alone = prepare(table).reviews
    assert (alone["film"] == alone["review_id"]).all()


def test_a_source_keeps_its_own_test_half_and_its_shared_films_are_counted():
    table = REVIEWS.assign(part=np.where(REVIEWS.index < 121, "test", "train"))
    prepared = prepare(table)
    reviews = prepared.reviews.set_index("text")
    assert set(reviews.index[reviews["part"] == "test"]) == set(table["text"][:121])
    assert prepared.shared_films == 1
    rest = reviews[reviews["part"] != "test"]
    assert rest.groupby("film")["part"].nunique().max() == 1
    assert (rest["part"] == "valid").mean() == pytest.approx(0.12, abs=0.04)


def test_what_cannot_be_used_is_named_by_row():
    bad = pd.DataFrame(
        {
            "text": ["  ", None, "x" * 1001, "torn", "torn", "two films", "two films", REVIEWS["text"][0], "odd"],
            "positive": [1, 1, 1, 0, 1, 1, 1, REVIEWS["positive"][0], 7],
            "tconst": [*(["tt0000001"] * 5), "tt0000001", "tt0000002", REVIEWS["tconst"][0], "tt0000001"],
        }
    )
    prepared = prepare(pd.concat([REVIEWS, bad]))
    n_good = len(REVIEWS)
    reasons = {row - n_good: reason for row, reason in prepared.left_out.itertuples(index=False)}
    assert [reasons[row] for row in range(len(reasons))] == [
        *["no text"] * 2,
        "longer than 1,000 characters",
        *["positive in one row and negative in another"] * 2,
        *["of several films"] * 2,
        "duplicate",
        "no label 0 or 1",
    ]
    pd.testing.assert_frame_equal(prepared.reviews, prepare().reviews)


def test_a_text_in_both_halves_is_not_trained_on():
    table = pd.concat([REVIEWS.assign(part="train"), REVIEWS[:40].assign(part="test")], ignore_index=True)
    prepared = prepare(table)
    assert prepared.left_out["row"].tolist() == list(range(40))
    assert (prepared.reviews["part"] == "test").sum() == 40


def test_a_part_with_only_one_kind_is_refused():
    expected = "no positive or no negative .*; where: (train|valid|test); found: .* 0 positive"
    with pytest.raises(DataError, match=expected):
        prepare(REVIEWS.assign(positive=False))


def test_all_reviews_of_a_film_are_in_one_part_whatever_its_size():
    films = pd.Series(["big"] * 500 + [f"small{number}" for number in range(500)])
    parts = pd.Series(split_by_group(films, {"test": 0.3}, seed=0))
    assert parts.groupby(films).nunique().max() == 1
    assert set(parts) == {"test", "train"}
