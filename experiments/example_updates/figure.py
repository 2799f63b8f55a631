"""The figure of `make example-updates`: how alike a digit's gradients at two places are, and what they look like."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from experiments.example_updates import COSINE, NETS, SHARED, row_name
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

MEASURES = {COSINE: "cosine of the gradients", SHARED: "weights in common, %"}
MAPS = 2.0  # inches of height
FILTERS = 4  # of a convolution that are drawn


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Measures by row; beneath, gradients of the first digit at two places, far apart, with black at 0."""
    if f"{COSINE}_mean" not in frame:
        return None
    arrays = figures.arrays(experiment, records)
    nets = [net for net in NETS if row_name(net, "far") in arrays]
    labels = figures.row_labels(experiment, frame, frame)
    heights = [1.5 + drawing.height(labels)] + [MAPS] * len(nets)
    figure = drawing.sheet(0.5 + sum(heights), "One digit at two places: which weights does it change?")
    above, *below = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    drawing.dots(above.subplots(1, len(MEASURES), sharey=True), frame, MEASURES, labels)
    above.supxlabel(drawing.seeds(frame), size=10)
    for part, net in zip(below, nets, strict=True):
        _draw_maps(part, NETS[net][2], arrays[row_name(net, "far")])
    return figure


def _draw_maps(part: SubFigure, label: str, arrays: dict[str, np.ndarray]) -> None:
    """The gradient of one digit, here and there: a map over the picture, or some filters, grey where it is 0."""
    drawing.head(part, f"{label}: its first layer's gradient, at the left and at the right")
    pictures = [*arrays["here"][:FILTERS], *arrays["there"][:FILTERS]]
    largest = max(float(np.abs(picture).max()) for picture in pictures)
    for axes, picture in zip(part.subplots(1, len(pictures), squeeze=False)[0], pictures, strict=True):
        drawing.picture(axes, 127.5 + 127.5 * picture / max(largest, 1e-30))
