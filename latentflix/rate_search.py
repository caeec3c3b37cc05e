"""At which learning rates a model learns, before it is trained."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from fastai.callback.schedule import valley
from fastai.learner import Learner

LEAST_STEPS = 20


@dataclass(frozen=True)
class RateSearch:
    """curve: learning_rate, loss (smoothed), a row a step. suggested: a learning rate, by where the loss falls."""

    curve: pd.DataFrame
    suggested: float | None


def search_rate(learner: Learner, n_steps: int) -> RateSearch:
    """Let the learning rate grow from 1e-7 to 10 in `n_steps` steps, until the loss does too; then undo them.

    The model is left as it was. Fewer than 20 steps draw no curve: then nothing is done and nothing suggested.
    Source: Smith 2015, section 3.3; fastai `Learner.lr_find` and its suggestion "valley".
    """
    if n_steps < LEAST_STEPS:
        return RateSearch(pd.DataFrame({"learning_rate": [], "loss": []}, dtype=float), None)
    path = learner.path
    with TemporaryDirectory() as folder, learner.no_bar(), learner.removed_cbs([learner.training_progress]):
        # Where fastai keeps the weights meanwhile.
        learner.path = Path(folder)
        try:
            learner.lr_find(num_it=n_steps, show_plot=False, suggest_funcs=None)
        finally:
            learner.path = path
    losses = np.array([float(loss) for loss in learner.recorder.losses])
    curve = pd.DataFrame({"learning_rate": np.array(learner.recorder.lrs, float), "loss": losses})
    curve = curve[np.isfinite(losses)].reset_index(drop=True)
    # As fastai does: the first losses are not smoothed yet, the last ones belong to the end.
    shown = curve.iloc[n_steps // 10 : -5]
    suggested = valley(list(shown["learning_rate"]), list(shown["loss"]), n_steps)[0] if len(shown) > 1 else None
    return RateSearch(curve, suggested)
