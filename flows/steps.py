"""Steps that several flows share: where data come from, the language models, and how a flow ends."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.command_line import FlowResult
from latentflix.artifacts import Handle
from latentflix.config import StageConfig
from latentflix.data.datasets import DataSetConfig
from latentflix.data.ratings_file import with_fingerprint
from latentflix.errors import DataUnavailable
from latentflix.factors.axis_comparison import ComparedAxesConfig
from latentflix.factors.documents import LeftOutConfig
from latentflix.factors.readers.registry import ReadersConfig, repeat_groups
from latentflix.recommender.fit import seed_groups
from latentflix.recommender.halves import pair_groups
from latentflix.recommender.item_vectors import with_fingerprint as identify_vectors
from latentflix.recommender.trials import trial_configs
from latentflix.report.formatting import PAGE
from latentflix.report.highlights import page_text
from latentflix.reviews.join import with_store_version
from latentflix.reviews.texts import with_fingerprint as identify_texts
from latentflix.settings import (
    CollabStudySettings,
    FlowSettings,
    FullSettings,
    GenreSettings,
    RefreshSettings,
    SentimentSettings,
)
from latentflix.text.language_model import direction_configs
from latentflix.text.pretrained import PretrainedConfig
from tasks import axis_comparison, data, factors, readers, recommender, reviews, text
from tasks.stage import StageRunner, StageTask
from tasks.ui import publish

logger = logging.getLogger(__name__)

RatedFlowSettings = FullSettings | CollabStudySettings | GenreSettings | RefreshSettings


def fetch(run: StageRunner, settings: FlowSettings, name: str) -> Handle:
    """Fetch a data set by its name, or take it from the user's folders if it is there."""
    config = DataSetConfig(name=name, data_dir=settings.data_dir, cache_dir=settings.cache_dir)
    return run(data.fetch_data_set, config=config)


def fetch_or_read(
    run: StageRunner, settings: FlowSettings, name: str, reader: StageTask, config: StageConfig | None
) -> Handle:
    """Read the user's own files if `config` names them, else fetch the data set `name`."""
    return run(reader, config=config) if config else fetch(run, settings, name)


def load_ratings(run: StageRunner, settings: RatedFlowSettings) -> tuple[list[Handle], Handle]:
    """Load the ratings, check them, and link their items to IMDb.

    Returns the handles of the data sets that were read, that of the ratings first, and of the checked ratings.
    """
    source = settings.ratings_source
    config = with_fingerprint(source) if source.path else None
    raw = fetch_or_read(run, settings, source.data_set, data.read_ratings_file, config)
    links = _fetch_links(run, settings)
    return [raw, *links], run(data.check_ratings, source=raw, links=links, config=settings.ratings)


def _fetch_links(run: StageRunner, settings: RatedFlowSettings) -> list[Handle]:
    """Fetch the first set of links that can be had and, for its titles, MovieLens 100K; none if no links are wanted."""
    wanted = settings.ratings_source.link_sets
    if not wanted:
        return []
    links = next(filter(None, (_fetch_if_possible(run, settings, name) for name in wanted)), None)
    return list(filter(None, [links, _fetch_if_possible(run, settings, "movielens_100k")]))


def _fetch_if_possible(run: StageRunner, settings: RatedFlowSettings, name: str) -> Handle | None:
    try:
        return fetch(run, settings, name)
    except DataUnavailable as error:
        logger.warning("fewer items can be linked to IMDb: %s", error)
        return None


@dataclass(frozen=True)
class FoundFactors:
    """The factors that are explained, and what they were found in.

    Attributes:
        fits: of the recommender, or the item vectors of one's own.
        halves, recommender: the fits on halves of the users, and what trials and analysis found; none for vectors.
    """

    factors: Handle
    fits: Sequence[Handle]
    halves: Sequence[Handle] = ()
    recommender: Sequence[Handle] = ()


def load_items(run: StageRunner, settings: FullSettings) -> tuple[list[Handle], Handle]:
    """Read item vectors of the user's own and their items if there are any, else ratings: handles as `load_ratings`."""
    if not settings.item_factors.path:
        return load_ratings(run, settings)
    source = identify_vectors(settings.item_factors)
    vectors = run(data.read_item_factors, config=source)
    return [vectors], run(data.read_items, item_factors=vectors, config=source)


def find_factors(run: StageRunner, sources: Sequence[Handle], ratings: Handle, settings: FullSettings) -> FoundFactors:
    """Find factors in what `load_items` loaded: in item vectors, or by a recommender that is trained on ratings."""
    if settings.item_factors.path:
        axes = run(factors.extract, ratings=ratings, fits=sources, halves=[], config=settings.factors)
        return FoundFactors(axes, sources)
    fits = fit_until_stable(run, ratings, settings)
    tried = run.map(recommender.fit, ratings=ratings, configs=trial_configs(settings.collab, settings.trials))
    trials = run(recommender.compare_models, fits=tried, config=settings.trials)
    analysis = run(recommender.analyse, ratings=ratings, fits=fits, config=settings.analysis)
    halves = run.map(recommender.fit_user_halves, ratings=ratings, fits=fits, configs=pair_groups(settings.halves))
    axes = run(factors.extract, ratings=ratings, fits=fits, halves=halves, config=settings.factors)
    return FoundFactors(axes, fits, halves, [trials, analysis])


