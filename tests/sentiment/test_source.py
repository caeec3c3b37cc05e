import pytest

from latentflix.errors import DataError
from latentflix.sentiment.source import SentimentSource, load_sentiment_source, with_fingerprint
from tests.support.factories.sentiment import write_archive


def load(path):
    return load_sentiment_source(with_fingerprint(SentimentSource(path=path)))


def test_reviews_have_the_kind_the_half_and_the_title_of_their_place(tmp_path):
    write_archive(tmp_path / "aclImdb", {"train": [("good", True, "tt0000001"), ("bad", False, "tt0000002")]})
    (tmp_path / "aclImdb" / "test" / "pos").mkdir(parents=True)
    (tmp_path / "aclImdb" / "test" / "neg").mkdir()
    (tmp_path / "aclImdb" / "test" / "pos" / "0_9.txt").write_text("fine", encoding="utf-8")
    (tmp_path / "aclImdb" / "test" / "neg" / "0_2.txt").write_text("dull", encoding="utf-8")
    for path in (tmp_path, tmp_path / "aclImdb"):
        reviews = load(path)["reviews"].set_index("text")
        assert reviews["positive"].to_dict() == {"good": True, "bad": False, "fine": True, "dull": False}
        assert reviews["part"].to_dict() == {"good": "train", "bad": "train", "fine": "test", "dull": "test"}
        assert reviews["tconst"].dropna().to_dict() == {"good": "tt0000001", "bad": "tt0000002"}


def test_line_n_names_the_title_of_review_n_whatever_the_order_of_the_files(tmp_path):
    rows = [(f"text {number}", True, f"tt{number:07d}") for number in range(12)]
    write_archive(tmp_path, {"train": [*rows, ("x", False, "tt9999999")], "test": [rows[0], ("y", False, "tt8888888")]})
    reviews = load(tmp_path)["reviews"]
    train = reviews[reviews["part"] == "train"].set_index("text")["tconst"]
    assert [train[text] for text, _, _ in rows] == [tconst for _, _, tconst in rows]


def test_a_file_that_is_not_utf_8_is_named_and_the_others_are_read(tmp_path):
    rows = [("good", True, "tt0000001"), ("bad", False, "tt0000002")]
    write_archive(tmp_path, {"train": rows, "test": rows})
    (tmp_path / "train" / "pos" / "1_8.txt").write_bytes(b"caf\xe9")
    tables = load(tmp_path)
    assert len(tables["reviews"]) == 4
    assert tables["unreadable"]["file"].tolist() == ["train/pos/1_8.txt"]
    assert tables["unreadable"]["reason"][0].startswith("not UTF-8")


def test_a_folder_of_another_kind_is_refused(tmp_path):
    with pytest.raises(DataError, match="no text in train/pos, train/neg, test/pos, test/neg"):
        with_fingerprint(SentimentSource(path=tmp_path))


def test_the_same_folder_elsewhere_is_the_same_source_and_an_altered_one_another(tmp_path):
    rows = [("good", True, "tt0000001"), ("bad", False, "tt0000002")]
    for name in ("a", "b"):
        write_archive(tmp_path / name, {"train": rows, "test": rows})
    first, second = (with_fingerprint(SentimentSource(path=tmp_path / name)) for name in ("a", "b"))
    assert first.model_dump() == second.model_dump()
    (tmp_path / "b" / "train" / "pos" / "0_7.txt").write_text("gold", encoding="utf-8")
    assert with_fingerprint(SentimentSource(path=tmp_path / "b")).sha256 != first.sha256
