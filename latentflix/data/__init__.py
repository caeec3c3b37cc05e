"""Ratings, items and data sets as tables."""
