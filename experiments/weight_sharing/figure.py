"""The figure of `make weight-sharing`: error by connection."""

import pandas as pd
from matplotlib.figure import Figure

from experiments.weight_sharing import MEASURE, RUNGS, SIZES, row_name
from lab.declare.experiment import Experiment
from lab.report.figures import COLOURS, MARKERS
from lab.store.records import Records


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Test error by rung, pixels in their place and shuffled, a panel for each number of examples."""
    if f"{MEASURE}_mean" not in frame:
        return None
    rows = frame[(frame["dataset"] == frame["dataset"].iloc[0]) & frame["declared"]]
    rows = rows if len(rows) else frame
    figure = Figure(figsize=(8, 3.9))
    panels = figure.subplots(1, len(SIZES), sharey=True, squeeze=False)[0]
    for axes, examples in zip(panels, SIZES, strict=True):
        for place, (shuffled, label) in enumerate(((False, "pixels in their place"), (True, "in one random order"))):
            names = [row_name(rung, examples, shuffled) for rung in RUNGS]
            found = rows.drop_duplicates("variant").set_index("variant").reindex(names)
            mean, low, high = (found[f"{MEASURE}_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
            style = {"marker": MARKERS[place], "color": COLOURS[place], "ls": ("-", "--")[place], "capsize": 3}
            axes.errorbar(range(len(RUNGS)), mean, yerr=[mean - low, high - mean], label=label, **style)
        axes.set_title(f"{examples:,} examples", size=10)
        axes.set_xticks(range(len(RUNGS)), ["fully\nconnected", "locally\nconnected", "convolution"])
        axes.set_xlim(-0.4, len(RUNGS) - 0.6)
        axes.grid(axis="y", color="0.9")
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("test error, %; bars: 95 % interval")
    panels[-1].legend(frameon=False)
    figure.tight_layout()
    return figure
