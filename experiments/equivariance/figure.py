"""The figure of `make equivariance`: what is left of the equality, and where."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from experiments.equivariance import ROUNDING
from lab.declare.experiment import Experiment
from lab.report import figures
from lab.store.records import Records

CURVES = {
    "digits-none": "pixels as they are",
    "digits-stride": "stride alone",
    "digits-max": "max pooling",
    "digits-average": "average pooling",
    "digits-max-blur": "max pooling, blurred",
    "digits-blur": "blur, then stride",
}
MAPS = {
    "conv-valid": "convolution",
    "conv-same": "zeros around",
    "conv-stride2": "stride 2",
    "max-pool": "max pooling",
}


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """The two ways round for the cat's eye; where they differ, by layer; digits that move under pooling."""
    arrays = figures.arrays(experiment, records)
    if not {*CURVES, *MAPS} <= set(arrays):
        return None
    rows = frame[frame["declared"].astype(bool)].set_index("variant")
    figure = Figure(figsize=(10, 9.6), layout="constrained")
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=(2.7, 2.9, 4), squeeze=False).flat
    ways = {"picture": "x", "shifted": "shift(x)", "of_shifted": "conv(shift(x))", "shifted_after": "shift(conv(x))"}
    for axes, (name, title) in zip(upper.subplots(1, 4), ways.items(), strict=True):
        figures.picture(axes, arrays["conv-valid"][name], title)
    middle.suptitle("Where conv(shift(x)) and shift(conv(x)) differ for a shift of one pixel (black: nowhere)", size=11)
    for axes, (name, title) in zip(middle.subplots(1, 4), MAPS.items(), strict=True):
        figures.picture(axes, arrays[name]["difference"], f"{title}: {_percent(rows, name)}")
    _curves(lower, arrays)
    return figure


def _percent(rows: pd.DataFrame, name: str) -> str:
    """The largest deviation at any pixel, for any shift, as read."""
    worst = max(float(str(rows.loc[name, column])) for column in ("border_deviation", "any_shift_deviation"))
    return "0 %" if worst < ROUNDING else f"up to {100 * worst:.0f} %"


def _curves(part: SubFigure, arrays: dict[str, dict[str, np.ndarray]]) -> None:
    """Change against shift, a line a subsampling, by the answer itself and by another digit's."""
    part.suptitle("How far subsampling by 4 is invariant to shift, on 360 real digits", size=11)
    panels = {
        "change_of_itself": "by the size of the answer itself",
        "change": "by the distance to another digit's answer",
    }
    for axes, (measure, label) in zip(part.subplots(1, 2), panels.items(), strict=True):
        for name, colour, marker in zip(CURVES, figures.COLOURS, figures.MARKERS, strict=True):
            change = arrays[name][measure][:5]
            axes.plot(range(len(change)), change, marker=marker, color=colour, label=CURVES[name])
        axes.axhline(100, color="0.4", linestyle=":")
        axes.set_xticks(range(5))
        axes.set_xlabel("shift of the digit, pixels")
        axes.set_ylabel("change of the answer, %")
        axes.set_title(label, fontsize=10)
        axes.grid(color="0.9")
    part.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
