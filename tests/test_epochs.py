import threading

from latentflix.epochs import Epoch, observe_epochs, report_epoch
from tests.test_training import linear_learner

EPOCH = Epoch("a training", 1, 2, {"train_loss": 0.5})


def test_an_epoch_is_told_to_who_observes_it_and_to_nobody_else():
    outer, inner = [], []
    report_epoch(EPOCH)
    with observe_epochs(outer.append):
        with observe_epochs(inner.append):
            report_epoch(EPOCH)
        report_epoch(EPOCH)
        report_epoch(EPOCH)
    report_epoch(EPOCH)
    assert (len(outer), inner) == (2, [EPOCH])


def test_trainings_of_other_threads_are_not_told_of():
    told = []
    with observe_epochs(told.append):
        thread = threading.Thread(target=report_epoch, args=(EPOCH,))
        thread.start()
        thread.join()
    assert told == []


def test_a_learner_tells_of_the_epochs_of_all_its_fits():
    told = []
    learner = linear_learner(n_epochs=3)
    with observe_epochs(told.append), learner.no_logging():
        learner.fit_one_cycle(1, 0.05)
        learner.training_progress.title = "a line, second step"
        learner.fit_one_cycle(2, 0.05)
    assert [(epoch.training, epoch.done, epoch.planned) for epoch in told] == [
        ("a line", done, 3) for done in (1, 2, 3)
    ]
    assert told[-1].scores == {"train_loss": learner.recorder.log[1], "valid_loss": learner.recorder.log[2]}
