"""Readers: each learns from some items what their positions have to do with what is known of them."""
