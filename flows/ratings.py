"""How every flow that needs ratings comes by them."""

from latentflix.data.datasets import DataSetConfig
from latentflix.data.ratings_file import identify
from latentflix.settings import RatedSettings
from tasks.datasets import fetch_data_set
from tasks.ratings import check_ratings
from tasks.ratings_source import read_ratings_source
from tasks.stage import Handle, StageRunner


def obtain_ratings(run: StageRunner, settings: RatedSettings) -> tuple[Handle, Handle]:
    """The ratings as they come, of the user's own or of a MovieLens set, and the same checked."""
    source = settings.ratings_source
    rated = (
        run(read_ratings_source, config=identify(source))
        if source.path
        else run(
            fetch_data_set,
            config=DataSetConfig(name=source.data_set, data_dir=settings.data_dir, cache_dir=settings.cache_dir),
        )
    )
    return rated, run(check_ratings, rated, config=settings.ratings)
