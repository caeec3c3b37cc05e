"""From Python, as in a notebook: what the factors of any recommender mean, without a server."""
