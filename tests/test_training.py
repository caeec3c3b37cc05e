import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fastai.losses import MSELossFlat

from latentflix.errors import TrainingDiverged
from latentflix.training import make_learner, pick_device


def linear_batches(n_batches):
    inputs = torch.randn(n_batches, 16, 3, generator=torch.Generator().manual_seed(0))
    return [(batch, batch.sum(1, keepdim=True)) for batch in inputs]


def linear_learner(n_batches=10, **options):
    torch.manual_seed(0)
    batches = linear_batches(n_batches), linear_batches(2)
    return make_learner("a line", *batches, torch.nn.Linear(3, 1), loss_func=MSELossFlat(), **options)


def test_model_and_batches_are_on_the_picked_device():
    learner = linear_learner()
    seen = {parameter.device.type for parameter in learner.model.parameters()}
    learner.model.register_forward_pre_hook(lambda _, inputs: seen.add(inputs[0].device.type))
    with learner.no_logging():
        learner.fit(1, 0.01)
    assert seen == {pick_device().type} == {"cuda" if torch.cuda.is_available() else "cpu"}


def test_learner_learns():
    learner = linear_learner()
    with learner.no_logging():
        learner.fit_one_cycle(10, 0.2)
    assert learner.recorder.values[-1][1] < 0.01 * learner.recorder.values[0][1]


def test_the_module_alone_brings_the_one_cycle_schedule():
    script = "from latentflix.training import Learner; print(hasattr(Learner, 'fit_one_cycle'))"
    folder = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


def test_weight_decay_is_decoupled():
    learner = linear_learner(n_batches=1)
    learner.dls.train[0][0].zero_()
    learner.dls.train[0][1].zero_()
    torch.nn.init.zeros_(learner.model.bias)
    before = learner.model.weight.detach().clone()
    with learner.no_logging():
        learner.fit(1, 0.1, wd=0.5)
    torch.testing.assert_close(learner.model.weight.detach(), before * (1 - 0.1 * 0.5))


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_every_epoch_is_a_line_in_the_log(caplog, level):
    caplog.set_level(logging.DEBUG, logger="latentflix.training")
    learner = linear_learner(level=level)
    with learner.no_logging():
        learner.fit_one_cycle(2, 0.05)
    expected = [
        (level, f"a line: epoch {epoch} of 2: train_loss {train:.4f}, valid_loss {valid:.4f}")
        for epoch, (train, valid) in enumerate(learner.recorder.values, 1)
    ]
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == expected


@pytest.mark.parametrize(("n_batches", "step"), [(60, "20 of 120"), (5, "5 of 10")])
def test_divergence_stops_the_training_and_says_where(n_batches, step):
    learner = linear_learner(n_batches)
    with learner.no_logging(), pytest.raises(TrainingDiverged) as raised:
        learner.fit(2, 1e30)
    message = str(raised.value)
    assert message.startswith("the loss of a line is no number any more; where: ")
    assert f"step {step}" in message
    assert "learning rate 1e+30" in message
    assert "what to do: lower the learning rate" in message


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_found_at_the_first_step(bad):
    learner = linear_learner()
    learner.dls.train[0][1][0] = bad
    with learner.no_logging(), pytest.raises(TrainingDiverged, match=re.escape("step 0 of 10; found: loss")):
        learner.fit(1, 0.01)
