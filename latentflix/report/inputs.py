"""What the report is made of, and how much of it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from latentflix.artifacts import Manifest
from latentflix.config import StageConfig, setting
from latentflix.factors.comparison import Comparison
from latentflix.factors.meanings.llm_names import LlmNames
from latentflix.factors.tags import TagFindings
from latentflix.recommender.analysis import Analysis
from latentflix.recommender.trials import Trials
from latentflix.report.changes import Changes
from latentflix.report.formatting import Nouns, read_nouns


class PageConfig(StageConfig):
    """What a page calls an item."""

    item_noun: Annotated[str, Field(min_length=1)] = setting("film", "what pages and commands call an item")
    item_nouns: str = setting("", "what they call several items; empty: the noun with an s")

    @property
    def nouns(self) -> Nouns:
        """What an item is called, and what several are."""
        return read_nouns(dict(self))


class ReportConfig(PageConfig):
    """What the page shows, and what it calls an item."""

    n_passages: int = setting(3, "passages of reviews for each pole", ge=1, le=20)
    passage_length: int = setting(280, "longest passage", unit="characters", ge=80, le=2000)
    passage_items: int = setting(25, "items of a pole, the furthest out, whose reviews passages are taken from", ge=1)
    min_reviews: int = setting(1, "reviews an item needs to get a histogram", ge=1)


@dataclass(frozen=True)
class ReportInputs:
    """Everything the report is made of: the tables of the stages, as those write them, and all their manifests.

    tags: what tags say, if the ratings came with any. llm_names: the phrases of a language model, if one was asked.
    """

    items: pd.DataFrame
    scores: pd.DataFrame
    axes: pd.DataFrame
    item_labels: pd.DataFrame
    labels: pd.DataFrame
    reviews: pd.DataFrame
    label_scores: pd.DataFrame
    axis_scores: pd.DataFrame
    reader_scores: pd.DataFrame
    kind_scores: pd.DataFrame
    overall: Mapping[str, Any]
    comparison: Comparison
    rare: pd.DataFrame
    terms: pd.DataFrame
    pole_items: pd.DataFrame
    genres: pd.DataFrame
    name_tests: pd.DataFrame
    names: Mapping[str, str]
    shares: pd.DataFrame
    most_frequent: str
    language_model_history: pd.DataFrame
    language_model_rates: pd.DataFrame
    sentences: pd.DataFrame
    classifier_history: pd.DataFrame
    trials: Trials
    analysis: Analysis
    changes: Changes
    manifests: Sequence[Manifest]
    tags: Sequence[TagFindings] = ()
    llm_names: Sequence[LlmNames] = ()

    def manifest(self, stage: str) -> Manifest:
        """The manifest of a stage; of one that made several artifacts, the last."""
        return {manifest.stage: manifest for manifest in self.manifests}[stage]
