"""Profiles, what they set, and what wins over them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.command_line import parse_command_line
from latentflix.data.ratings import RatingsConfig
from latentflix.errors import SettingsError
from latentflix.recommender.model import CollabConfig
from latentflix.report.inputs import ReportConfig
from latentflix.settings import (
    CollabStudySettings,
    FullSettings,
    SentimentSettings,
)
from latentflix.text.language_model import LanguageModelConfig

ROOT = Path(__file__).parents[1]
FULL = {"pretrained": True, "vocabulary_size": 60_000, "embedding_size": 400, "hidden_size": 1152, "n_layers": 3}
SAMPLE = LanguageModelConfig()


def parse(*arguments):
    return parse_command_line(FullSettings, "prog", arguments)


@pytest.mark.parametrize("profile", FullSettings.PROFILES)
def test_a_profile_sets_what_it_names_and_nothing_else(profile):
    settings, expected = parse("--profile", profile).model_dump(), FullSettings().model_dump()
    for stage, values in FullSettings.PROFILES[profile].items():
        for name, value in values.items():
            expected[stage][name] = expected[stage][name] | value if isinstance(value, dict) else value
    assert settings == expected | {"profile": profile}


LIKES = ("--ratings.likes-from", "4")
CLICKS = ("--ratings-source.path", "clicks.csv", "--ratings-source.rating-column", "")


@pytest.mark.parametrize(("arguments", "noun"), [(LIKES, "likes"), (CLICKS, "interactions")])
@pytest.mark.parametrize("profile", ["sample", "standard"])
def test_interactions_are_fitted_by_als_and_called_what_they_are_unless_settings_say_otherwise(
    arguments, noun, profile
):
    settings, plain = parse(*arguments, "--profile", profile), parse("--profile", profile)
    assert settings.interactions
    assert not plain.interactions
    assert settings.collab == plain.collab.model_copy(update={"model": "als"})
    assert settings.report.nouns.origin == noun
    changed = {"collab", "report", "ratings", "ratings_source"}
    assert settings.model_dump(exclude=changed) == plain.model_dump(exclude=changed)
    own = parse(*arguments, "--collab.n-factors", "7", "--report.origin", "plays")
    assert (own.collab.model, own.collab.n_factors, own.report.nouns.origin) == ("als", 7, "plays")
    study = parse_command_line(CollabStudySettings, "prog", arguments)
    assert (study.collab.model, study.analysis_page.nouns.origin) == ("als", noun)


def test_interactions_are_recognised_in_settings_given_as_objects():
    settings = FullSettings(ratings=RatingsConfig(likes_from=4))
    assert (settings.collab.model, settings.report.origin) == ("als", "likes")
    with pytest.raises(ValidationError, match="the recommender bias learns from stars, and interactions have none"):
        FullSettings(ratings=RatingsConfig(likes_from=4), collab=CollabConfig())
    assert FullSettings(report=ReportConfig(item_noun="song")).report.origin == "ratings"


@pytest.mark.parametrize("settings", [FullSettings, CollabStudySettings])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((*LIKES, "--collab.model", "bayes"), "the recommender bayes learns from stars, and interactions have none"),
        ((*CLICKS, "--collab.model", "bias"), "the recommender bias learns from stars, and interactions have none"),
        (("--collab.model", "als"), "the recommender als learns from interactions: turn stars into likes with"),
        ((*CLICKS, *LIKES), "interactions have no stars: leave out --ratings.lowest, --ratings.highest and"),
        ((*CLICKS, "--ratings.highest", "5"), "interactions have no stars"),
        (("--ratings-source.rating-column", ""), "a MovieLens set has ratings, which --ratings.likes-from turns into"),
        (("--trials.models", "als"), "Input should be 'dot', 'dot_range', 'bias', 'neural' or 'bayes'"),
    ],
)
def test_a_recommender_that_does_not_fit_the_data_is_refused_before_anything_runs(settings, arguments, expected):
    with pytest.raises(SettingsError, match=expected):
        parse_command_line(settings, "prog", arguments)


@pytest.mark.parametrize("order", [1, -1], ids=["profile first", "option first"])
def test_an_option_wins_over_the_profile(order):
    pairs = [("--profile", "ulmfit"), ("--language-model.epochs", "3")][::order]
    settings = parse(*(part for pair in pairs for part in pair))
    assert settings.language_model.epochs == 3
    assert settings.language_model.model_dump(include=FULL.keys()) == FULL
    assert (settings.classifier.n_folds, settings.classifier.max_tokens) == (5, 1440)


def test_an_option_that_says_the_default_wins_over_the_profile():
    default = SAMPLE.epochs
    assert parse("--profile", "ulmfit").language_model.epochs != default
    assert parse("--profile", "ulmfit", "--language-model.epochs", str(default)).language_model.epochs == default


def test_settings_in_a_mapping_win_over_the_profile():
    settings = FullSettings.model_validate({"profile": "ulmfit", "classifier": {"n_folds": 7}})
    assert (settings.classifier.n_folds, settings.classifier.max_tokens) == (7, 1440)


def test_settings_pass_through_json_unchanged():
    settings = parse("--profile", "ulmfit", "--json", "--data-dir", "here", "--ratings-source.path", "a.csv")
    assert FullSettings.model_validate_json(settings.model_dump_json(by_alias=True)) == settings


def test_the_sentiment_flow_has_the_profiles_of_the_full_flow_and_settings_of_its_own():
    def sentiment(arguments=""):
        return parse_command_line(SentimentSettings, "flow", arguments.split())

    assert sentiment() == SentimentSettings()
    full = sentiment("--profile ulmfit --sentiment-classifier.max-tokens 99")
    assert full.language_model.model_dump(include=FULL.keys()) == FULL
    assert (full.sentiment_classifier.max_tokens, full.sentiment_classifier.batch_size) == (99, 64)
    with pytest.raises(SettingsError, match="pretrained language model has the sizes"):
        sentiment("--language-model.pretrained")
    own = sentiment("--sentiment-source.path aclImdb --sentiment-tfidf.inverse-regularizations 1,2")
    assert own.sentiment_source.path == Path("aclImdb")
    assert own.sentiment_tfidf.inverse_regularizations == (1.0, 2.0)
