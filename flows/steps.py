"""Steps that several flows share: where data come from, the language models, and how a flow ends."""

import logging
from collections.abc import Mapping
from typing import Any

from flows.command_line import FlowResult
from latentflix.artifacts import Handle
from latentflix.config import StageConfig
from latentflix.data.datasets import DataSetConfig
from latentflix.data.ratings_file import with_fingerprint
from latentflix.errors import DataUnavailable
from latentflix.factors.documents import LeftOutConfig
from latentflix.factors.readers.registry import ReadersConfig, repeat_groups
from latentflix.recommender.fit import seed_groups
from latentflix.report.formatting import PAGE
from latentflix.report.highlights import page_text
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
from tasks import data, factors, readers, recommender, text
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


def predict_positions(
    run: StageRunner,
    corpus: Handle,
    documents: Handle,
    given: Mapping[str, Any],
    config: ReadersConfig,
) -> Handle:
    """Predict positions from documents, in several tasks. given: what `predict_repeats` takes beside the documents."""
    topics = run(readers.learn_topics, documents=documents, reviews=given["reviews"], corpus=corpus, config=config)
    repeats = run.map(
        readers.predict_repeats, documents=documents, topics=topics, **given, configs=repeat_groups(config)
    )
    return run(readers.merge_positions, repeats=repeats, config=config)


def finish(
    run: StageRunner, page: Handle, sentence: str, headline: Mapping[str, Any], settings: FlowSettings
) -> FlowResult:
    """Show the page of the run and its headline in the UI, and return them."""
    publish([page_text(run.store, page, sentence, settings.artifacts_url)])
    return FlowResult(
        report=str((run.store.path(page) / PAGE).resolve()),
        headline=dict(headline),
        sentence=sentence,
        seconds=run.seconds,
        cached=run.cached,
    )
