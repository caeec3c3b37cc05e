"""All settings of a flow: the whole of a profile, what a user changed of it, and the command line that says so."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator
from pydantic_settings import BaseSettings, CliSettingsSource

from latentflix.config import ParallelConfig
from latentflix.data.ratings import RatingsConfig
from latentflix.data.ratings_file import RatingsSource
from latentflix.data.title_catalogs import TitleConfig
from latentflix.errors import SettingsError
from latentflix.factors.baselines import BaselineConfig, EmbeddingBaselineConfig
from latentflix.factors.comparison import ComparisonConfig
from latentflix.factors.drift import DriftConfig
from latentflix.factors.evaluation import EvaluationConfig
from latentflix.factors.extraction import FactorConfig
from latentflix.factors.histograms import HistogramConfig
from latentflix.factors.labels import LabelConfig
from latentflix.factors.naming import NameConfig
from latentflix.genres.evaluation import GenreEvaluationConfig
from latentflix.genres.model import GenreConfig
from latentflix.genres.movielens_comparison import MovieLensComparisonConfig
from latentflix.genres.plot_file import PlotSource
from latentflix.genres.plot_summaries import PlotSummaryConfig
from latentflix.recommender.analysis import AnalysisConfig
from latentflix.recommender.model import CollabConfig
from latentflix.recommender.trials import TrialConfig
from latentflix.report.changes import ChangesConfig
from latentflix.report.genres import GenrePageConfig
from latentflix.report.inputs import ReportConfig
from latentflix.report.sentiment import SentimentPageConfig
from latentflix.reviews.join import ReviewConfig
from latentflix.reviews.refresh import RefreshConfig
from latentflix.reviews.sources.registry import SourcesConfig
from latentflix.reviews.store import ReviewStoreConfig
from latentflix.sentiment.classifier import SentimentClassifierConfig
from latentflix.sentiment.dataset import SentimentReviewConfig
from latentflix.sentiment.evaluation import SentimentEvaluationConfig
from latentflix.sentiment.model import SentimentConfig
from latentflix.sentiment.source import SentimentSource
from latentflix.sentiment.tfidf import SentimentTfidfConfig
from latentflix.text.classifier import ClassifierConfig
from latentflix.text.language_model import LanguageModelConfig
from latentflix.text.predictions import PredictionConfig
from latentflix.text.sentence_embeddings import EmbeddingConfig, LongTextStrategy
from latentflix.text.token_corpus import TokenCorpusConfig

Profile = Literal["sample", "full"]
Settings = TypeVar("Settings", bound=BaseModel)

# The collab study is there for the trials, so it tries more than the full flow does.
STUDY_WEIGHT_DECAYS = (0.0, 0.1, 0.2, 0.5, 1.0)

# ULMFiT's own sizes, for which there are pretrained weights.
_ULMFIT = {
    "pretrained": True,
    "vocabulary_size": 60_000,
    "embedding_size": 400,
    "hidden_size": 1152,
    "n_layers": 3,
    "dropout": 0.3,
    "max_tokens": 100_000_000,
    "batch_size": 128,
    "sequence_length": 80,
    "frozen_epochs": 1,
    "epochs": 10,
    "learning_rate": 2e-3,
    "valid_share": 0.1,
}

# What a profile sets otherwise than the fields' own defaults.
PROFILES: dict[str, dict[str, dict[str, Any]]] = {
    "sample": {},
    "full": {
        "language_model": _ULMFIT,
        "classifier": {"n_folds": 5, "max_tokens": 1440, "batch_size": 64, "dropout": 0.5},
    },
}
SENTIMENT_PROFILES: dict[str, dict[str, dict[str, Any]]] = {
    # A small encoder that has read little has little to forget, so it may learn faster than one that has read much.
    "sample": {
        "sentiment_classifier": {"all_epochs": 5, "all_learning_rate": 5e-3},
    },
    "full": {
        "language_model": _ULMFIT,
        "sentiment_classifier": {"max_tokens": 1440, "batch_size": 64, "dropout": 0.5},
    },
}


class FlowSettings(BaseModel):
    """What every flow can be told: where it reads and writes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    artifacts_dir: Path = Field(Path("artifacts"), description="where artifacts and the report are kept")
    data_dir: Path | None = Field(None, description="a folder with data sets that were fetched by hand")
    cache_dir: Path | None = Field(None, description="where downloads are kept; by default the user's cache folder")
    artifacts_url: str | None = Field(
        None, description="address under which artifacts_dir is served, if it is: the run then links to its page"
    )
    json_: bool = Field(False, alias="json", description="print one JSON object instead of lines")
    parallel: ParallelConfig = ParallelConfig()


