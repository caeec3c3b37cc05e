"""Meanings of factors in words of one's own: how well a phrase says where items stand."""
