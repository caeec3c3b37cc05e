import numpy as np
import pytest
import torch
from fastai.losses import MSELossFlat

from latentflix.rate_search import search_rate
from latentflix.training import TrainingProgress, make_learner


def line_learner(bad=None):
    torch.manual_seed(0)
    inputs = torch.randn(30, 64, 3)
    targets = inputs @ torch.tensor([[1.0], [-2.0], [0.5]])
    if bad is not None:
        targets[:] = bad
    batches = list(zip(inputs, targets, strict=True))
    return make_learner("a line", batches, batches[:2], torch.nn.Linear(3, 1), loss_func=MSELossFlat())


def test_the_curve_falls_and_the_suggestion_lies_where_it_falls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = search_rate(line_learner(), 100)
    rates, losses = found.curve["learning_rate"].to_numpy(), found.curve["loss"].to_numpy()
    assert 90 <= len(rates) <= 100
    assert (np.diff(rates) > 0).all()
    assert losses.min() < 0.7 * losses[10:20].mean()
    assert 1e-5 < found.suggested < rates[losses.argmin()]
    assert list(tmp_path.iterdir()) == []


def test_the_model_is_left_as_it_was_and_trains_as_ever():
    searched, plain = line_learner(), line_learner()
    search_rate(searched, 40)
    assert torch.equal(searched.model.weight, plain.model.weight)
    for learner in (searched, plain):
        with learner.no_logging():
            learner.fit_one_cycle(2, 0.1)
    torch.testing.assert_close(searched.model.weight, plain.model.weight)
    assert any(isinstance(callback, TrainingProgress) for callback in searched.cbs)


@pytest.mark.parametrize("steps", [0, 19])
def test_few_steps_draw_no_curve(steps):
    found = search_rate(line_learner(), steps)
    assert found.curve.empty
    assert found.suggested is None


def test_a_loss_that_is_never_a_number_suggests_nothing():
    found = search_rate(line_learner(bad=float("nan")), 30)
    assert found.curve.empty
    assert found.suggested is None
