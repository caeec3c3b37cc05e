"""Reviews whose mood is planted in their words, so that a small model finds it."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from fastai.text.core import defaults
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config
from fastai.text.models.core import get_language_model

from latentflix.artifacts import Handle
from latentflix.config import StageConfig
from latentflix.sentiment.classifier import NETWORK, SentimentClassifierConfig, train_sentiment
from latentflix.sentiment.dataset import SentimentReviewConfig, prepare_sentiment
from latentflix.sentiment.model import SentimentConfig, SentimentModel, choose_predictor
from latentflix.sentiment.tfidf import SentimentTfidfConfig, fit_sentiment_tfidf
from latentflix.text.classifier import read_reviews
from latentflix.text.language_model import LanguageModel, model_weights
from latentflix.text.tokenizer import tokenize

MOODS = {
    True: ["superb", "moving", "wonderful", "great", "charming"],
    False: ["dull", "awful", "boring", "wasted", "terrible"],
}


@dataclass(frozen=True)
class SmallModel:
    """model: a SentimentModel. reviews: index review_id. network, words, chosen: what the stages before it gave."""

    model: SentimentModel
    reviews: pd.DataFrame
    network: Any
    words: Any
    chosen: Any


def make_reviews(seed=0, n_items=60, per_film=4, length=30, share=0.15):
    """text, positive, tconst: every film has reviews of both moods; `share` of the words tell the mood."""
    random = np.random.default_rng(seed)
    filler = [f"word{number}" for number in range(200)]
    rows = []
    for film in range(n_items):
        for place in range(per_film):
            positive = bool((film + place) % 2)
            words = [str(random.choice(MOODS[positive] if random.random() < share else filler)) for _ in range(length)]
            rows.append((" ".join(words).capitalize() + ".", positive, f"tt{film:07d}"))
    return pd.DataFrame(rows, columns=["text", "positive", "tconst"])


def make_links(reviews):
    """As `review_links`, of these reviews."""
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in reviews["text"]]
    return pd.DataFrame({"review_sha256": hashes, "tconst": reviews["tconst"], "rating": 5})


def write_archive(folder, halves):
    """A folder laid out as aclImdb is. halves: rows (text, positive, tconst) of train and test."""
    for half, rows in halves.items():
        for kind, positive in (("pos", True), ("neg", False)):
            (folder / half / kind).mkdir(parents=True)
            chosen = [row for row in rows if row[1] == positive]
            for number, (text, _, _) in enumerate(chosen):
                (folder / half / kind / f"{number}_{7 if positive else 2}.txt").write_text(text, encoding="utf-8")
            urls = [f"http://www.imdb.com/title/{tconst}/usercomments\n" for _, _, tconst in chosen]
            (folder / half / f"urls_{kind}.txt").write_text("".join(urls), encoding="utf-8")


def untrained_language_model(vocabulary, seed=0):
    """A language model that knows nothing, of these tokens."""
    torch.manual_seed(seed)
    sizes = {"emb_sz": 16, "n_hid": 16, "n_layers": 1}
    model = get_language_model(AWD_LSTM, len(vocabulary), {**awd_lstm_lm_config, **sizes})
    return LanguageModel(model_weights(model), list(vocabulary))


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
    """A model that was trained on planted reviews, the reviews, and what every stage said of them."""
    dealt, vocabulary, network, words, chosen = _train(backward)
    predictor = predictor or chosen.predictor
    mixture = chosen.mixtures[predictor]
    model = SentimentModel(predictor, mixture, vocabulary, network.weights, QUICK, words.words)
    return SmallModel(model, dealt.set_index("review_id"), network, words, chosen)


@cache
def _train(backward):
    dealt = prepare_sentiment(make_reviews(), make_links(make_reviews()[:0]), SentimentReviewConfig()).reviews
    counts = Counter(token for text in dealt["text"] for token in tokenize(text))
    vocabulary = [*defaults.text_spec_tok, *(token for token, _ in counts.most_common() if not token.startswith("xx"))]
    models = [untrained_language_model(vocabulary, seed) for seed in range(1 + backward)]
    tokens = read_reviews(dealt["text"], vocabulary, QUICK)
    network = train_sentiment(dealt, tokens, models[0], QUICK, *models[1:])
    words = fit_sentiment_tfidf(dealt, SentimentTfidfConfig())
    logits = words.logits.assign(**{NETWORK: network.logits.iloc[:, -1]})
    chosen = choose_predictor(logits, dealt.set_index("review_id"), SentimentConfig(n_folds=3))
    return dealt, vocabulary, network, words, chosen


def save(model, store, key, made_at=None):
    """An artifact with the model."""
    handle = Handle(stage="sentiment", key=key)
    with store.new(handle, [], StageConfig()) as artifact:
        artifact.write_arrays("model", model.arrays())
        artifact.write_json("model", model.names())
    if made_at:
        manifest = store.manifest(handle).model_copy(update={"made_at": made_at})
        (store.path(handle) / "manifest.json").write_text(manifest.model_dump_json())
    return handle
