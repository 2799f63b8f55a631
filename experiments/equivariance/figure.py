"""The figure of `make equivariance`: what is left of the equality, and where."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from experiments.equivariance import ROUNDING
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
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
WAYS = {"picture": "x", "shifted": "shift(x)", "of_shifted": "conv(shift(x))", "shifted_after": "shift(conv(x))"}
CHANGES = {"change_of_itself": "of the answer's own size, %", "change": "of the way to another digit, %"}
FARTHEST = 4  # pixels that digits are shifted


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """The two ways round for the cat's eye; where they differ, by layer; digits that move under pooling."""
    arrays = figures.arrays(experiment, records)
    if not set(MAPS) <= set(arrays):
        return None
    moving = set(CURVES) <= set(arrays)  # they need MNIST
    rows = figures.by_variant(frame)
    heights = (2.4, 2.6, 1.4 + drawing.ROW * len(CURVES))[: 2 + moving]
    figure = drawing.sheet(0.5 + sum(heights), "Convolution and shift, in either order")
    upper, middle, *lower = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False).flat
    drawing.head(upper, "A cat's eye: the picture x, x shifted, and a convolution in both orders")
    for axes, (name, title) in zip(upper.subplots(1, 4), WAYS.items(), strict=True):
        drawing.picture(axes, arrays["conv-valid"][name], title)
    drawing.head(middle, "Where the two orders differ for a shift of one pixel (black: nowhere)")
    for axes, (name, title) in zip(middle.subplots(1, 4), MAPS.items(), strict=True):
        drawing.picture(axes, arrays[name]["difference"], f"{title}:\n{_percent(rows, name)}")
    for part in lower:
        _changes(part, arrays)
    return figure


def _percent(rows: pd.DataFrame, name: str) -> str:
    """The largest deviation at any pixel, for any shift, as read."""
    worst = max(float(str(rows.loc[name, column])) for column in ("border_deviation", "any_shift_deviation"))
    return "0 %" if worst < ROUNDING else f"up to {100 * worst:.0f} %"


def _changes(part: SubFigure, arrays: dict[str, dict[str, np.ndarray]]) -> None:
    """Change of each subsampling's answer; the numeral is the shift in pixels, at the change that it makes."""
    drawing.head(part, "How much the answer to a digit changes when it shifts by 1, 2, 3 and 4 pixels")
    panels = part.subplots(1, 2, sharey=True)
    for axes, (measure, label) in zip(panels, CHANGES.items(), strict=True):
        for row, name in enumerate(CURVES):
            change = arrays[name][measure][: FARTHEST + 1]
            axes.plot(change, [row] * len(change), color="0.8", lw=1)
            for shift in range(1, FARTHEST + 1):
                axes.plot(change[shift], row, marker=f"${shift}$", color=drawing.COLOURS[0], ms=8, mew=0.4)
        axes.set_xlim(left=0)
        axes.set_title(label)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    drawing.name_rows(panels[0], list(CURVES.values()))
