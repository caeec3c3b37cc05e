import atexit
import os
import signal

import numpy as np
import psutil
import pytest
import torch
from torch import distributed

from latentflix.errors import SettingsError, TrainingError
from latentflix.text.batches import LanguageModelBatches
from latentflix.text.checkpoints import NAME
from latentflix.text.distributed import n_processes, rank, run_processes, world_size
from latentflix.text.language_model import LanguageModelConfig, train_language_model
from latentflix.training import observe_epochs
from tests.support.factories.corpus import TINY, make_corpus, repeating_texts

CONFIG = TINY.model_copy(update={"frozen_epochs": 1, "epochs": 3, "rate_steps": 20})


def listening(process):
    """The addresses on which a process takes connections of others."""
    sockets = psutil.Process(process).net_connections("inet")
    return {each.laddr.ip for each in sockets if each.status == psutil.CONN_LISTEN}


def train(config, checkpoints=None):
    """What each process runs: train, then gather the weights of all and what they have read."""
    read = []
    batches = LanguageModelBatches.__iter__

    def remember(stream):
        for tokens, following in batches(stream):
            read.append(tokens)
            yield tokens, following

    LanguageModelBatches.__iter__ = remember
    try:
        corpus = make_corpus(repeating_texts())
        trained = train_language_model(corpus, np.arange(100), config, None, checkpoints)
    finally:
        LanguageModelBatches.__iter__ = batches
    weights = torch.cat([torch.from_numpy(weight).flatten() for weight in trained.model.weights.values()])
    own = {"weights": weights.numpy(), "rows": [len(tokens) for tokens in read], "pid": os.getpid(), "rank": rank()}
    own["listens"] = listening(os.getpid()) | listening(os.getppid())
    everyone = [None] * world_size()
    if world_size() > 1:
        distributed.all_gather_object(everyone, own)
    return trained, everyone


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder, epochs = tmp_path_factory.mktemp("checkpoints"), []
    before = signal.getsignal(signal.SIGTERM)
    with observe_epochs(epochs.append):
        trained, everyone = run_processes(2, train, CONFIG, folder)
    assert signal.getsignal(signal.SIGTERM) is before
    return trained, everyone, folder, epochs


def test_two_processes_train_on_their_halves_and_end_with_equal_weights(together):
    _, (first, second), *_ = together
    assert (first["rank"], second["rank"]) == (0, 1)
    assert len({first["pid"], second["pid"], os.getpid()}) == 3
    np.testing.assert_array_equal(first["weights"], second["weights"])
    assert {CONFIG.batch_size // 2} <= set(second["rows"]) <= {CONFIG.batch_size // 2, 8}
    assert len(first["rows"]) > len(second["rows"])


def test_no_other_machine_can_reach_processes_that_train_together(together):
    _, everyone, *_ = together
    assert set().union(*(each["listens"] for each in everyone)) == {"127.0.0.1"}


def test_two_processes_learn_what_one_learns(together):
    trained, *_ = together
    alone, _ = run_processes(1, train, CONFIG)
    assert trained.model.vocabulary == alone.model.vocabulary
    assert trained.history["tokens"].tolist() == alone.history["tokens"].tolist()
    # Their dropout differs, and is small.
    np.testing.assert_allclose(trained.history["valid_loss"], alone.history["valid_loss"], rtol=0.05)
    assert trained.history["valid_loss"].iloc[-1] < 0.8 * trained.history["valid_loss"].iloc[0]
    assert 1e-7 < trained.rates.suggested < 10


def test_each_process_reads_its_half_of_a_batch():
    texts = [np.arange(1000)]
    whole, *halves = (list(LanguageModelBatches(texts, 8, 20, None, *part)) for part in ((), (0, 2), (1, 2)))
    assert len(whole) == len(halves[0]) == len(halves[1]) == 7
    for batch, first, second in zip(whole, *halves, strict=True):
        for side in (0, 1):
            assert torch.equal(batch[side], torch.cat([first[side], second[side]]))
        assert set(first[0].flatten().tolist()).isdisjoint(second[0].flatten().tolist())


def test_the_epochs_of_the_first_process_are_reported_here(together):
    trained, _, _, epochs = together
    assert [(epoch.done, epoch.planned) for epoch in epochs] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    reported = [epoch.scores["valid_loss"] for epoch in epochs]
    np.testing.assert_allclose(reported, trained.history["valid_loss"], rtol=1e-6)


def test_one_process_continues_from_the_checkpoint_of_several(together):
    trained, _, folder, _ = together
    assert [path.name for path in folder.iterdir()] == [NAME]
    again, _ = train(CONFIG, folder)
    np.testing.assert_equal(trained.model.weights, again.model.weights)


def fail_second(_):
    if rank() == 1:
        raise TrainingError("the loss is NaN or infinite", where="step 3")
    distributed.barrier()


def test_a_process_that_fails_stops_all_and_its_error_is_reported():
    with pytest.raises(TrainingError, match="found: process 1 of 2, .*TrainingError: the loss is NaN or.*step 3"):
        run_processes(2, fail_second, None)


def abort_at_exit(result):
    atexit.register(os.abort)
    return result


def test_what_happens_while_an_interpreter_shuts_down_does_not_fail_a_training():
    assert run_processes(2, abort_at_exit, "trained") == "trained"


def test_a_single_process_is_this_one_and_their_number_does_not_change_the_artifact():
    assert run_processes(1, os.getpid) == os.getpid()
    assert (rank(), world_size()) == (0, 1)
    assert LanguageModelConfig(processes=2).model_dump() == LanguageModelConfig().model_dump()


@pytest.mark.parametrize(("gpus", "asked", "expected"), [(0, None, 1), (0, 2, 2), (4, None, 4), (4, 2, 2)])
def test_there_is_one_process_per_gpu_unless_another_number_is_asked_for(monkeypatch, gpus, asked, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert n_processes(asked) == expected
    if gpus:
        with pytest.raises(SettingsError, match="where: --language-model.processes; found: 5; expected: at most 4"):
            n_processes(5)
