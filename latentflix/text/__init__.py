"""Tokens, language models and classifiers of texts."""
