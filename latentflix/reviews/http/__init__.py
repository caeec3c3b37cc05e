"""Polite, cached HTTP."""
