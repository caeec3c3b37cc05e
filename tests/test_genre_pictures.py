import matplotlib.image
import pytest

from latentflix.genre_evaluation import OURS, WORDS, GenreEvaluationConfig, evaluate_genres
from latentflix.genre_pictures import draw_confusion, draw_genre_bars, draw_threshold_curve
from tests.test_genre_evaluation import CARRIED, METHODS, PARTS


@pytest.fixture(scope="module")
def evaluation():
    methods = {OURS: METHODS[OURS], WORDS: METHODS[WORDS]}
    return evaluate_genres(methods, CARRIED, PARTS, 20, GenreEvaluationConfig(bootstraps=20))


@pytest.mark.parametrize("name", ["genres", "curve", "confusion"])
def test_a_picture_is_drawn_with_ink_on_it(evaluation, name, tmp_path):
    draw = {
        "genres": lambda path: draw_genre_bars(evaluation.genres, path),
        "curve": lambda path: draw_threshold_curve(evaluation.curve, 0.3, path),
        "confusion": lambda path: draw_confusion(evaluation.confusion, path),
    }[name]
    draw(tmp_path / "picture.png")
    picture = matplotlib.image.imread(tmp_path / "picture.png")
    assert picture.shape[1] >= 300
    assert (picture[..., :3] < 0.5).any(axis=2).mean() > 0.002


def test_the_bars_grow_with_the_genres(evaluation, tmp_path):
    few, many = tmp_path / "few.png", tmp_path / "many.png"
    draw_genre_bars(evaluation.genres.head(1), few)
    draw_genre_bars(evaluation.genres, many)
    assert matplotlib.image.imread(many).shape[0] > matplotlib.image.imread(few).shape[0]
