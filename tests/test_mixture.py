import numpy as np
import pytest

from latentflix.mixture import mix, weigh


def test_a_mixture_recovers_the_weights_that_made_the_truth():
    random = np.random.default_rng(0)
    parts = list(random.normal(size=(2, 40_000, 2)))
    truth = random.random((40_000, 2)) < mix(parts, np.array([1.5, 0.5, -1.0]))
    assert weigh(parts, truth) == pytest.approx([1.5, 0.5, -1.0], abs=0.05)
