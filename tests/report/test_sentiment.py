import re

import pandas as pd
import pytest

from latentflix.report.formatting import PAGE
from latentflix.report.sentiment import (
    SentimentPageConfig,
    build_sentiment_page,
    sentiment_sentence,
)
from tests.support.factories.report import make_manifest
from tests.support.factories.sentiment import evaluate, make_predictions

PARTS = {
    part: {"reviews": count, "films": count // 5, "positive": count // 2}
    for part, count in (("train", 3000), ("valid", 250), ("test", 750))
}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    predictions = make_predictions()
    texts = [f"<b>Review {row}</b> " + "word " * 200 for row in range(len(predictions[2]))]
    evaluation = evaluate(predictions)
    figures = build_sentiment_page(
        folder,
        SentimentPageConfig(left_out=1, excerpt_length=50),
        evaluation=evaluation,
        predictor="combined",
        trials=pd.DataFrame(
            {"predictor": ["combined", "baseline"], "accuracy": 0.9, "log_loss": 0.3, "chosen": [True, False]}
        ),
        tfidf_trials=pd.DataFrame(
            {"method": ["tfidf", "baseline"], "inverse_regularization": [1.0, 3.0], "chosen": [False, True]}
        ).assign(accuracy=0.9),
        reviews=predictions[2].assign(text=texts),
        left_out=pd.DataFrame({"row": [3, 4], "reason": ["no text", "stands under several films"]}),
        manifests=[
            make_manifest("sentiment_reviews", metrics={"parts": PARTS, "shared_films": 7}),
            make_manifest("sentiment"),
        ],
    )
    return folder, evaluation, figures


def test_the_headline_is_that_of_the_predictor_that_was_chosen(page):
    _, evaluation, figures = page
    scores = evaluation.scores.set_index("predictor")
    assert figures["accuracy"] == scores.loc["combined", "accuracy"]
    assert figures["baseline_accuracy"] == scores.loc["baseline", "accuracy"]
    sentence = sentiment_sentence(figures)
    assert sentence.startswith(f"750 reviews of 150 unseen films: accuracy {figures['accuracy']:.3f} [")
    assert "by classifier and words together, chosen on validation" in sentence


def test_every_picture_is_there_and_reviews_are_shown_as_text_and_shortened(page):
    text = (page[0] / PAGE).read_text(encoding="utf-8")
    pictures = re.findall(r'src="([^"]+)"', text)
    assert sorted(pictures) == ["calibration.png", "unfreezing.png"]
    assert all((page[0] / picture).stat().st_size > 1000 for picture in pictures)
    assert "&lt;b&gt;Review" in text
    assert "<b>Review" not in text
    assert text.count("<blockquote>") == 5
    assert all(len(quote) < 90 for quote in re.findall(r"<blockquote>(.*)</blockquote>", text))


def test_scores_steps_and_rows_left_out_are_listed(page):
    folder, evaluation, _ = page
    text = (folder / PAGE).read_text(encoding="utf-8")
    for row in evaluation.scores.to_dict("records"):
        assert f"<td>{row['accuracy']:.4f} [{row['low']:.4f}, {row['high']:.4f}]</td>" in text
    for row in evaluation.steps.to_dict("records"):
        assert f"<td>{row['step']}</td><td>{row['valid']:.4f}</td><td>{row['test']:.4f}</td>" in text
    assert "2 rows: row 3, no text." in text
    assert "3,000 reviews of 600 films (1,500 positive) in train" in text
    assert "share 7 films" in text
