"""latentflix says in words what a recommender's latent factors mean."""
