import numpy as np
from scipy.optimize import nnls

from latentflix.factors.readers.stacked import stack_readers


def test_the_weights_are_the_best_non_negative_ones():
    random = np.random.default_rng(0)
    truth = random.normal(size=(70, 200))
    parts = [0.3 * truth, -0.1 * truth, 0.5 * truth]
    parts = [part + random.normal(size=truth.shape) for part in parts]
    weights = random.random(70)
    root = np.sqrt(weights / weights.sum())[:, None]
    centred = [root * (each - weights / weights.sum() @ each) for each in (*parts, truth)]
    columns = [np.stack([part[:, at] for part in centred[:-1]], axis=1) for at in range(200)]
    expected = np.stack([nnls(column, centred[-1][:, at])[0] for at, column in enumerate(columns)], axis=1)
    np.testing.assert_allclose(stack_readers(parts, truth, weights), expected, atol=1e-6)


def test_one_reader_counts_whole_and_readers_that_do_not_help_count_alike():
    truth = np.random.default_rng(1).normal(size=(30, 2))
    assert stack_readers([truth], truth, np.ones(30)).tolist() == [[1, 1]]
    assert stack_readers([-truth, -2 * truth], truth, np.ones(30)).tolist() == [[0.5, 0.5], [0.5, 0.5]]
