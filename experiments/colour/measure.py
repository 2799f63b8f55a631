"""The work of `make colour`: training, and the parameters and kernels of the first layer."""

import math

import keras

from experiments.colour import by_formula
from lab.declare.run import Run
from lab.declare.work import Report, RunOutcome
from lab.learn.training import TrainingWork
from lab.store.records import Attachment


class ColourWork(TrainingWork):
    """Trains a network, and looks at its first layer."""

    def execute(self, run: Run, report: Report) -> tuple[RunOutcome, Attachment]:
        """Trains one variant with one seed; see `lab.declare.work.Work`."""
        outcome, network = super().execute(run, report)
        model = self._trainer(run).model
        outcome["facts"] |= first_layer(model)
        if run.seed == 0:
            outcome["kernels"] = _first(model, keras.layers.Conv2D).kernel.numpy().tolist()
        return outcome, network


def first_layer(model: keras.Model) -> dict[str, int]:
    """Weights of the first convolution: as they are, and by (Wk·Hk·Cin + 1)·Cout.

    A convolution without a bias has its +1 in the shift of the normalisation after it.
    """
    kernel = _first(model, keras.layers.Conv2D).kernel
    shifts = _first(model, keras.layers.BatchNormalization).beta
    height, width, channels, maps = kernel.shape
    return {
        "first_layer_params": math.prod(kernel.shape) + math.prod(shifts.shape),
        "first_layer_formula": by_formula(width, height, channels, maps),
    }


def _first(model: keras.Model, kind: type[keras.Layer]) -> keras.Layer:
    return next(layer for layer in model.layers if isinstance(layer, kind))
