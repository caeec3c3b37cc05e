"""Genres from plot summaries."""
