"""From labelled reviews to a page that says how well their sentiment can be told, and to a model that tells it.

Run it with `python -m flows.sentiment`; `python -m flows.sentiment --help` lists the settings.
"""

from prefect import flow

from flows.command_line import Outcome, main
from flows.conclusion import conclude
from flows.language_models import obtain_language_models
from latentflix.artifacts import Store
from latentflix.data.datasets import DataSetConfig
from latentflix.report.sentiment import sentiment_sentence
from latentflix.sentiment.source import identify_reviews
from latentflix.settings import SentimentSettings
from tasks.datasets import fetch_data_set
from tasks.sentiment import choose_sentiment_predictor
from tasks.sentiment_classifier import train_sentiment_classifier
from tasks.sentiment_evaluation import score_sentiment
from tasks.sentiment_page import write_sentiment_page
from tasks.sentiment_reviews import deal_labelled_reviews
from tasks.sentiment_source import read_sentiment_source
from tasks.sentiment_words import train_words_of_sentiment
from tasks.stage import StageRunner
from tasks.token_corpus import tokenize_all_reviews

DEFAULTS = SentimentSettings()


@flow(name="sentiment", flow_run_name="sentiment-{settings.profile}-{settings.data}", persist_result=False)
def sentiment(settings: SentimentSettings = DEFAULTS) -> Outcome:
    """Learn whether reviews are positive, and score that on reviews of films that were not read about.

    Args:
        settings: the settings of all stages; what is not said is as the profile has it
    """
    run = StageRunner(Store(settings.artifacts_dir.resolve()), settings.parallel)
    folders = {"data_dir": settings.data_dir, "cache_dir": settings.cache_dir}

    corpus = (
        run(read_sentiment_source, config=identify_reviews(settings.sentiment_source))
        if settings.sentiment_source.path
        else run(fetch_data_set, config=DataSetConfig(name="imdb_reviews", **folders))
    )
    reviews = run(deal_labelled_reviews, corpus, config=settings.sentiment_reviews)
    tokens = run(tokenize_all_reviews, corpus, config=settings.token_corpus)
    language_models = obtain_language_models(run, tokens, reviews, settings)
    classifier = run(
        train_sentiment_classifier, reviews, tokens, *language_models, config=settings.sentiment_classifier
    )
    words = run(train_words_of_sentiment, reviews, config=settings.sentiment_words)
    told = run(choose_sentiment_predictor, reviews, classifier, words, config=settings.sentiment)
    evaluation = run(score_sentiment, reviews, classifier, told, config=settings.sentiment_evaluation)
    page = run(
        write_sentiment_page,
        *(corpus, reviews, tokens, classifier, words, told, evaluation, *language_models),
        config=settings.sentiment_page,
    )
    figures = run.store.manifest(page).metrics
    return conclude(run, page, sentiment_sentence(figures), figures, settings)


if __name__ == "__main__":
    main(sentiment, SentimentSettings, "python -m flows.sentiment")
