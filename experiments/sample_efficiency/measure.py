"""What `make sample-efficiency` derives of several rows: how many examples reach an accuracy."""

import math
from collections.abc import Sequence

from experiments.sample_efficiency import LENET, MEASURE, SIZES, WANTED, row_name
from lab.declare.experiment import Experiment
from lab.report.table.row import Row


def derive(experiment: Experiment, row: Row, rows: Sequence[Row]) -> dict[str, dict[int, float]]:
    """What a net needs for the wanted accuracy, and how many times what LeNet-5 needs; see `tables.Derive`.

    Both stand in the row of its most examples, each seed's by its own curve, and only where every seed of that
    row has run at all sizes.
    """
    net = row.settings["model"]
    if row.dataset not in WANTED or row.variant != row_name(net, max(SIZES)):
        return {}
    found = {name: examples_needed(name, WANTED[row.dataset], rows) for name in (net, LENET)}
    seeds = row.values(MEASURE)
    measures = {"examples_needed": found[net]}
    if net != LENET:
        measures["times_lenet5_examples"] = {
            seed: needed / found[LENET][seed] for seed, needed in found[net].items() if seed in found[LENET]
        }
    return {name: values for name, values in measures.items() if seeds and values.keys() == seeds.keys()}


def examples_needed(net: str, wanted: float, rows: Sequence[Row]) -> dict[int, float]:
    """Examples with which each seed's test accuracy is as wanted.

    Args:
        net: one of `NETS`.
        wanted: accuracy, 0 to 1.
        rows: of one data set.

    Returns:
        By seed that has run at all sizes, what `crossing` gives.
    """
    values = {row.variant: row.values(MEASURE) for row in rows}
    curve = [values.get(row_name(net, examples), {}) for examples in SIZES]
    seeds = set(curve[0]).intersection(*curve)
    return {seed: crossing([accuracies[seed] for accuracies in curve], wanted) for seed in sorted(seeds)}


def crossing(accuracies: Sequence[float], wanted: float) -> float:
    """Where a curve over `SIZES` first is as high as wanted, by a straight line over the logarithm of examples.

    A curve that is there at once needs the fewest examples, and one that never is the most: bounds, as the truth
    lies beyond them.
    """
    sizes = [math.log(examples) for examples in SIZES]
    if accuracies[0] >= wanted:
        return float(min(SIZES))
    for n in range(1, len(sizes)):
        if accuracies[n] >= wanted:
            share = (wanted - accuracies[n - 1]) / (accuracies[n] - accuracies[n - 1])
            return math.exp(sizes[n - 1] + share * (sizes[n] - sizes[n - 1]))
    return float(max(SIZES))
