"""The figure of `make parameters`: counts on a log scale."""

import pandas as pd
from matplotlib.figure import Figure

from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Parameters and multiply-accumulates of every row on one logarithmic axis, fewest parameters on top."""
    if "params" not in frame:
        return None
    # By name where counts are equal: NumPy's own order of equals depends on the processor.
    shown = frame.dropna(subset=["params"]).sort_values(["params", "variant"]).reset_index(drop=True)
    if shown.empty:
        return None
    labels = figures.row_labels(experiment, frame, shown)
    figure = drawing.sheet(1.3 + drawing.height(labels), "Parameters and multiply-accumulates of layers and networks")
    axes = figure.subplots()
    axes.plot(shown["params"], shown.index, "o", color=drawing.COLOURS[0], ms=8)
    axes.plot(shown["macs"], shown.index, "D", mfc="none", mec="black", ms=6)
    for row, params in shown["params"].items():
        drawing.beside(axes, f"{int(params):,}", (params, row), -8, ha="right", size=10)
    for words, column, colour in (("parameters", "params", drawing.COLOURS[0]), ("multiply-accumulates", "macs", "k")):
        drawing.beside(axes, words, (shown[column][0], 0), 0, 13, ha="center", size=10, color=colour)
    axes.set_xscale("log")
    axes.set_xlim(1, 1e11)
    drawing.name_rows(axes, labels)
    axes.set_ylim(top=-1)
    axes.set_xticks([10.0**power for power in range(12)])
    axes.set_xlabel("count (log scale: each line is ten times the one before)")
    axes.grid()
    axes.tick_params(axis="y", length=0)
    return figure
