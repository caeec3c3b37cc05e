"""From common axes to labels, to predictions from reviews, to names."""
