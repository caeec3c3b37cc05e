"""What the report is made of, and how much of it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from latentflix.artifacts import Handle, Manifest, Store
from latentflix.config import StageConfig, setting
from latentflix.factors.axis_comparison import AxisComparison
from latentflix.factors.classifiers import Classifiers
from latentflix.factors.comparison import Comparison
from latentflix.factors.meanings.llm_names import LlmNames
from latentflix.factors.tags import TagFindings
from latentflix.factors.user_groups import UserGroups
from latentflix.recommender.analysis import Analysis
from latentflix.recommender.trials import Trials
from latentflix.report.changes import Changes
from latentflix.report.formatting import Nouns, read_nouns

# The stages whose artifacts `read_network` reads, and those that they were made from.
NETWORK_STAGES = (
    *("token_corpus", "language_model", "classifier", "predictions", "baseline", "network"),
    *("label_evaluation", "comparison"),
)
Noun = Annotated[str, Field(min_length=1)]


class PageConfig(StageConfig):
    """What a page calls an item, and what the recommender learned from."""

    item_noun: Noun = setting("film", "what pages and commands call an item")
    item_nouns: str = setting("", "what they call several items; empty: the noun with an s")
    origin: str = setting(
        "ratings",
        "what the recommender learned its factors from: ratings, interactions, likes, or as you call them; "
        "empty: it is not known",
    )

    @property
    def nouns(self) -> Nouns:
        """What things are called."""
        return read_nouns(dict(self))


class ReportConfig(PageConfig):
    """What the page shows, and what it calls things."""

    text_noun: Noun = setting("review", "what the page calls a text about an item")
    text_nouns: str = setting("", "what it calls several texts; empty: the noun with an s")
    category_noun: Noun = setting("genre", "what it calls a category of items")
    category_nouns: str = setting("", "what it calls several categories; empty: the noun with an s")
    n_passages: int = setting(3, "passages of reviews for each pole", ge=1, le=20)
    passage_length: int = setting(280, "longest passage", unit="characters", ge=80, le=2000)
    passage_share: float = setting(0.5, "largest share of a review that a passage may show", gt=0, le=1)
    passage_items: int = setting(25, "items of a pole, the furthest out, whose reviews passages are taken from", ge=1)
    max_items: int = setting(2000, "items that get a histogram at most, those with most reviews", ge=1)
    min_reviews: int = setting(1, "reviews an item needs to get a histogram", ge=1)


@dataclass(frozen=True)
class NetworkFindings:
    """How the language model and its classifiers were trained, and how well they predict labels.

    The tables are those of the stages of the same names. overall: the mean scores, and AUCs over single reviews.
    """

    label_scores: pd.DataFrame
    overall: Mapping[str, Any]
    comparison: Comparison
    rare: pd.DataFrame
    language_model_history: pd.DataFrame
    language_model_rates: pd.DataFrame
    sentences: pd.DataFrame
    classifier_history: pd.DataFrame


def read_network(store: Store, handles: Sequence[Handle]) -> NetworkFindings | None:
    """Read what the network came to from the artifacts of the NETWORK_STAGES; None without any."""
    by_stage = {handle.stage: handle for handle in handles}
    if not by_stage:
        return None
    model, comparison = by_stage["language_model"], by_stage["comparison"]
    return NetworkFindings(
        label_scores=store.read_table(by_stage["label_evaluation"], "labels"),
        overall=store.manifest(by_stage["label_evaluation"]).metrics | store.manifest(by_stage["network"]).metrics,
        comparison=store.read(comparison, Comparison),
        rare=store.read_table(comparison, "rare"),
        language_model_history=store.read_table(model, "history"),
        language_model_rates=store.read_table(model, "rates"),
        sentences=store.read_table(model, "sentences"),
        classifier_history=store.read_field(by_stage["classifier"], Classifiers, "history"),
    )


@dataclass(frozen=True)
class RecommenderFindings:
    """The recommender that was trained, and those that it is compared with."""

    trials: Trials
    analysis: Analysis


def read_recommender(store: Store, handles: Sequence[Handle]) -> RecommenderFindings | None:
    """Read what was found of the recommender from the artifacts of its trials and analysis; None without any."""
    by_stage = {handle.stage: handle for handle in handles}
    if not by_stage:
        return None
    return RecommenderFindings(store.read(by_stage["trials"], Trials), store.read(by_stage["analysis"], Analysis))


@dataclass(frozen=True)
class ReportInputs:
    """Everything the report is made of: the tables of the stages, as those write them, and all their manifests.

    network, recommender, changes: None if no network read, no recommender was trained, or no report can be compared.
    tags: what tags say, if the ratings came with any. axis_comparison: kinds of axes, if they were compared.
    llm_names: the phrases of a language model, if one was asked.
    user_groups: which groups of users lean to which pole, if it is known who the users are.
    """

    items: pd.DataFrame
    scores: pd.DataFrame
    axes: pd.DataFrame
    item_labels: pd.DataFrame
    labels: pd.DataFrame
    reviews: pd.DataFrame
    axis_scores: pd.DataFrame
    reader_scores: pd.DataFrame
    kind_scores: pd.DataFrame
    overall: Mapping[str, Any]
    terms: pd.DataFrame
    pole_items: pd.DataFrame
    genres: pd.DataFrame
    name_tests: pd.DataFrame
    names: Mapping[str, str]
    shares: pd.DataFrame
    most_frequent: str
    manifests: Sequence[Manifest]
    network: NetworkFindings | None = None
    recommender: RecommenderFindings | None = None
    changes: Changes | None = None
    tags: Sequence[TagFindings] = ()
    axis_comparison: Sequence[AxisComparison] = ()
    llm_names: Sequence[LlmNames] = ()
    user_groups: Sequence[UserGroups] = ()

    def manifest(self, stage: str) -> Manifest:
        """The manifest of a stage; of one that made several artifacts, the last."""
        return {manifest.stage: manifest for manifest in self.manifests}[stage]
