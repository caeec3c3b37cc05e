from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner

from latentflix.recommender.early_stopping import BestEpochPerSeed, SeedErrors


class Counting(torch.nn.Module):
    """A stack whose one weight of each seed is the number of the epoch that is being gone through."""

    def __init__(self, n_seeds):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(n_seeds))

    def forward(self, inputs):
        with torch.no_grad():
            self.weight += self.training
        return inputs + 0 * self.weight[:, None]

    def state(self):
        return {"weight": self.weight.detach()}

    def load_state(self, state):
        self.weight.data.copy_(state["weight"])


class Scripted(SeedErrors):
    """Errors that are given: a row an epoch, a column a seed."""

    def __init__(self, errors):
        super().__init__(len(errors[0]))
        self.errors = np.array(errors)

    def by_seed(self):
        return self.errors[len(self.sums) - 1]


def fit(errors, patience, n_seeds, epochs=6):
    batch = torch.zeros(n_seeds, 4), torch.zeros(n_seeds, 4)
    model = Counting(n_seeds)
    learner = Learner(
        DataLoaders([batch], [batch]),
        model,
        loss_func=lambda found, expected: (found - expected).square().sum(),
        metrics=[errors],
        cbs=[BestEpochPerSeed(errors, patience)],
    )
    with learner.no_bar(), learner.no_logging():
        learner.fit(epochs, lr=0.0)
    return len(learner.recorder.values), model.weight.tolist()


@pytest.mark.parametrize(
    ("values", "patience", "epochs", "best"),
    [
        ([5, 4, 3, 2, 1, 0], 1, 6, 6),
        ([5, 3, 4, 4, 4, 4], 3, 5, 2),
        ([5, 3, 4, 2, 4, 4], 2, 6, 4),
        ([5, 5, 5, 5, 5, 5], 1, 2, 1),
        ([5, 6, 4, 6, 4, 1], 2, 5, 3),
    ],
)
def test_the_best_epoch_is_kept_and_patience_ends(values, patience, epochs, best):
    assert fit(Scripted([[value] for value in values]), patience, 1) == (epochs, [best])


def test_each_seed_keeps_its_own_best_epoch_as_if_it_were_alone():
    columns = [[5, 3, 4, 4, 1, 0], [5, 4, 3, 2, 1, 0], [1, 2, 2, 2, 2, 0]]
    epochs, weights = fit(Scripted(np.transpose(columns)), 2, 3)
    alone = [fit(Scripted([[value] for value in column]), 2, 1)[1][0] for column in columns]
    assert epochs == 6
    assert weights == alone == [2, 6, 1]


def test_nothing_held_out_means_the_last_epoch():
    errors = SeedErrors(2)
    errors.accumulate = lambda _: None
    assert fit(errors, 1, 2) == (6, [6, 6])


def test_errors_are_means_over_ratings_for_each_seed_and_epoch():
    errors = SeedErrors(2)
    for factor in (1, 2):
        errors.reset()
        for ratings in (3, 1):
            stars = torch.tensor([[1.0], [3.0]]).expand(2, ratings) * factor
            errors.accumulate(SimpleNamespace(pred=stars, y=torch.zeros(2, ratings)))
    np.testing.assert_allclose(errors.by_seed(), [4, 36])
    np.testing.assert_allclose(errors.curves(), [[1, 9], [4, 36]])
    assert errors.value == pytest.approx(20)
