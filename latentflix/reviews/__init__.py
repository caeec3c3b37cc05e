"""Collecting reviews, storing them and joining them to items."""
