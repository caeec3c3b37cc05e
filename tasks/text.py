"""Texts: tokens, language models and sentence vectors."""

from functools import partial
from pathlib import Path
from typing import Annotated

from latentflix.text.distributed import n_processes, run_processes
from latentflix.text.language_model import (
    LanguageModel,
    LanguageModelConfig,
    TrainedLanguageModel,
    train_language_model,
)
from latentflix.text.pretrained import PretrainedConfig, load_wikitext
from latentflix.text.sentence_embeddings import STAGE, EmbeddingConfig, embed_unread, known_embeddings, load_encoder
from latentflix.text.token_corpus import TokenCorpus, TokenCorpusConfig, stream_texts, tokenize_corpus
from tasks.stage import Artifact, Handle, Store, stage

# The column of texts in the table that has the stage's own name.
_TEXTS = {"plot_summaries": "plot", "reviews": "text"}


@stage("token_corpus", "token-corpus")
def tokenize(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Annotated[tuple[Handle, ...], "datasets", "sentiment_source", "reviews"],
    config: TokenCorpusConfig,
) -> None:
    """Tokenise every review of these tables, once for all stages that read it."""
    n_texts, chunks = stream_texts(*(store.file(handle, "reviews.parquet") for handle in reviews))
    corpus = tokenize_corpus(n_texts, chunks, config, artifact.folder)
    corpus.save(artifact)
    artifact.metrics.update(texts=n_texts, tokens=len(corpus.ids), distinct_tokens=len(corpus.vocabulary))


@stage("pretrained", "pretrained-wikitext-103-{config.direction}", fetches=True)
def fetch_pretrained(artifact: Artifact, _: Store, *, config: PretrainedConfig) -> None:
    """Fetch the pretrained language model and keep its weights without a pickle."""
    artifact.write(load_wikitext(config))


@stage("language_model", "language-model-{config.direction}-{config.embedding_size}x{config.n_layers}")
def train(
    artifact: Artifact,
    store: Store,
    *,
    token_corpus: Handle,
    held_out: Annotated[Handle, "reviews", "sentiment_reviews"],
    pretrained: tuple[Handle, ...],
    config: LanguageModelConfig,
) -> None:
    """Train a language model on all reviews that are not held out, from pretrained weights if there are any."""
    sources = (store, token_corpus, held_out, pretrained)
    trained = run_processes(n_processes(config.processes), _train, *sources, config, artifact.checkpoints)
    artifact.write(trained.model)
    artifact.write_table("history", trained.history)
    artifact.write_table("rates", trained.rates.curve)
    artifact.write_table("sentences", trained.sentences)
    artifact.metrics.update(
        texts=trained.texts, suggested_rate=trained.rates.suggested, **trained.history.iloc[-1].to_dict()
    )


def _train(
    store: Store,
    token_corpus: Handle,
    held_out: Handle,
    pretrained: tuple[Handle, ...],
    config: LanguageModelConfig,
    checkpoints: Path,
) -> TrainedLanguageModel:
    """What every process runs that takes part in the training."""
    corpus = TokenCorpus.load(store, token_corpus)
    rows = corpus.rows_excluding(store.read_table(held_out, "unread")["text_id"])
    start = next((store.read(handle, LanguageModel) for handle in pretrained), None)
    return train_language_model(corpus, rows, config, start, checkpoints)


@stage(STAGE, "embeddings-{config.long_texts}", fetches=True)
def embed(
    artifact: Artifact,
    store: Store,
    *,
    source: Annotated[Handle, "plot_summaries", "reviews"],
    config: EmbeddingConfig,
) -> None:
    """Compute a sentence vector for every text that has none yet."""
    texts = store.read_table(source, source.stage)[_TEXTS[source.stage]]
    known = known_embeddings(store, config)
    embeddings = embed_unread(list(texts), partial(load_encoder, config), config, known)
    artifact.write(embeddings)
    artifact.metrics.update(embeddings.summary())
