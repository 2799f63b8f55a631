"""What `make parameters` counts: Keras's own counts of layers, and the formula."""

import contextlib
import itertools
import resource
from collections.abc import Iterator
from typing import Any

import keras

import cnn_models
from experiments.parameters import CHANNELS, KERNELS, SIDE, Counting
from lab.declare.run import Run
from lab.declare.work import Attachment, Report, RunOutcome
from lab.learn.devices import one_thread
from lab.store.records import Records


class CountingWork:
    """Counts with Keras itself, without allocating a weight, and beside it by the lecture's formula."""

    def __init__(self, records: Records) -> None:
        one_thread()

    def execute(self, run: Run, report: Report) -> tuple[RunOutcome, Attachment | None]:
        """Counts one row; see `lab.declare.work.Work`."""
        facts, metrics = _count(run.settings)
        return {"status": "finished", "facts": facts, "metrics": metrics}, None


def _count(settings: Counting) -> tuple[dict[str, Any], dict[str, float]]:
    match settings.what:
        case "convolution":
            return _lecture_layer(settings.kernel)
        case "dense":
            return _lecture_layer(None)
        case "grid":
            return _grid(), {}
    table = cnn_models.layer_table(cnn_models.build(settings.model))
    params = sum(row.parameters for row in table)
    return {"params": params, "macs": sum(row.macs or 0 for row in table), "float32_bytes": 4 * params}, {}


def _lecture_layer(kernel: int | None) -> tuple[dict[str, Any], dict[str, float]]:
    """One layer between two pictures of 300×300: a convolution, or fully connected where `kernel` is None.

    Peak memory is what the process's high-water mark rose by, in megabytes: it shows that the
    8.1×10⁹ weights, 32 GB in float32, were counted and not made.
    """
    unit = 1024  # Linux counts the high-water mark in KiB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    layers = [keras.Input((SIDE, SIDE, 1))]
    if kernel is None:
        layers += [keras.layers.Flatten(), keras.layers.Dense(SIDE * SIDE)]
        formula, macs = SIDE**4 + SIDE**2, SIDE**4
    else:
        layers += [keras.layers.Conv2D(1, kernel, padding="same")]
        formula, macs = by_formula(kernel, kernel, 1, 1), SIDE**2 * kernel**2
    with without_weights():
        model = keras.Sequential(layers)
        params = model.count_params()
    rose = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    facts = {"params": params, "params_by_formula": formula, "macs": macs, "float32_bytes": 4 * params}
    facts["weights"] = params - (1 if kernel else SIDE**2)  # without biases
    return facts, {"peak_memory_megabytes": rose * unit / 1e6}


def _grid() -> dict[str, Any]:
    """Keras's count against the formula, over kernels of many shapes and numbers of channels."""
    mismatches = []
    cases = list(itertools.product(KERNELS, KERNELS, CHANNELS, CHANNELS))
    for height, width, inputs, outputs in cases:
        with without_weights():
            model = keras.Sequential([keras.Input((8, 8, inputs)), keras.layers.Conv2D(outputs, (height, width))])
            if model.count_params() != by_formula(width, height, inputs, outputs):
                mismatches.append((height, width, inputs, outputs))
    return {"grid_cases": len(cases), "grid_mismatches": len(mismatches)}


@contextlib.contextmanager
def without_weights() -> Iterator[None]:
    """Layers built in this block have shapes and counts, but no weights.

    Keras takes note of such variables and would make them, all 32 GB, at the end of the next
    `StatelessScope`, wherever that is: so its notes are cleared.
    """
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        keras.utils.clear_session(free_memory=False)


def by_formula(width: int, height: int, inputs: int, outputs: int) -> int:
    """(Wk·Hk·Cin + 1)·Cout, slide "Одного фильтра мало!"."""
    return (width * height * inputs + 1) * outputs
