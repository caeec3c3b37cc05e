"""Kinds of axes compared on the same fits and reviews: stability, how well words predict them, names, monosemanticity.

By default on MovieLens 100K and the reviews of the sample; `--ratings.path` and `--reviews` name csv files instead.
Run it with `python -m benchmarks.axes`; for MovieLens 1M give `--collab.model bayes --collab.n-factors 20` as well.
"""

from pathlib import Path

import pandas as pd
from pydantic import BaseModel, Field

from benchmarks.output import print_results, say
from flows.command_line import parse_command_line
from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.data.ratings import Ratings, RatingsConfig, read_ratings
from latentflix.data.ratings_file import RatingsSource, load_ratings_source, with_fingerprint
from latentflix.factors.axis_comparison import ComparedAxesConfig, compare_axes
from latentflix.factors.documents import DocumentConfig, gather_documents
from latentflix.factors.readers.registry import build_readers
from latentflix.factors.readers.topics import find_topics
from latentflix.recommender.fit import fit_recommender, seed_groups
from latentflix.recommender.halves import HalvesConfig, fit_halves
from latentflix.recommender.latent_factors import LatentFactors
from latentflix.recommender.model import CollabConfig, seed_fits
from latentflix.reviews.join import ReviewConfig, film_of_each, held_out_texts, join_reviews

ALL_KINDS = ("varimax", "pca", "ica", "sparse", "none")


class AxesSettings(BaseModel):
    """Which kinds of axes are compared, and on what."""

    axes: ComparedAxesConfig = Field(
        ComparedAxesConfig(kinds=ALL_KINDS), description="the kinds, and how each is measured"
    )
    ratings: RatingsSource = Field(RatingsSource(), description="the ratings: a MovieLens set, or your own files")
    reviews: Path | None = Field(None, description="a csv file of reviews: item_id, text; not given: the sample's")
    other_texts: Path | None = Field(None, description="a csv file of texts of other items, for topics: text")
    documents: DocumentConfig = Field(DocumentConfig(), description="which items are read about")
    collab: CollabConfig = Field(CollabConfig(), description="the fits")
    halves: HalvesConfig = Field(HalvesConfig(), description="the fits on halves of the users")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def load_ratings(source: RatingsSource) -> Ratings:
    """The ratings and items, checked."""
    fetched = DataSetConfig(name=source.data_set)
    tables = load_ratings_source(with_fingerprint(source)) if source.path else load_data_set(fetched)
    return read_ratings(tables["ratings"], tables["items"], RatingsConfig(), tables["scale"])


def load_reviews(settings: AxesSettings, items: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Reviews of the items (review_id, item_id, text), texts for topics, and the ids of those left out of them."""
    if settings.reviews:
        reviews = pd.read_csv(settings.reviews).assign(review_id=lambda table: table.index.astype("str"))
        others = pd.read_csv(settings.other_texts)["text"] if settings.other_texts else pd.Series([], dtype="str")
        return reviews, others, pd.Series([], dtype="str")
    texts = load_data_set(DataSetConfig(name="imdb_reviews"))["reviews"]
    item_ids, films = items.index.to_series(), film_of_each(texts)
    reviews, _ = join_reviews(texts, items, item_ids, films, ReviewConfig())
    return reviews, texts["text"], held_out_texts(reviews, items, item_ids, films)["text_id"]


def fit(ratings: pd.DataFrame, config: CollabConfig) -> tuple[list[LatentFactors], int]:
    """The fits of all groups of seeds, and the epochs that validation chose for them."""
    groups = [fit_recommender(ratings, group) for group in seed_groups(config)]
    epochs = int(groups[-1].valid_loss.mean(axis=1).argmin()) + 1
    return [each for group in groups for each in seed_fits(group)], epochs


def main() -> None:
    """Print a row for each kind, and what chance gives."""
    settings = parse_command_line(AxesSettings, "python -m benchmarks.axes")
    data = load_ratings(settings.ratings)
    fits, epochs = fit(data.ratings, settings.collab)
    say(f"{len(fits)} fits")
    pairs = range(settings.halves.n_pairs)
    halves, _ = fit_halves(data.ratings, settings.collab, epochs, settings.halves, pairs)
    reviews, others, left_out = load_reviews(settings, data.items)
    documents = gather_documents(reviews, data.items, settings.documents)
    config = settings.axes.readers
    topics = find_topics(documents, others, left_out, config.topics, mask=config.mask_names)
    means = data.ratings.groupby("item_id")["rating"].mean()
    readers = build_readers(documents, data.items, means, topics, [], config)
    say(f"{len(documents.items)} items with reviews")
    compared = compare_axes(fits, halves.pairs(), documents, data.items, readers, settings.axes)
    chance = {
        f"alike by {name}, {of}": float(compared.chance.loc[of, name])
        for name in compared.chance
        for of in compared.chance.index
    }
    print_results(compared.kinds.reset_index(), chance, as_json=settings.json_)


if __name__ == "__main__":
    main()
