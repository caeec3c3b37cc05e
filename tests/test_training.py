import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from fastai.learner import Learner
from fastai.losses import MSELossFlat
from fastai.optimizer import Adam

from latentflix.errors import TrainingError
from latentflix.training import (
    Epoch,
    LeanLearner,
    TrainingProgress,
    find_learning_rate,
    fused_fastai_adam,
    make_learner,
    observe_epochs,
    pick_device,
    report_epoch,
    single_threaded,
)


def linear_batches(n_batches):
    inputs = torch.randn(n_batches, 16, 3, generator=torch.Generator().manual_seed(0))
    return [(batch, batch.sum(1, keepdim=True)) for batch in inputs]


def linear_learner(n_batches=10, **options):
    torch.manual_seed(0)
    batches = linear_batches(n_batches), linear_batches(2)
    return make_learner("a line", *batches, torch.nn.Linear(3, 1), loss_func=MSELossFlat(), **options)


def test_a_learner_learns_with_model_and_batches_on_the_picked_device():
    learner = linear_learner()
    seen = {parameter.device.type for parameter in learner.model.parameters()}
    learner.model.register_forward_pre_hook(lambda _, inputs: seen.add(inputs[0].device.type))
    with learner.no_logging():
        learner.fit_one_cycle(10, 0.2)
    assert learner.recorder.values[-1][1] < 0.01 * learner.recorder.values[0][1]
    assert seen == {pick_device().type} == {"cuda" if torch.cuda.is_available() else "cpu"}


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
    expected = (
        rf"^the loss of a line is NaN or infinite; where: .*step {step}.*rate 1e\+30.*to do: lower the learning rate"
    )
    with learner.no_logging(), pytest.raises(TrainingError, match=expected):
        learner.fit(2, 1e30)


@pytest.mark.parametrize(
    ("bad", "n_batches", "place", "expected"),
    [
        (np.nan, 10, 0, "step 0 of 10; found: loss"),
        (np.inf, 10, 0, "step 0 of 10; found: loss"),
        (np.nan, 1000, -1, "loss nan"),
    ],
    ids=["nan at first", "inf at first", "nan at last"],
)
def test_a_loss_that_is_nan_or_infinite_is_found_in_the_first_and_in_the_last_step(bad, n_batches, place, expected):
    learner = linear_learner(n_batches, small_steps=n_batches == 1000)
    learner.dls.train[place][1][0] = bad
    with learner.no_logging(), pytest.raises(TrainingError, match=expected):
        learner.fit(1, 0.01)


