"""The figure of `make colour`: errors by what was learned and what is read, and the first layer's filters."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.colour import ALTERED, ERROR
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.report.draw.channels import mosaic
from lab.store.records import Records

FILTERS = 1.5  # inches of height that the filters take
SQUARE = 8  # pixels of the figure along a weight
MEASURES = {ERROR: "as they are", **{f"test_{name}_error_percent": words for name, words in ALTERED.items()}}


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Errors, a row a network, a panel a kind of test pictures; beneath, the filters of the first layer."""
    if f"{ERROR}_mean" not in frame:
        return None
    labels = figures.row_labels(experiment, frame, frame)
    heights = (1.2 + drawing.height(labels), FILTERS)
    figure = drawing.sheet(0.4 + sum(heights), "Photographs misread, learned and read with and without colour")
    above, below = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
    drawing.dots(above.subplots(1, len(MEASURES), sharey=True), frame, MEASURES, labels)
    above.supxlabel(f"test error, %; {drawing.seeds(frame)}", size=10)
    drawing.head(below, "Filters of the first layer, each from its smallest weight to its largest")
    kernels = {
        variant: np.array(of[0].details["kernels"])
        for (variant, _), of in figures.chosen(experiment, records, "kernels").items()
    }
    for axes, variant in zip(below.subplots(1, len(experiment.variants)), experiment.named, strict=True):
        axes.set_axis_off()
        if variant in kernels:
            drawing.picture(axes, sheet_of(kernels[variant]), figures.label(experiment, variant))
    return figure


def sheet_of(kernels: np.ndarray) -> np.ndarray:
    """Filters as pictures beside each other.

    Args:
        kernels: `(height, width, channels, maps)`, of one channel or three.

    Returns:
        uint8, `(rows, columns)` or `(rows, columns, 3)`; of each filter the smallest weight is 0, the largest 255.
    """
    filters = np.moveaxis(kernels, -1, 0)
    low, high = (limit(filters, axis=(1, 2, 3), keepdims=True) for limit in (np.min, np.max))
    levels = np.round(255 * (filters - low) / np.maximum(high - low, 1e-12)).astype("uint8")
    sheet = mosaic(levels.repeat(SQUARE, axis=1).repeat(SQUARE, axis=2), columns=len(filters), gap=SQUARE // 2)
    return sheet if sheet.shape[2] == 3 else sheet[..., 0]
