"""Genres: predicted from plot summaries, compared with a TF-IDF baseline and with MovieLens."""
