from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from fastai.losses import MSELossFlat

from latentflix.artifacts import Handle
from latentflix.config import StageConfig
from latentflix.text.checkpoints import NAME, read_checkpoint, restore_optimiser, write_checkpoint
from latentflix.training import make_learner

HANDLE = Handle(stage="numbers", key="0" * 20)


def line_learner(seed=0):
    torch.manual_seed(seed)
    batches = [(torch.randn(8, 3), torch.randn(8, 1)) for _ in range(5)]
    return make_learner("a line", batches, batches[:1], torch.nn.Linear(3, 1), loss_func=MSELossFlat())


@pytest.fixture
def learner():
    learner = line_learner()
    with learner.no_logging():
        learner.fit(2, 0.1)
    return learner


def test_a_checkpoint_comes_back_as_it_was(tmp_path, learner):
    write_checkpoint(tmp_path / "deeper", learner, [[1.5, 2.5], [0.5, float("1e-300")]])
    checkpoint = read_checkpoint(tmp_path / "deeper")
    assert checkpoint.history == [[1.5, 2.5], [0.5, 1e-300]]
    for name, tensor in learner.model.state_dict().items():
        assert torch.equal(checkpoint.weights[name], tensor)
    other = line_learner(1)
    other.create_opt()
    restore_optimiser(other, checkpoint)
    remembered = [wrapped.opt.opt.state_dict()["state"] for wrapped in (learner, other)]
    assert remembered[0].keys() == remembered[1].keys() == {0, 1}
    for parameter, values in remembered[0].items():
        assert values.keys() == {"step", "exp_avg", "exp_avg_sq"}
        for name, tensor in values.items():
            assert torch.equal(remembered[1][parameter][name], tensor)


def test_only_the_last_epoch_is_kept_and_a_folder_without_a_checkpoint_is_no_error(tmp_path, learner):
    assert read_checkpoint(tmp_path / "nowhere") is None
    for epoch in range(3):
        write_checkpoint(tmp_path, learner, [[0.0]] * (epoch + 1))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert len(read_checkpoint(tmp_path).history) == 3


def test_two_writers_and_a_reader_of_one_checkpoint_are_not_in_each_others_way(tmp_path, learner):
    write_checkpoint(tmp_path, learner, [[0.0]])
    histories = [[[float(writer)]] for writer in (1, 2)]

    def save_and_read(history):
        read = []
        for _ in range(50):
            write_checkpoint(tmp_path, learner, history)
            read.append(read_checkpoint(tmp_path).history)
        return read

    with ThreadPoolExecutor(2) as pool:
        read = [each for found in pool.map(save_and_read, histories) for each in found]
    assert len(read) == 100
    assert all(each in histories for each in read)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_renamed_and_reported(tmp_path, learner, caplog, share):
    write_checkpoint(tmp_path, learner, [[1.0]])
    path = tmp_path / NAME
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert read_checkpoint(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["training.broken"]
    assert f"{path} cannot be read" in caplog.text


def test_checkpoints_outlive_a_failure_and_are_removed_with_success(store, learner):
    def make(artifact, *, fails):
        before = read_checkpoint(artifact.checkpoints)
        write_checkpoint(artifact.checkpoints, learner, [*(before.history if before else []), [1.0]])
        if fails:
            raise KeyError("a failure")
        artifact.write_json("epochs", len(read_checkpoint(artifact.checkpoints).history))

    for _ in range(2):
        with pytest.raises(KeyError):
            store.ensure(HANDLE, {}, StageConfig(), lambda artifact: make(artifact, fails=True))
    store.ensure(HANDLE, {}, StageConfig(), lambda artifact: make(artifact, fails=False))
    assert store.read_json(HANDLE, "epochs") == 3
    assert list(store.root.rglob("*.safetensors")) == []
