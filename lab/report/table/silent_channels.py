"""Means over a layer's channels with silent ones counted in, derived from its records."""

from collections.abc import Sequence

from lab.declare.experiment import Experiment
from lab.declare.layer import OF_ALL, SILENT
from lab.report.table.row import Row


def derive(experiment: Experiment, row: Row, rows: Sequence[Row]) -> dict[str, dict[int, float]]:
    """A layer's measures over all its channels; see `lab.report.table.tables.Derive`.

    A channel that answers to no test picture has no pattern and no class. Left out of a mean, it makes a layer look
    more telling the more of its channels are silent; here it counts as 0.
    """
    silent = row.values(SILENT)
    return {
        name: {seed: value * (1 - silent[seed] / 100) for seed, value in row.values(measure).items() if seed in silent}
        for name, measure in OF_ALL.items()
        if row.values(measure)
    }
