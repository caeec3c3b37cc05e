"""The settings of every flow, in the order in which the command line and the form of the Prefect UI show them.

What a user is likely to change comes first; folders, processes and the like come last.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from latentflix.config import ParallelConfig, setting
from latentflix.data.ratings import RatingsConfig
from latentflix.data.ratings_file import RatingsSource
from latentflix.data.title_catalogs import TitleConfig
from latentflix.factors.axis_comparison import AxisComparisonConfig
from latentflix.factors.baselines import BaselineConfig, EmbeddingBaselineConfig
from latentflix.factors.classifiers import ClassifierConfig, PredictionConfig
from latentflix.factors.comparison import ComparisonConfig
from latentflix.factors.documents import DocumentConfig
from latentflix.factors.drift import DriftConfig
from latentflix.factors.extraction import FactorConfig
from latentflix.factors.histograms import HistogramConfig
from latentflix.factors.inference import EvaluationConfig
from latentflix.factors.labels import LabelConfig
from latentflix.factors.meanings.llm_names import LlmConfig
from latentflix.factors.naming import NameConfig
from latentflix.factors.readers.registry import ReadersConfig
from latentflix.factors.tags import TagConfig
from latentflix.factors.user_groups import UserGroupConfig
from latentflix.genres.evaluation import GenreEvaluationConfig
from latentflix.genres.model import GenreConfig
from latentflix.genres.movielens_comparison import MovieLensComparisonConfig
from latentflix.genres.plot_file import PlotSource
from latentflix.genres.plot_summaries import PlotSummaryConfig
from latentflix.profiles import FULL, SENTIMENT, STUDY_WEIGHT_DECAYS, source_values
from latentflix.recommender.analysis import AnalysisConfig
from latentflix.recommender.halves import HalvesConfig
from latentflix.recommender.item_vectors import ItemFactorsSource
from latentflix.recommender.model import CollabConfig
from latentflix.recommender.trials import TrialConfig
from latentflix.report.changes import ChangesConfig
from latentflix.report.genres import GenrePageConfig
from latentflix.report.inputs import PageConfig, ReportConfig
from latentflix.report.sentiment import SentimentPageConfig
from latentflix.reviews.join import ReviewConfig
from latentflix.reviews.refresh import RefreshConfig
from latentflix.reviews.sources.registry import SourcesConfig
from latentflix.reviews.store import ReviewStoreConfig
from latentflix.reviews.texts import TextsSource
from latentflix.sentiment.classifier import SentimentClassifierConfig
from latentflix.sentiment.dataset import SentimentReviewConfig, SentimentSource
from latentflix.sentiment.evaluation import SentimentEvaluationConfig
from latentflix.sentiment.model import SentimentConfig
from latentflix.sentiment.tfidf import SentimentTfidfConfig
from latentflix.text.language_model import LanguageModelConfig
from latentflix.text.sentence_embeddings import EmbeddingConfig, LongTextStrategy
from latentflix.text.token_corpus import TokenCorpusConfig

Profile = Literal["sample", "standard", "ulmfit"]


class FlowSettings(BaseModel):
    """Where a flow runs, reads and writes. PROFILES: named sets of values, which single settings override."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    PROFILES: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    parallel: ParallelConfig = setting(ParallelConfig(), "where fits that need not wait for one another run")
    artifacts_dir: Path = setting(Path("artifacts"), "where artifacts and the report are written")
    data_dir: Path | None = setting(None, "a folder with data sets that you fetched yourself")
    cache_dir: Path | None = setting(None, "where downloads are kept; by default the user's cache folder")
    pages_url: str | None = setting(
        None, "address under which the pages in artifacts_dir are served, if they are: the run then links to its page"
    )
    json_: bool = setting(False, "print one JSON object instead of lines", alias="json")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_profile(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        values = cls.PROFILES.get(str(given.get("profile", "sample")), {})
        for own in source_values(given):
            values = _merge(values, {stage: value for stage, value in own.items() if stage in cls.model_fields})
        return _merge(values, given)


class RatedSettings(BaseModel):
    """Which ratings a flow reads."""

    ratings_source: RatingsSource = setting(
        RatingsSource(), "which ratings are read: a MovieLens set or your own files", title="Data"
    )
    ratings: RatingsConfig = setting(RatingsConfig(), "the scale of the ratings, and which items are merged")

    @property
    def data(self) -> str:
        """What a run is named after: the data that it reads."""
        return self.ratings_source.path.name if self.ratings_source.path else self.ratings_source.data_set

    @property
    def interactions(self) -> bool:
        """Whether the flow learns from interactions, likes among them, and not from stars."""
        return self.ratings_source.interactions or self.ratings.likes_from is not None

    @model_validator(mode="after")
    def _check_scale(self) -> Self:
        of_stars = (self.ratings.lowest, self.ratings.highest, self.ratings.likes_from)
        if self.ratings_source.interactions and any(end is not None for end in of_stars):
            raise ValueError(
                "interactions have no stars: leave out --ratings.lowest, --ratings.highest and --ratings.likes-from"
            )
        return self


class ProfileSettings(BaseModel):
    """The profile of a flow that has several."""

    profile: Profile = setting(
        "sample",
        "a named set of values: sample, two CPU cores and minutes; standard, a million ratings and all reviews, 20 "
        "minutes; ulmfit, the largest set, a GPU and WikiText-103. A form sends every value that it shows, and those "
        "win over the profile: for another profile run its deployment",
    )


class LanguageModelSettings(BaseModel):
    """The tokens and language models that a flow trains."""

    token_corpus: TokenCorpusConfig = setting(TokenCorpusConfig(), "how texts are tokenised")
    language_model: LanguageModelConfig = setting(
        LanguageModelConfig(), "the language model that the classifiers start from"
    )

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        model = self.language_model
        sizes = (model.embedding_size, model.hidden_size, model.n_layers)
        if model.pretrained and sizes != (400, 1152, 3):
            raise ValueError(f"the pretrained language model has the sizes 400, 1152 and 3, not {sizes}")
        return self


class _FullStages(BaseModel):
    item_factors: ItemFactorsSource = setting(
        ItemFactorsSource(), "item vectors of your own that are explained, instead of those of a recommender"
    )
    texts: TextsSource = setting(TextsSource(), "texts of your own about the items, instead of reviews")
    reviews: ReviewConfig = setting(ReviewConfig(), "which reviews are read, and from where")
    factors: FactorConfig = setting(FactorConfig(), "how factors are found, and which are stable or shared")
    labels: LabelConfig = setting(LabelConfig(), "which factors become the labels of an item")
    documents: DocumentConfig = setting(DocumentConfig(), "which items are read about, and what of their texts")
    readers: ReadersConfig = setting(ReadersConfig(), "how positions are predicted from what is written of an item")
    names: NameConfig = setting(NameConfig(), "the words, items and genres that name a factor")
    report: ReportConfig = setting(ReportConfig(), "what the page shows, and what it calls an item")
    tags: TagConfig = setting(TagConfig(), "the tags that are read beside reviews, if the ratings come with any")
    user_groups: UserGroupConfig = setting(UserGroupConfig(), "which groups of users lean to a pole, if any are known")
    llm: LlmConfig = setting(LlmConfig(), "the language model that names factors too, if any")
    collab: CollabConfig = setting(CollabConfig(), "the recommender whose factors are explained", title="Recommender")
    halves: HalvesConfig = setting(HalvesConfig(), "fits on halves of the users, which show how far factors are shared")
    trials: TrialConfig = setting(TrialConfig(), "other recommenders that it is compared with")
    analysis: AnalysisConfig = setting(AnalysisConfig(), "what is shown of the recommender itself")
    network: bool = setting(
        True, "train the language model and the classifiers; off for texts or item vectors of your own unless set"
    )
    classifier: ClassifierConfig = setting(ClassifierConfig(), "the classifiers that read reviews")
    predictions: PredictionConfig = setting(PredictionConfig(), "how reviews are predicted")
    histograms: HistogramConfig = setting(HistogramConfig(), "which predictions a histogram counts")
    evaluation: EvaluationConfig = setting(EvaluationConfig(), "how precisely the scores are measured")
    baseline: BaselineConfig = setting(BaselineConfig(), "TF-IDF and logistic regression, to compare with")
    comparison: ComparisonConfig = setting(ComparisonConfig(), "which other methods are compared")
    axis_comparison: AxisComparisonConfig = setting(AxisComparisonConfig(), "which kinds of axes are compared, if any")
    embeddings: EmbeddingConfig = setting(EmbeddingConfig(), "sentence vectors, if they are compared")
    embedding_baseline: EmbeddingBaselineConfig = setting(
        EmbeddingBaselineConfig(), "logistic regression on sentence vectors"
    )
    changes: ChangesConfig = setting(ChangesConfig(), "what counts as a change since the previous report")


def _check_model(settings: "FullSettings | CollabStudySettings") -> "FullSettings | CollabStudySettings":
    settings.collab.check_data(interactions=settings.interactions)
    return settings


# Pydantic takes the fields of the rightmost base first.
class FullSettings(FlowSettings, LanguageModelSettings, _FullStages, RatedSettings, ProfileSettings):
    """The settings of the full flow. What is not given is as the profile has it."""

    _check_recommender = model_validator(mode="after")(_check_model)
    PROFILES: ClassVar = FULL

    @property
    def data(self) -> str:
        """What a run is named after: the data that it reads."""
        return self.item_factors.path[0].name if self.item_factors.path else super().data

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        if self.histograms.source == "network" and not self.network:
            raise ValueError("histograms count what the network predicts, and no network is trained: set --network")
        return self


class _CollabStudyStages(BaseModel):
    collab: CollabConfig = setting(CollabConfig(), "the recommender that is analysed", title="Recommender")
    trials: TrialConfig = setting(TrialConfig(weight_decays=STUDY_WEIGHT_DECAYS), "the recommenders that are compared")
    analysis: AnalysisConfig = setting(AnalysisConfig(), "what is shown of the recommender")
    analysis_page: PageConfig = setting(PageConfig(), "what the page calls an item")


class CollabStudySettings(FlowSettings, _CollabStudyStages, RatedSettings):
    """The settings of the collab study."""

    _check_recommender = model_validator(mode="after")(_check_model)
    PROFILES: ClassVar = {"sample": {"trials": {"weight_decays": STUDY_WEIGHT_DECAYS}}}


class _GenreStages(BaseModel):
    plot_source: PlotSource = setting(
        PlotSource(), "which plot summaries are read: the data set or your own file", title="Plots"
    )
    plot_summaries: PlotSummaryConfig = setting(
        PlotSummaryConfig(), "which genres are learned, and how plots are split"
    )
    genres: GenreConfig = setting(GenreConfig(), "the models that learn genres")
    genre_page: GenrePageConfig = setting(GenrePageConfig(), "what the page shows")
    embeddings: EmbeddingConfig = setting(EmbeddingConfig(), "the sentence vectors of the plots")
    compared_strategies: tuple[LongTextStrategy, ...] = setting(
        (), "other ways to read long plots; the one that is best on validation is used"
    )
    genre_evaluation: GenreEvaluationConfig = setting(GenreEvaluationConfig(), "how precisely the scores are measured")
    genre_comparison: MovieLensComparisonConfig = setting(
        MovieLensComparisonConfig(), "how plots are joined to MovieLens's films"
    )


class GenreSettings(FlowSettings, RatedSettings, _GenreStages):
    """The settings of the genre flow."""

    @property
    def data(self) -> str:
        """What a run is named after: the plots that it reads."""
        return self.plot_source.path.name if self.plot_source.path else "film_plots"


class _SentimentStages(BaseModel):
    sentiment_source: SentimentSource = setting(SentimentSource(), "which labelled reviews are read", title="Reviews")
    sentiment_reviews: SentimentReviewConfig = setting(
        SentimentReviewConfig(), "how reviews are split into train, valid and test"
    )
    sentiment: SentimentConfig = setting(SentimentConfig(), "how the predictor is chosen")
    sentiment_classifier: SentimentClassifierConfig = setting(
        SentimentClassifierConfig(), "the network that reads reviews"
    )
    sentiment_tfidf: SentimentTfidfConfig = setting(
        SentimentTfidfConfig(), "the words and phrases that are weighed, and the baseline"
    )
    sentiment_evaluation: SentimentEvaluationConfig = setting(
        SentimentEvaluationConfig(), "how precisely the scores are measured"
    )
    sentiment_page: SentimentPageConfig = setting(SentimentPageConfig(), "what the page shows")


class SentimentSettings(FlowSettings, LanguageModelSettings, _SentimentStages, ProfileSettings):
    """The settings of the sentiment flow. What is not given is as the profile has it."""

    PROFILES: ClassVar = SENTIMENT

    @property
    def data(self) -> str:
        """What a run is named after: the reviews that it reads."""
        return self.sentiment_source.path.name if self.sentiment_source.path else "imdb_reviews"


class _RefreshStages(BaseModel):
    sources: SourcesConfig = setting(SourcesConfig(), "which sources of reviews are queried, and how")
    films: Literal["linked", "report", "own"] = setting(
        "linked",
        "linked: all rated films whose IMDb id is known; report: those that the last report shows; own: all items, of "
        "whatever kind, by the ids of their own source, which a file of reviews names too",
    )
    tconsts: tuple[str, ...] = setting((), "IMDb ids of the films instead, as tt0114709")
    store: ReviewStoreConfig = setting(ReviewStoreConfig(), "the review store")
    refresh: RefreshConfig = setting(RefreshConfig(), "when a film is queried again, and how often on failure")
    drift: DriftConfig = setting(DriftConfig(), "when a histogram counts as drifted")
    titles: TitleConfig = setting(TitleConfig(), "how titles without an IMDb id are resolved")


class RefreshSettings(FlowSettings, RatedSettings, _RefreshStages):
    """The settings of a refresh of the review store."""

    @property
    def data(self) -> str:
        """What a run is named after: the sources that it queries."""
        return "-".join(self.sources.names)


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**base, **over}
    for name in base.keys() & over.keys():
        if isinstance(base[name], Mapping) and isinstance(over[name], Mapping):
            merged[name] = _merge(base[name], over[name])
    return merged
