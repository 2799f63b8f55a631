"""The figure of `make shift`: what is read where, and errors everywhere."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.shift import EVERYWHERE, NETS, POSITIONS, row_name, where_learned
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

MAP = 1.55  # inches of height that a map takes
NAMES = {"fc": "fully connected", "flatten": "convolution,\nflattened", "global-max": "convolution,\nglobal maximum"}


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Maps of accuracy over positions, a column a net, a row where it learned; beneath, errors everywhere."""
    maps = _maps(experiment, records)
    if not maps or f"{EVERYWHERE}_mean" not in frame:
        return None
    places = [(positions, moving) for positions in POSITIONS for moving in (False, True)]
    heights = (0.5 + MAP * len(POSITIONS), 1.2 + drawing.ROW * len(places))
    figure = drawing.sheet(0.8 + sum(heights), "Digits read at each place of the canvas, by where the net learned")
    above, below = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
    drawing.head(above, "white: all are read; black: none; dashed: where digits lay in training")
    for positions, line in zip(POSITIONS, above.subplots(len(POSITIONS), len(NETS)), strict=True):
        for net, axes in zip(NETS, line, strict=True):
            _draw_map(axes, maps.get(row_name(net, positions, False)), positions)
            if positions == POSITIONS[0]:
                axes.set_title(NAMES[net], loc="center")
        line[0].set_ylabel(f"learned:\n{where_learned(positions, False)}", rotation=0, ha="right", va="center", size=11)
    drawing.head(below, "misread anywhere on the canvas, %")
    rows = figures.by_variant(frame)
    labels = [where_learned(*place) for place in places]
    for net, axes in zip(NETS, below.subplots(1, len(NETS), sharey=True), strict=True):
        found = rows.reindex([row_name(net, *place) for place in places])
        drawing.dots([axes], found, {EVERYWHERE: NAMES[net]}, labels)
    below.supxlabel(drawing.seeds(frame), size=10)
    return figure


def _draw_map(axes: Axes, content: dict[str, np.ndarray] | None, positions: str) -> None:
    """One map with a frame around where digits lay in training; an empty one where the variant was not run."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if content is None:
        return
    reach = int(content["offset_pixels"].max())
    cell = reach / (content["accuracy"].shape[0] - 1)
    edge = reach + cell
    axes.imshow(
        content["accuracy"], cmap="gray", vmin=0, vmax=1, extent=(-edge, edge, edge, -edge), interpolation="nearest"
    )
    left, right = {"centre": (-cell, cell), "left": (-edge, cell), "everywhere": (-edge, edge)}[positions]
    low, high = (-cell, cell) if positions == "centre" else (-edge, edge)
    axes.add_patch(
        Rectangle(
            (left, low), right - left, high - low, fill=False, ec=drawing.COLOURS[1], ls="--", lw=2, clip_on=False
        )
    )


def _maps(experiment: Experiment, records: Records) -> dict[str, dict[str, np.ndarray]]:
    """The mean maps over seeds of each variant."""
    found: dict[str, dict[str, Any]] = {}
    for (variant, _), of in figures.chosen(experiment, records, "maps").items():
        maps = [record.details["maps"] for record in of]
        found.setdefault(variant, {key: np.mean([one[key] for one in maps], axis=0) for key in maps[0]})
    return found
