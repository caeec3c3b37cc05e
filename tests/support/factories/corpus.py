"""Texts as a token corpus, without an artifact."""

from collections.abc import Sequence

from latentflix.text.token_corpus import TokenCorpus, TokenCorpusConfig, tokenize_corpus


def make_corpus(texts: Sequence[str]) -> TokenCorpus:
    return tokenize_corpus(len(texts), [texts], TokenCorpusConfig())
