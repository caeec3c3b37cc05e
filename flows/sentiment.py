"""From labelled reviews to a page that says how well their sentiment can be predicted, and to a model that predicts it.

Run it with `python -m flows.sentiment`; `python -m flows.sentiment --help` lists the settings.
"""

from prefect import flow

from flows.command_line import FlowResult, main
from flows.steps import fetch_or_read, finish, train_language_models
from latentflix.artifacts import Store
from latentflix.report.sentiment import sentiment_sentence
from latentflix.sentiment.dataset import with_fingerprint
from latentflix.settings import SentimentSettings
from tasks import sentiment as tasks
from tasks import text
from tasks.stage import StageRunner

DEFAULTS = SentimentSettings()


@flow(name="sentiment", flow_run_name="sentiment-{settings.profile}-{settings.data}", persist_result=False)
def sentiment(settings: SentimentSettings = DEFAULTS) -> FlowResult:
    """Learn whether reviews are positive, and score that on reviews of films that were held out.

    Args:
        settings: the settings of all stages; what is not given is as the profile has it
    """
    run = StageRunner(Store(settings.artifacts_dir.resolve()), settings.parallel)
    own = settings.sentiment_source
    corpus = fetch_or_read(
        run, settings, "imdb_reviews", tasks.read_source, with_fingerprint(own) if own.path else None
    )
    reviews = run(tasks.split_reviews, corpus=corpus, config=settings.sentiment_reviews)
    tokens = run(text.tokenize, reviews=[corpus], config=settings.token_corpus)
    language_models = train_language_models(run, tokens, reviews, settings)
    classifier = run(
        tasks.train_classifier,
        reviews=reviews,
        token_corpus=tokens,
        language_models=language_models,
        config=settings.sentiment_classifier,
    )
    tfidf = run(tasks.train_tfidf, reviews=reviews, config=settings.sentiment_tfidf)
    known = {"reviews": reviews, "classifier": classifier}
    model = run(tasks.choose, **known, tfidf=tfidf, config=settings.sentiment)
    evaluation = run(tasks.evaluate, **known, sentiment=model, config=settings.sentiment_evaluation)
    page = run(
        tasks.write_page,
        **known,
        source=corpus,
        token_corpus=tokens,
        language_models=language_models,
        tfidf=tfidf,
        sentiment=model,
        evaluation=evaluation,
        config=settings.sentiment_page,
    )
    figures = run.store.manifest(page).metrics
    return finish(run, page, sentiment_sentence(figures), figures, settings)


if __name__ == "__main__":
    main(sentiment, SentimentSettings, "python -m flows.sentiment")
