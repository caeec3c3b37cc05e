"""The arguments of `explain`: its settings and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from latentflix.config import setting
from latentflix.errors import DataError, SettingsError
from latentflix.factors.documents import (
    DocumentConfig,
)
from latentflix.factors.extraction import FactorConfig
from latentflix.factors.histograms import HistogramConfig
from latentflix.factors.inference import EvaluationConfig
from latentflix.factors.labels import LabelConfig
from latentflix.factors.naming import NameConfig
from latentflix.factors.readers.registry import ReadersConfig
from latentflix.recommender.vector_files import Vectors, frame_vectors
from latentflix.report.inputs import ReportConfig


class ExplainSettings(BaseModel):
    """The settings of `explain`, by stage, as those of the full flow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factors: FactorConfig = setting(FactorConfig(), "how vectors become factors")
    labels: LabelConfig = setting(LabelConfig(), "which factors an item stands for")
    documents: DocumentConfig = setting(DocumentConfig(), "which items are read about, and what of their texts")
    readers: ReadersConfig | None = setting(None, "how positions are predicted; None: as `fit_to_size` says")
    names: NameConfig = setting(NameConfig(), "the words that name a factor")
    evaluation: EvaluationConfig = setting(EvaluationConfig(), "how precisely the scores are measured")
    histograms: HistogramConfig = setting(HistogramConfig(), "for which labels a text votes")
    report: ReportConfig = setting(ReportConfig(), "what the page shows")


def read_settings(given: Mapping[str, Any], item_noun: str, text_noun: str, *, english: bool) -> ExplainSettings:
    """The settings of all steps. Raises SettingsError if one is unknown or out of bounds."""
    own: dict[str, dict[str, Any]] = {
        "documents": {"english": english},
        "report": {
            "item_noun": item_noun,
            "text_noun": text_noun,
            "category_noun": "category",
            "category_nouns": "categories",
            "origin": "",
            "passage_share": 1.0,
        },
    }
    merged = {**own, **{name: {**own.get(name, {}), **dict(values)} for name, values in given.items()}}
    try:
        return ExplainSettings.model_validate(merged)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SettingsError(
            "a setting is wrong",
            where=f"settings: {'.'.join(map(str, first['loc']))}",
            found=repr(first["input"])[:60],
            expected=first["msg"],
        ) from error


def read_fits(
    item_factors: pd.DataFrame | Sequence[pd.DataFrame], user_factors: pd.DataFrame | Sequence[pd.DataFrame] | None
) -> tuple[list[Vectors], list[Vectors], list[str]]:
    """The vectors of the fits, those of their users, and what errors call them. Raises DataError."""
    fits = [item_factors] if isinstance(item_factors, pd.DataFrame) else list(item_factors)
    users = [user_factors] if isinstance(user_factors, pd.DataFrame) else list(user_factors or [])
    if not fits:
        raise DataError("there are no item vectors", where="item_factors", expected="a table, or one for each fit")
    if users and len(users) != len(fits):
        raise DataError(
            "there are not as many tables of users as of items",
            where="user_factors",
            found=f"{len(users)}",
            expected=f"{len(fits)}",
        )
    where = ["item_factors"] if len(fits) == 1 else [f"item_factors[{number}]" for number in range(len(fits))]
    items = [frame_vectors(with_ids(table, name), "item_id", name) for table, name in zip(fits, where, strict=True)]
    of_users = [frame_vectors(with_ids(table, "user_factors"), "item_id", "user_factors") for table in users]
    return items, of_users, where


def with_ids(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """The table with a column item_id, which may be its index."""
    if not isinstance(table, pd.DataFrame):
        raise DataError("an argument is not a table", where=where, found=type(table).__name__, expected="a DataFrame")
    return table if "item_id" in table else table.rename_axis("item_id").reset_index()
