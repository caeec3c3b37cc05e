"""Reviews whose sentiment is planted in their words, so that a small model finds it."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from fastai.text.core import defaults

from latentflix.artifacts import Handle
from latentflix.calibration import fit_stacking
from latentflix.config import StageConfig
from latentflix.sentiment.classifier import CLASSIFIER, SentimentClassifier, SentimentClassifierConfig, train_sentiment
from latentflix.sentiment.dataset import SentimentReviewConfig, prepare_sentiment
from latentflix.sentiment.evaluation import SentimentEvaluationConfig, evaluate_sentiment
from latentflix.sentiment.model import PARTS, ChosenSentiment, SentimentConfig, SentimentModel, choose_predictor
from latentflix.sentiment.tfidf import SentimentTfidf, SentimentTfidfConfig, fit_sentiment_tfidf
from latentflix.text.classifier import read_reviews
from latentflix.text.tokenizer import tokenize
from tests.support import synthetic_reviews
from tests.support.factories.corpus import untrained_language_model
from tests.support.files import large_movie_files, write_folder

GOOD = "Word1 superb wonderful word2 great charming."
BAD = "Word1 dull awful word2 boring terrible."
AWKWARD = {
    "one word": "superb",
    "long": f"{GOOD} " * 25_000,
    "one endless word": "x" * 2**20,
    "another language": "これは映画の感想です。とても良かった。",
    "html": f"<br /><p>{GOOD}</p>&amp;&#39;<script>alert(1)</script>",
    "emoji": f"🎬🍿 {GOOD} 👍🏽",
    "nul": f"nul \x00 {GOOD}",
    "half a surrogate pair": f"\ud83d {GOOD}",
    "capitals": "A" * 5000 + "a",
    "repeats": "so " * 5000,
}
WORDS = {
    True: ["superb", "moving", "wonderful", "great", "charming"],
    False: ["dull", "awful", "boring", "wasted", "terrible"],
}


@dataclass(frozen=True)
class SmallModel:
    """reviews: index review_id. classifier, tfidf, chosen: the results of the stages."""

    reviews: pd.DataFrame
    classifier: SentimentClassifier
    tfidf: SentimentTfidf
    chosen: ChosenSentiment

    @property
    def model(self) -> SentimentModel:
        return self.chosen.model


def make_reviews(seed=0, n_films=60, per_film=4, length=30, share=0.15):
    """text, positive, tconst: every film has reviews of both kinds; `share` of the words depend on the kind."""
    random = np.random.default_rng(seed)
    filler = [f"word{number}" for number in range(200)]
    rows = []
    for film in range(n_films):
        for place in range(per_film):
            positive = bool((film + place) % 2)
            words = [str(random.choice(WORDS[positive] if random.random() < share else filler)) for _ in range(length)]
            rows.append((" ".join(words).capitalize() + ".", positive, f"tt{film:07d}"))
    return pd.DataFrame(rows, columns=["text", "positive", "tconst"])


def make_links(reviews):
    """As `review_links`, of these reviews."""
    return synthetic_reviews.make_links(*reviews[["text", "tconst"]].assign(rating=5).to_numpy())


def write_archive(folder, halves):
    """A folder laid out as aclImdb is. halves: rows (text, positive, tconst) of train and test."""
    reviews = {
        (half, label): [(text, tconst, stars) for text, positive, tconst in rows if positive == (label == "pos")]
        for half, rows in halves.items()
        for label, stars in (("pos", 7), ("neg", 2))
    }
    write_folder(folder, large_movie_files(reviews))


QUICK = SentimentClassifierConfig(
    max_tokens=80,
    batch_size=16,
    dropout=0.1,
    frozen_epochs=1,
    last_two_epochs=0,
    last_three_epochs=1,
    last_three_learning_rate=2e-2,
    all_epochs=4,
    all_learning_rate=3e-2,
)


def small_model(predictor=None, backward=False):
    """What was trained on planted reviews; with a predictor, a model of that one instead of the chosen one."""
    trained = _train(backward)
    if not predictor:
        return trained
    logits = trained.tfidf.logits.assign(**{CLASSIFIER: trained.classifier.logits.iloc[:, -1]})
    valid = trained.reviews.loc[logits.index, "part"] == "valid"
    y_true = trained.reviews.loc[logits.index[valid], ["positive"]].to_numpy()
    mixture = fit_stacking([logits.loc[valid, [name]].to_numpy(float) for name in PARTS[predictor]], y_true)
    model = replace(trained.model, predictor=predictor, mixture=mixture)
    return replace(trained, chosen=replace(trained.chosen, model=model))


@cache
def _train(backward):
    reviews = prepare_sentiment(make_reviews(), make_links(make_reviews()[:0]), SentimentReviewConfig()).reviews
    counts = Counter(token for text in reviews["text"] for token in tokenize(text))
    vocabulary = [*defaults.text_spec_tok, *(token for token, _ in counts.most_common() if not token.startswith("xx"))]
    models = [untrained_model(vocabulary, seed) for seed in range(1 + backward)]
    classifier = train_sentiment(
        reviews, read_reviews(reviews["text"], vocabulary, QUICK), models[0], QUICK, *models[1:]
    )
    tfidf = fit_sentiment_tfidf(reviews, [], SentimentTfidfConfig())
    reviews = reviews.set_index("review_id")
    return SmallModel(
        reviews, classifier, tfidf, choose_predictor(classifier, QUICK, tfidf, reviews, SentimentConfig(n_folds=3))
    )


def untrained_model(vocabulary, seed=0):
    return untrained_language_model(seed, vocabulary, emb_sz=16, n_hid=16, n_layers=1)


def save(small, store):
    """The artifact of a small model."""
    handle = Handle(stage="sentiment", key="one")
    return store.ensure(handle, {}, StageConfig(), lambda artifact: artifact.write(small.chosen))


def make_predictions(n_films=200, per_film=5, seed=0):
    """Probabilities by predictor, logits by step, and the reviews."""
    random = np.random.default_rng(seed)
    n_reviews = n_films * per_film
    index = pd.Index([f"r{number}" for number in range(n_reviews)], name="review_id")
    predicted = random.random(n_reviews)
    reviews = pd.DataFrame({"positive": random.random(n_reviews) < predicted}, index)
    reviews["film"] = np.repeat([f"f{film}" for film in range(n_films)], per_film)
    reviews["part"] = np.where(np.arange(n_reviews) < n_reviews // 4, "valid", "test")
    words = np.where(random.random(n_reviews) < 0.3, 1 - predicted, predicted)
    probabilities = pd.DataFrame({"combined": predicted, "baseline": words}, index)
    steps = pd.DataFrame({"head": random.normal(size=n_reviews), "all": predicted - 0.5}, index)
    return probabilities, steps, reviews


def evaluate(case, **changes):
    """Evaluate what `make_predictions` returned."""
    config = SentimentEvaluationConfig(bootstraps=500, mistakes=5, **changes)
    probabilities, steps, reviews = case
    return evaluate_sentiment(probabilities, "combined", steps, reviews, config)
