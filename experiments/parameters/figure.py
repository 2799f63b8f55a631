"""The figure of `make parameters`: counts on a log scale."""

import pandas as pd
from matplotlib.figure import Figure

from lab.declare.experiment import Experiment
from lab.store.records import Records


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Parameters and multiply-accumulates of every row on one logarithmic axis, each with its number."""
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