class RatedSettings(FlowSettings):
    """What every flow can be told that needs ratings."""

    ratings_source: RatingsSource = RatingsSource()
    ratings: RatingsConfig = RatingsConfig()

    @property
    def data(self) -> str:
        """What a run is named after: the data that it reads."""
        return _data_name(self.ratings_source.path, self.ratings_source.data_set)


class CollabStudySettings(RatedSettings):
    """The settings of the collab study."""

    collab: CollabConfig = CollabConfig()
    trials: TrialConfig = TrialConfig(weight_decays=STUDY_WEIGHT_DECAYS)
    analysis: AnalysisConfig = AnalysisConfig()

    @model_validator(mode="before")
    @classmethod
    def _fill_weight_decays(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return _merge({"trials": {"weight_decays": STUDY_WEIGHT_DECAYS}}, given)


class GenreSettings(RatedSettings):
    """The settings of the genre flow."""

    plot_source: PlotSource = PlotSource()
    plot_summaries: PlotSummaryConfig = PlotSummaryConfig()
    embeddings: EmbeddingConfig = EmbeddingConfig()
    compared_strategies: tuple[LongTextStrategy, ...] = Field(
        (), description="further ways to read long plots; the way that is best on validation is taken"
    )
    genres: GenreConfig = GenreConfig()
    genre_evaluation: GenreEvaluationConfig = GenreEvaluationConfig()
    genre_comparison: MovieLensComparisonConfig = MovieLensComparisonConfig()
    genre_page: GenrePageConfig = GenrePageConfig()

    @property
    def data(self) -> str:
        """What a run is named after: the plots that it reads."""
        return _data_name(self.plot_source.path, "film_plots")


class SentimentSettings(FlowSettings):
    """The settings of the sentiment flow. What is not said is as the profile has it."""

    profile: Profile = Field(
        "sample",
        description="a whole of settings: sample, two CPU cores and minutes; full, a GPU and WikiText-103. A form "
        "sends all it shows, and that wins over the profile: for another profile take its deployment",
    )
    sentiment_source: SentimentSource = SentimentSource()
    sentiment_reviews: SentimentReviewConfig = SentimentReviewConfig()
    token_corpus: TokenCorpusConfig = TokenCorpusConfig()
    language_model: LanguageModelConfig = LanguageModelConfig()
    sentiment_classifier: SentimentClassifierConfig = SentimentClassifierConfig()
    sentiment_tfidf: SentimentTfidfConfig = SentimentTfidfConfig()
    sentiment: SentimentConfig = SentimentConfig()
    sentiment_evaluation: SentimentEvaluationConfig = SentimentEvaluationConfig()
    sentiment_page: SentimentPageConfig = SentimentPageConfig()

    @property
    def data(self) -> str:
        """What a run is named after: the reviews that it reads."""
        return _data_name(self.sentiment_source.path, "imdb_reviews")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_profile(cls, given: Any) -> Any:
        return _fill(SENTIMENT_PROFILES, given)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        _check_sizes(self.language_model)
        return self


class RefreshSettings(RatedSettings):
    """The settings of a refresh of the review store."""

    films: Literal["linked", "report"] = Field(
        "linked", description="linked: all rated films whose IMDb id is known; report: those that the last report shows"
    )
    tconsts: tuple[str, ...] = Field((), description="IMDb ids of the films instead, as tt0114709")
    store: ReviewStoreConfig = ReviewStoreConfig()
    refresh: RefreshConfig = RefreshConfig()
    sources: SourcesConfig = SourcesConfig()
    titles: TitleConfig = TitleConfig()
    drift: DriftConfig = DriftConfig()

    @property
    def data(self) -> str:
        """What a run is named after: the sources that it asks."""
        return "-".join(self.sources.names)


class FullSettings(RatedSettings):
    """The settings of the full flow. What is not said is as the profile has it."""

    profile: Profile = Field(
        "sample",
        description="a whole of settings: sample, two CPU cores and minutes; full, a GPU and WikiText-103. A form "
        "sends all it shows, and that wins over the profile: for another profile take its deployment",
    )
    collab: CollabConfig = CollabConfig()
    trials: TrialConfig = TrialConfig()
    analysis: AnalysisConfig = AnalysisConfig()
    factors: FactorConfig = FactorConfig()
    labels: LabelConfig = LabelConfig()
    reviews: ReviewConfig = ReviewConfig()
    token_corpus: TokenCorpusConfig = TokenCorpusConfig()
    language_model: LanguageModelConfig = LanguageModelConfig()
    classifier: ClassifierConfig = ClassifierConfig()
    predictions: PredictionConfig = PredictionConfig()
    baseline: BaselineConfig = BaselineConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    comparison: ComparisonConfig = ComparisonConfig()
    embeddings: EmbeddingConfig = EmbeddingConfig()
    embedding_baseline: EmbeddingBaselineConfig = EmbeddingBaselineConfig()
    names: NameConfig = NameConfig()
    histograms: HistogramConfig = HistogramConfig()
    changes: ChangesConfig = ChangesConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="before")
    @classmethod
    def _fill_from_profile(cls, given: Any) -> Any:
        return _fill(PROFILES, given)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        _check_sizes(self.language_model)
        return self