def fit_until_stable(run: StageRunner, ratings: Handle, settings: FullSettings) -> list[Handle]:
    """Fit the recommender by twice as many tasks each time, until the factors gain too little stability from it."""
    groups = seed_groups(settings.collab)
    n_tasks, before = min(2, len(groups)), 0.0
    while True:
        fits = run.map(recommender.fit, ratings=ratings, configs=groups[:n_tasks])
        if n_tasks == len(groups):
            return fits
        agreement = run(factors.measure_agreement, ratings=ratings, fits=fits, config=settings.factors)
        found = run.store.manifest(agreement).metrics
        stability = found["mean_stability"]
        logger.info("mean stability of the factors from %d fits: %.3f", found["fits"], stability)
        if stability - before < settings.collab.least_gain:
            return fits
        n_tasks, before = min(2 * n_tasks, len(groups)), stability


@dataclass(frozen=True)
class Texts:
    """Where texts come from.

    Attributes:
        joined: those about items.
        corpus: the reviews, also of other items, that they were taken from; none for texts of one's own.
        stored: what of `joined` is in no corpus.
    """

    joined: Handle
    corpus: Sequence[Handle] = ()
    stored: Sequence[Handle] = ()


def find_texts(run: StageRunner, ratings: Handle, settings: FullSettings) -> Texts:
    """Join the user's own texts to the items if there are any, else reviews of a corpus or of the review store."""
    if settings.texts.path:
        joined = run(reviews.join_own_texts, ratings=ratings, config=identify_texts(settings.texts))
        return Texts(joined, stored=[joined])
    if settings.reviews.ids == "own":
        joined = run(reviews.read_own_store, ratings=ratings, config=with_store_version(settings.reviews))
        return Texts(joined, stored=[joined])
    corpus = fetch(run, settings, settings.reviews.corpus)
    joined = run(reviews.join_reviews, corpus=corpus, ratings=ratings, config=with_store_version(settings.reviews))
    return Texts(joined, [corpus], [joined] if settings.reviews.store else [])


def train_language_models(
    run: StageRunner, token_corpus: Handle, held_out: Handle, settings: FullSettings | SentimentSettings
) -> list[Handle]:
    """Train a language model in each direction of the settings, the forward one first, without held-out reviews."""
    folders = {"data_dir": settings.data_dir, "cache_dir": settings.cache_dir}
    handles = []
    for config in direction_configs(settings.language_model):
        starts = [PretrainedConfig(direction=config.direction, **folders)] if config.pretrained else []
        pretrained = [run(text.fetch_pretrained, config=start) for start in starts]
        handles.append(
            run(text.train, token_corpus=token_corpus, held_out=held_out, pretrained=pretrained, config=config)
        )
    return handles


def leave_out_kinds(run: StageRunner, documents: Handle) -> list[Handle]:
    """The documents without each kind of text in turn, if they have several."""
    kinds = run.store.manifest(documents).metrics["separable_kinds"]
    return [run(readers.leave_out, documents=documents, config=LeftOutConfig(kind=kind)) for kind in kinds]


def learn_topics(run: StageRunner, texts: Texts, documents: Handle, config: ReadersConfig) -> Handle:
    """Learn topics from the corpus that the texts come from, or from the documents themselves if there is none."""
    if not texts.corpus:
        return run(readers.learn_own_topics, documents=documents, config=config)
    (corpus,) = texts.corpus
    return run(readers.learn_topics, documents=documents, reviews=texts.joined, corpus=corpus, config=config)


def predict_positions(
    run: StageRunner, texts: Texts, documents: Handle, given: Mapping[str, Any], config: ReadersConfig
) -> Handle:
    """Predict positions from documents, in several tasks. given: what `predict_repeats` takes beside the documents."""
    topics = learn_topics(run, texts, documents, config)
    repeats = run.map(
        readers.predict_repeats, documents=documents, topics=topics, **given, configs=repeat_groups(config)
    )
    return run(readers.merge_positions, repeats=repeats, config=config)


def compare_axes(
    run: StageRunner,
    found: FoundFactors,
    ratings: Handle,
    texts: Texts,
    documents: Handle,
    embeddings: Sequence[Handle],
    settings: FullSettings,
) -> list[Handle]:
    """Compare the kinds of axes that the settings name, if any. embeddings: those that the readers read."""
    if not settings.axis_comparison.kinds:
        return []
    parts = {name: getattr(settings, name) for name in ("factors", "readers", "evaluation", "names")}
    return [
        run(
            axis_comparison.compare_axes,
            ratings=ratings,
            fits=found.fits,
            halves=found.halves,
            documents=documents,
            reviews=texts.joined,
            topics=learn_topics(run, texts, documents, settings.readers),
            embeddings=embeddings,
            config=ComparedAxesConfig(**settings.axis_comparison.model_dump(), **parts),
        )
    ]


def finish(
    run: StageRunner, page: Handle, sentence: str, headline: Mapping[str, Any], settings: FlowSettings
) -> FlowResult:
    """Show the page of the run and its headline in the UI, and return them."""
    publish([page_text(run.store, page, sentence, settings.pages_url)])
    return FlowResult(
        report=str((run.store.path(page) / PAGE).resolve()),
        headline=dict(headline),
        sentence=sentence,
        seconds=run.seconds,
        cached=run.cached,
    )
