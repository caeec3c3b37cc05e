"""The language model of reviews."""

from latentflix.language_model import LanguageModelConfig, train_language_model
from latentflix.pretrained import PretrainedModel
from tasks.stage import Artifact, Handle, Store, stage
from tasks.token_corpus import read_token_corpus


@stage("language_model", "language-model-{config.embedding_size}x{config.n_layers}")
def train_on_corpus(
    artifact: Artifact, store: Store, tokens: Handle, reviews: Handle, *pretrained: Handle, config: LanguageModelConfig
) -> None:
    """Train a language model on the reviews of all other films, from pretrained weights if there are any."""
    corpus = read_token_corpus(store, tokens)
    rows = corpus.other_rows(store.read_table(reviews, "reviews")["review_id"])
    start = [PretrainedModel(store.read_arrays(h, "weights"), store.read_json(h, "vocabulary")) for h in pretrained]
    model, history = train_language_model(corpus, rows, config, *start)
    artifact.write_arrays("weights", model.weights)
    artifact.write_json("vocabulary", model.vocabulary)
    artifact.write_table("history", history)
    artifact.metrics.update(texts=len(rows), **history.iloc[-1].to_dict())
