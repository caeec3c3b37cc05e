"""The state of a training after each epoch, in one safetensors file, so that a killed run continues from there."""

import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.learner import Learner
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from latentflix.system.disk import whole_file
from latentflix.text.distributed import rank, unwrap

logger = logging.getLogger(__name__)

NAME = "training.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """weights: tensor by name. optimiser: its state, by parameter. history: losses and metrics of each epoch."""

    weights: dict[str, torch.Tensor]
    optimiser: dict[int, dict[str, torch.Tensor]]
    history: list[list[float]]


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint of a folder, if there is one; one that cannot be read is logged and set aside."""
    path = folder / NAME
    try:
        with safe_open(path, "pt") as file:
            history = json.loads(file.metadata()["history"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        logger.warning("the checkpoint %s cannot be read (%s); the training starts anew", path, error)
        # Another process that trains may have set it aside already.
        with suppress(FileNotFoundError):
            path.replace(path.with_suffix(".broken"))
        return None
    optimiser: dict[int, dict[str, torch.Tensor]] = {}
    for name in [name for name in tensors if name.startswith("optimiser.")]:
        _, parameter, value = name.split(".")
        optimiser.setdefault(int(parameter), {})[value] = tensors.pop(name)
    return Checkpoint({name.removeprefix("weights."): each for name, each in tensors.items()}, optimiser, history)


def write_checkpoint(folder: Path, learner: Learner, history: list[list[float]]) -> None:
    """Write the learner's state, replacing an earlier checkpoint in one step."""
    tensors = {f"weights.{name}": tensor.clone() for name, tensor in unwrap(learner.model).state_dict().items()}
    for parameter, state in learner.opt.opt.state_dict()["state"].items():
        tensors |= {f"optimiser.{parameter}.{name}": tensor for name, tensor in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / NAME) as partial:
        save_file(tensors, partial, metadata={"history": json.dumps(history)})


def restore_optimiser(learner: Learner, checkpoint: Checkpoint) -> None:
    """Load the state of the learner's optimiser, one of PyTorch's."""
    optimiser = learner.opt.opt
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": checkpoint.optimiser, "param_groups": groups})


class CheckpointCallback(Callback):
    """Seeds each epoch by its number, so that it does not depend on where the training started, and saves its end."""

    order = 65

    def __init__(self, seed: int, history: list[list[float]], folder: Path | None = None) -> None:
        """Append to `history` as epochs end; write a checkpoint of each if there is a folder."""
        self.seed, self.history, self.folder = seed, history, folder

    def before_train(self) -> None:
        """Seed dropout and the order of the texts, and smooth the training loss over this epoch only."""
        self.recorder.smooth_loss.reset()
        number = len(self.history)
        # Each of several processes has its own dropout; all read the texts in the same order.
        torch.manual_seed(int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]) + rank())
        self.dls.train.shuffle = np.random.default_rng([self.seed, number])

    def after_epoch(self) -> None:
        """Record the losses and metrics, unless the epoch was skipped."""
        record: list[Any] = self.recorder.final_record
        if record:
            self.history.append([float(value) for value in record])
            if self.folder:
                write_checkpoint(self.folder, self.learn, self.history)
