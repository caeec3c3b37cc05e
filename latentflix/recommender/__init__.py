"""Matrix factorisation from many seeds, and what the fitted models have in common."""
