"""Factors: common axes of several fits, item labels, their prediction from reviews, and their names."""
