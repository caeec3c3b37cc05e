"""How every flow that needs language models comes by them."""

from latentflix.settings import FullSettings, SentimentSettings
from latentflix.text.language_model import direction_configs
from latentflix.text.pretrained import PretrainedConfig
from tasks.language_model import train_on_corpus
from tasks.pretrained import fetch_pretrained
from tasks.stage import Handle, StageRunner


def obtain_language_models(
    run: StageRunner, tokens: Handle, reviews: Handle, settings: FullSettings | SentimentSettings
) -> list[Handle]:
    """A language model of the reviews that may be read for each direction that is asked for, the forward one first."""
    folders = {"data_dir": settings.data_dir, "cache_dir": settings.cache_dir}
    handles = []
    for config in direction_configs(settings.language_model):
        start = (
            [run(fetch_pretrained, config=PretrainedConfig(direction=config.direction, **folders))]
            if config.pretrained
            else []
        )
        handles.append(run(train_on_corpus, tokens, reviews, *start, config=config))
    return handles