def test_the_fused_optimiser_steps_as_fastais_own():
    def train(opt_func):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 8, bias=False), torch.nn.Linear(8, 1, bias=False))
        learner = make_learner("a line", linear_batches(10), linear_batches(2), model, loss_func=MSELossFlat())
        learner.opt_func = opt_func
        with learner.no_logging():
            learner.fit_one_cycle(3, 0.05, wd=0.3)
        return model

    for one, other in zip(train(fused_fastai_adam).parameters(), train(Adam).parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


class Witness(Callback):
    """Keeps the steps at which it is called, and the learning rates that it sees."""

    def before_fit(self):
        self.steps, self.rates = [], []

    def after_batch(self):
        if self.training:
            self.steps.append(self.train_iter)
            self.rates.append(self.opt.hypers[-1]["lr"])


def test_a_lean_learner_learns_what_a_learner_learns():
    lean, plain = (linear_learner(50, small_steps=small) for small in (True, False))
    assert (type(lean), type(plain)) == (LeanLearner, Learner)
    for learner in (lean, plain):
        with learner.no_logging():
            learner.fit_one_cycle(4, 0.1, wd=0.01)
    assert lean.recorder.values[-1][1] == pytest.approx(plain.recorder.values[-1][1], abs=1e-4)
    torch.testing.assert_close(lean.model.weight, plain.model.weight, rtol=0.01, atol=0.01)
    assert lean.train_iter == plain.train_iter == 200
    assert lean.pct_train == pytest.approx(1)


@pytest.mark.parametrize(("n_batches", "epochs", "most"), [(30, 4, 1), (100, 20, 20), (1000, 3, 30), (1000, 12, 50)])
def test_a_lean_learner_calls_its_callbacks_every_few_steps(n_batches, epochs, most):
    learner = linear_learner(n_batches, small_steps=True, cbs=[Witness()])
    with learner.no_logging():
        learner.fit_one_cycle(epochs, 0.01)
    gaps = [after - before for before, after in zip(learner.witness.steps, learner.witness.steps[1:], strict=False)]
    assert max(gaps) == most
    assert n_batches * epochs - learner.witness.steps[-1] < most
    assert max(learner.witness.rates) == pytest.approx(0.01, rel=1e-3)
    assert learner.witness.rates[-1] < 1e-4


def test_a_lean_learner_needs_a_device_that_does_not_wait_for_each_look():
    batches = linear_batches(1)
    for device, expected in (("cpu", LeanLearner), ("meta", Learner)):
        model, device = torch.nn.Linear(3, 1), torch.device(device)
        learner = make_learner("a line", batches, batches, model, device=device, small_steps=True, loss_func=len)
        assert type(learner) is expected


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_one_thread_gives_back_the_threads_there_were():
    with single_threaded():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    with pytest.raises(ZeroDivisionError), single_threaded():
        raise ZeroDivisionError
    assert torch.get_num_threads() == 3
    with single_threaded(), single_threaded():
        pass
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_trainings_that_overlap_leave_no_thread_with_fewer():
    def train(inside, end):
        with single_threaded():
            inside.set()
            end.wait(10)

    def in_new_thread(function, *arguments):
        return ThreadPoolExecutor(1).submit(function, *arguments)

    trainings = []
    for _ in range(2):
        inside, end = Event(), Event()
        trainings.append((in_new_thread(train, inside, end), end))
        inside.wait(10)
    for training, end in trainings:
        end.set()
        training.result()
    assert in_new_thread(torch.get_num_threads).result() == 3


def test_trainings_take_the_gpus_in_turn(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [pick_device(place).index for place in range(5)] == [0, 1, 2, 0, 1]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device(1) == torch.device("cpu")


EPOCH = Epoch("a training", 1, 2, {"train_loss": 0.5})


def test_an_epoch_is_reported_to_who_observes_it_and_not_to_others_or_from_other_threads():
    outer, inner = [], []
    report_epoch(EPOCH)
    with observe_epochs(outer.append):
        with observe_epochs(inner.append):
            report_epoch(EPOCH)
        report_epoch(EPOCH)
        report_epoch(EPOCH)
        ThreadPoolExecutor(1).submit(report_epoch, EPOCH).result()
    report_epoch(EPOCH)
    assert (len(outer), inner) == (2, [EPOCH])


def test_a_learner_reports_the_epochs_of_all_its_fits():
    observed = []
    learner = linear_learner(n_epochs=3)
    with observe_epochs(observed.append), learner.no_logging():
        learner.fit_one_cycle(1, 0.05)
        learner.training_progress.title = "a line, second step"
        learner.fit_one_cycle(2, 0.05)
    assert [(epoch.training, epoch.done, epoch.planned) for epoch in observed] == [
        ("a line", done, 3) for done in (1, 2, 3)
    ]
    assert observed[-1].scores == {"train_loss": learner.recorder.log[1], "valid_loss": learner.recorder.log[2]}


def test_the_curve_falls_and_the_suggestion_lies_where_it_falls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = find_learning_rate(linear_learner(30), 100)
    rates, losses = found.curve["learning_rate"].to_numpy(), found.curve["loss"].to_numpy()
    assert 90 <= len(rates) <= 100
    assert (np.diff(rates) > 0).all()
    assert losses.min() < 0.7 * losses[10:20].mean()
    assert 1e-5 < found.suggested < rates[losses.argmin()]
    assert list(tmp_path.iterdir()) == []


def test_the_model_is_left_as_it_was_and_trains_as_ever():
    searched, plain = linear_learner(30), linear_learner(30)
    find_learning_rate(searched, 40)
    assert torch.equal(searched.model.weight, plain.model.weight)
    for learner in (searched, plain):
        with learner.no_logging():
            learner.fit_one_cycle(2, 0.1)
    torch.testing.assert_close(searched.model.weight, plain.model.weight)
    assert any(isinstance(callback, TrainingProgress) for callback in searched.cbs)


@pytest.mark.parametrize(("bad", "steps"), [(0, 0), (0, 19), (np.nan, 30)])
def test_few_steps_or_a_loss_that_is_always_nan_draw_no_curve_and_suggest_nothing(bad, steps):
    learner = linear_learner(30)
    for _, targets in learner.dls.train:
        targets += bad
    found = find_learning_rate(learner, steps)
    assert found.curve.empty
    assert found.suggested is None
