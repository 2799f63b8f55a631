"""26 parameters against 8.1×10⁹ (slide "В сверточном слое меньше параметров")."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lab.declare.evidence import Equals, Evidence, Part
from lab.declare.experiment import Experiment, Variant
from lab.declare.run import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from lab.declare.work import Report
    from lab.store.records import Attachment, Record, Records

SIDE = 300  # pixels of the lecture's picture
# The networks of 1998 and their present forms; what others cost stands in the tables of their own experiments.
NETWORKS = (
    *("linear", "fc-300", "fc-1000", "fc-300-100", "fc-500-150", "fc-relu", "fc-matched"),
    *("lenet1", "lenet4", "lenet5-1998", "lenet5", "lenet5-relu"),
)
KERNELS, CHANNELS = (1, 2, 3, 5, 7), (1, 3, 8)


@dataclasses.dataclass(frozen=True)
class Counting:
    """What is counted.

    Attributes:
        what: "convolution" or "dense" (one layer from 300×300 to 300×300), "grid" (many small
            convolutions), or "network".
        model: name in the zoo, for a network.
        kernel: side of the convolution's kernel, pixels.
    """

    what: str
    model: str = ""
    kernel: int = 0


class CountingWork:
    """Counts with Keras itself, without allocating a weight, and beside it by the lecture's formula."""

    def __init__(self, records: "Records") -> None:
        from lab.learn.devices import one_thread

        one_thread()

    def execute(self, run: Run, report: "Report") -> "tuple[Record, Attachment | None]":
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
    import cnn_models

    table = cnn_models.layer_table(cnn_models.build(settings.model))
    params = sum(row.parameters for row in table)
    return {"params": params, "macs": sum(row.macs or 0 for row in table), "float32_bytes": 4 * params}, {}


def _lecture_layer(kernel: int | None) -> tuple[dict[str, Any], dict[str, float]]:
    """One layer between two pictures of 300×300: a convolution, or fully connected where `kernel` is None.

    Peak memory is what the process's high-water mark rose by, in megabytes: it shows that the
    8.1×10⁹ weights, 32 GB in float32, were counted and not made.
    """
    import resource

    import keras

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
    import keras

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
    import keras

    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        keras.utils.clear_session(free_memory=False)


def by_formula(width: int, height: int, inputs: int, outputs: int) -> int:
    """(Wk·Hk·Cin + 1)·Cout, slide "Одного фильтра мало!"."""
    return (width * height * inputs + 1) * outputs


def draw(experiment: Experiment, frame: "pd.DataFrame", records: "Records") -> "Figure | None":
    """Parameters and multiply-accumulates of every row on one logarithmic axis, each with its number."""
    from matplotlib.figure import Figure

    if "params" not in frame:
        return None
    # By name where counts are equal: NumPy's own order of equals depends on the processor.
    shown = frame.dropna(subset=["params"]).sort_values(["params", "variant"], ascending=False).reset_index(drop=True)
    if shown.empty:
        return None
    figure = Figure(figsize=(8, 0.9 + 0.36 * len(shown)))
    axes = figure.subplots()
    axes.plot(shown["params"], shown.index, "o", color="#0072B2", ms=7, label="parameters")
    axes.plot(shown["macs"], shown.index, "D", mfc="none", mec="#D55E00", ms=6, label="multiply-accumulates")
    for row, params in shown["params"].items():
        axes.annotate(f"{int(params):,}", (params, row), xytext=(0, 7), textcoords="offset points", ha="center", size=8)
    axes.set_xscale("log")
    axes.set_xlim(5, 2e11)
    axes.set_ylim(-0.8, len(shown) - 0.4)
    axes.set_yticks(shown.index, shown["variant"])
    axes.set_xlabel("count (each grid line is ten times the one before)")
    axes.set_xticks([10.0**power for power in range(1, 12)])
    axes.grid(axis="x", color="0.9")
    axes.legend(loc="upper right", frameon=False)
    return figure


EXPERIMENT = Experiment(
    name="parameters",
    question="How many parameters and multiply-accumulates does a layer or a network have?",
    expectation="From 300×300 to 300×300 a 5×5 convolution has 26 parameters, a fully connected layer 8.1×10⁹.",
    sources=("slide: В сверточном слое меньше параметров", "slide: Одного фильтра мало!"),
    variants=(
        Variant("fully-connected-300", Counting("dense"), "300×300 pixels to 300×300 units"),
        Variant("convolution-5x5-300", Counting("convolution", kernel=5), "300×300 pixels to 300×300 units"),
        Variant("formula-grid", Counting("grid"), "convolutions of 25 kernel shapes and 9 pairs of channels"),
        *(Variant(name, Counting("network", model=name), "zoo") for name in NETWORKS),
    ),
    dataset="none",
    seeds=1,
    work="experiments.parameters.CountingWork",
    figure="experiments.parameters.draw",
    evidence=(
        Evidence(
            "parameters",
            parts=(
                Part("a 5×5 convolution has 26 parameters", Equals("convolution-5x5-300", "params", 26)),
                Part("a fully connected layer has 8.1×10⁹ weights", Equals("fully-connected-300", "weights", 8.1e9)),
            ),
            reproduced_if="Keras itself counts 26 and 8,100,000,000 (without the 90,000 biases, as the slide does)",
            contradicted_if="it counts something else in both",
        ),
        Evidence(
            "formula",
            parts=(Part("Keras and the formula agree everywhere", Equals("formula-grid", "grid_mismatches", 0)),),
            reproduced_if="no layer of the grid differs",
            contradicted_if="one does",
        ),
    ),
    columns=("variant", "params", "weights", "macs", "float32_bytes", "peak_memory_megabytes_mean"),
    reading='Keras itself counts these, without making a single weight (StatelessScope); "peak memory" is what the '
    "process's memory rose by while counting the 32.4 GB layer.",
)