def _data_name(path: Path | None, data_set: str) -> str:
    return path.name if path else data_set


def _fill(profiles: Mapping[str, Mapping[str, Any]], given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    return _merge(profiles.get(str(given.get("profile", "sample")), {}), given)


def _check_sizes(model: LanguageModelConfig) -> None:
    sizes = (model.embedding_size, model.hidden_size, model.n_layers)
    if model.pretrained and sizes != (400, 1152, 3):
        raise ValueError(f"the pretrained language model has the sizes 400, 1152 and 3, not {sizes}")


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**base, **over}
    for name in base.keys() & over.keys():
        if isinstance(base[name], Mapping) and isinstance(over[name], Mapping):
            merged[name] = _merge(base[name], over[name])
    return merged


def parse_command_line(settings: type[Settings], program: str, arguments: Sequence[str] | None = None) -> Settings:
    """The settings that a command line gives; without `arguments`, that of this process.

    Exits with the usage on an unknown option and with the whole help on --help. Raises SettingsError, naming the
    setting, if a value is of the wrong type or out of bounds.
    """
    source = cli_settings_source(settings, program, arguments)
    try:
        return settings.model_validate(source())
    except ValidationError as error:
        raise invalid_settings(error) from error


def cli_settings_source(
    settings: type[BaseModel], program: str, arguments: Sequence[str] | None
) -> CliSettingsSource[Any]:
    """What pydantic-settings reads from a command line for these settings: only what it says, no defaults."""
    reader = create_model("CommandLine", __base__=(settings, BaseSettings), __doc__=settings.__doc__)
    return CliSettingsSource(
        cast("type[BaseSettings]", reader),
        cli_prog_name=program,
        cli_parse_args=True if arguments is None else list(arguments),
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
    )


def invalid_settings(error: ValidationError) -> SettingsError:
    """The first of pydantic's complaints, in one line."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    return SettingsError(
        "a setting cannot be used",
        where=f"--{name.replace('_', '-')}" if name else "",
        found=repr(first.get("input")) if name else "",
        expected=first["msg"],
        hint="see --help",
    )
