"""The reviews as token ids."""

from latentflix.text.token_corpus import TokenCorpus, TokenCorpusConfig, stream_texts, tokenize_corpus
from tasks.stage import Artifact, Handle, Store, stage


@stage("token_corpus", "token-corpus")
def tokenize_all_reviews(artifact: Artifact, store: Store, *reviews: Handle, config: TokenCorpusConfig) -> None:
    """Tokenise every review of these tables, once for all that read it."""
    n_texts, chunks = stream_texts(*(store.file(handle, "reviews.parquet") for handle in reviews))
    tokenized = tokenize_corpus(n_texts, chunks, config, artifact.folder)
    artifact.write_array("ids", tokenized.ids)
    artifact.write_array("offsets", tokenized.offsets)
    artifact.write_array("counts", tokenized.counts)
    artifact.write_json("vocabulary", tokenized.vocabulary)
    artifact.write_table("texts", tokenized.text_ids.to_frame(index=False))
    artifact.metrics.update(texts=n_texts, tokens=len(tokenized.ids), distinct_tokens=len(tokenized.vocabulary))


def read_token_corpus(store: Store, handle: Handle) -> TokenCorpus:
    """The tokens of a token_corpus artifact, its arrays mapped from disk."""
    return TokenCorpus(
        ids=store.map_array(handle, "ids"),
        offsets=store.map_array(handle, "offsets"),
        vocabulary=store.read_json(handle, "vocabulary"),
        counts=store.map_array(handle, "counts"),
        text_ids=store.read_table(handle, "texts").set_index("text_id").index,
    )
