"""The figure of `make weight-sharing`: error by connection."""

import pandas as pd
from matplotlib.figure import Figure

from experiments.weight_sharing import MEASURE, RUNGS, SIZES, row_name
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

HEIGHT = 4.3  # inches
ORDERS = {False: "pixels in\ntheir place", True: "pixels in one\nrandom order"}


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Test error by rung, pixels in their place and shuffled, a panel for each number of examples."""
    if f"{MEASURE}_mean" not in frame:
        return None
    rows = figures.by_variant(frame[frame["dataset"] == frame["dataset"].iloc[0]])
    figure = drawing.sheet(HEIGHT, "Test error by connection, pixels in their place and shuffled")
    panels = figure.subplots(1, len(SIZES), sharey=True, squeeze=False)[0]
    for axes, examples in zip(panels, SIZES, strict=True):
        for number, (shuffled, label) in enumerate(ORDERS.items()):
            names = [row_name(rung, examples, shuffled) for rung in RUNGS]
            found = rows.reindex(names)
            drawing.curve(axes, range(len(RUNGS)), found, MEASURE, number, label=label)
        axes.set_title(f"learned from {examples:,} examples")
        axes.set_xticks(range(len(RUNGS)), ["fully\nconnected", "locally\nconnected", "convolution"])
        axes.set_xlim(-0.4, len(RUNGS) - 0.6)
        axes.grid(axis="y")
    panels[0].set_ylim(bottom=0)  # of both, once all is drawn
    panels[0].set_ylabel("test error, %")
    drawing.name_lines(panels[-1], HEIGHT - 1.6)
    figure.supxlabel(drawing.seeds(rows), size=10)
    return figure
