"""The loop of training: epoch after epoch, many steps a call.

Keras's `fit` cannot run under `MultiWorkerMirroredStrategy` (keras #20585) and spends more time
between the steps of a small network than in them. Here the data lie on the device as uint8, and one
call runs many steps: gather, distort, normalise, forward, backward, update.
"""

import dataclasses
import math
import random
import time
from typing import Protocol

import keras
import numpy as np

from lab.data.stored import Shuffled
from lab.declare.work import Report

STEPS_PER_CALL = 100


class Learner(Protocol):
    """What learns in a loop.

    Attributes:
        epochs: how many.
        steps: optimizer steps an epoch.
        batch_size: examples a step.
        unit: what to call them, for the display.
    """

    epochs: int
    steps: int
    batch_size: int
    unit: str

    def order(self, seed: int, epoch: int) -> np.ndarray | Shuffled:
        """Places of an epoch's examples in the training split, one batch after another; more than it needs are left."""

    def train(self, places: np.ndarray, seed: int, step: int) -> list[float]:
        """Does several steps.

        Args:
            places: of the examples, `(steps, batch size)`.
            seed: of the run.
            step: number of the first of these steps in the run.

        Returns:
            Sums over these steps of what is followed, the loss first.
        """

    def epoch_values(self, sums: list[float]) -> dict[str, float]:
        """The values of an epoch by name: from the sums over its steps, and of the validation split."""


@dataclasses.dataclass(frozen=True)
class LoopResult:
    """What a loop leaves beside the network.

    Attributes:
        history: values by name, one an epoch that was finite.
        finite: whether all epochs were; the loop ends with the first that is not.
        seconds: of all epochs together.
    """

    history: dict[str, list[float]]
    finite: bool
    seconds: float

    @property
    def status(self) -> str:
        """As a record has it."""
        return "finished" if self.finite else "diverged"


class Loop:
    """Trains a learner, and says how it goes.

    Args:
        learner: what learns.
        callbacks: driven as Keras's `fit` would drive them.
    """

    def __init__(self, learner: Learner, callbacks: keras.callbacks.CallbackList) -> None:
        self.learner, self.callbacks = learner, callbacks

    def run(self, seed: int, report: Report) -> LoopResult:
        """Trains until all epochs are done or one has a value that is not finite; see `lab.declare.work.Work`."""
        history: dict[str, list[float]] = {}
        finite = True
        # The first call compiles, which takes seconds in which nothing else would be seen.
        report({"done": 0, "total": self.learner.epochs, "note": "compiling"})
        self.callbacks.on_train_begin()
        began = time.perf_counter()
        for epoch in range(self.learner.epochs):
            values = self._epoch(seed, epoch, report)
            finite = all(math.isfinite(value) for value in values.values())
            if not finite:
                break
            for name, value in values.items():
                history.setdefault(name, []).append(value)
        seconds = time.perf_counter() - began
        self.callbacks.on_train_end()
        return LoopResult(history, finite, seconds)

    def _epoch(self, seed: int, epoch: int, report: Report) -> dict[str, float]:
        """One epoch; a last partial batch waits for another order."""
        self.callbacks.on_epoch_begin(epoch)
        began = time.perf_counter()
        learner, size, sums = self.learner, self.learner.batch_size, np.zeros(1)
        order = learner.order(seed, epoch)
        for start in range(0, learner.steps, STEPS_PER_CALL):
            done = min(start + STEPS_PER_CALL, learner.steps)
            places = order[start * size : done * size].reshape(done - start, size)
            self.callbacks.on_train_batch_begin(start)
            found = np.array(learner.train(places, seed, epoch * learner.steps + start))
            sums = sums + found
            self.callbacks.on_train_batch_end(done - 1, {"loss": float(found[0]) / (done - start)})
            speed = done * size / (time.perf_counter() - began)
            note = f"{speed:,.0f} {learner.unit}/s"
            report({"done": epoch + done / learner.steps, "total": learner.epochs, "note": note})
        values = learner.epoch_values(sums.tolist())
        values["epoch_seconds"] = time.perf_counter() - began
        self.callbacks.on_epoch_end(epoch, values)
        return values


def set_seed(seed: int) -> None:
    """Decides the initial weights and the dropout of the networks that are built next.

    Keras draws the seeds of its initializers and of dropout from Python's generator. Its own
    `set_random_seed` also makes TensorFlow forget every compiled function: 0.3 s a run for LeNet-1, where
    a short run takes 0.2 s.
    """
    random.seed(seed)
