"""The figure of `make filters`: what the kernels make of the cat, and the template at work."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lab.declare import kernels
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

SHOWN = {"pixels": "input", "edges": "edges", "sharpen": "sharpened", "blur": "blurred"}
PIXELS = 6  # of the patch whose numbers are shown, along each side


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """The cat through each kernel, in grey and (its eye) in colour; its pixels; the worked examples."""
    arrays = figures.arrays(experiment, records)
    if not {*SHOWN, "template"} <= set(arrays):
        return None
    figure = drawing.sheet(9.3, "A cat through three kernels of 3×3, and a template of 2×2 at work")
    *upper, last = figure.subfigures(4, 1, height_ratios=(2.1, 2.1, 2.1, 2.2), squeeze=False).flat
    pictures, kernels, colours = (part.subplots(1, len(SHOWN)) for part in upper)
    for column, (name, title) in enumerate(SHOWN.items()):
        drawing.picture(pictures[column], arrays[name]["grey"], title)
        drawing.picture(colours[column], arrays[name]["colour"], f"{title}, in colour")
        if name != "pixels":
            kernel = experiment.named[name].settings
            over = f" / {kernel.divisor}" if kernel.divisor > 1 else ""
            drawing.numbers(kernels[column], kernel.kernel, f"kernel{over}", size=16)
    _patch(pictures[0], kernels[0], arrays["pixels"])
    _worked_examples(last, arrays["template"])
    return figure


def _patch(cat: Axes, axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    """The numbers of a few pixels, and where on the cat they are."""
    patch, (y, x) = arrays["patch"][-PIXELS:, -PIXELS:], arrays["patch_corner"]
    skipped = len(arrays["patch"]) - PIXELS
    drawing.frame(cat, x + skipped, y + skipped, *patch.shape)
    drawing.numbers(axes, patch, "the framed pixels", size=10, shades=patch / 255)


def _worked_examples(part: SubFigure, arrays: dict[str, np.ndarray]) -> None:
    """Picture, template and response of the slide, twice."""
    drawing.head(part, "A template of one diagonal: on a picture of it (left), and of the other one (right)")
    axes = part.subplots(1, 7, squeeze=False, width_ratios=(4, 2.6, 3.4, 0.6, 4, 2.6, 3.4)).flat
    axes[3].set_axis_off()
    for first, name in ((0, "down"), (4, "up")):
        picture, response = arrays[name], arrays[f"{name}_response"]
        drawing.numbers(axes[first], picture, "picture", shades=1 - 0.35 * picture)
        drawing.numbers(axes[first + 1], kernels.DOWN, "∗ template")
        drawing.numbers(axes[first + 2], response, "= response", marked=response == response.max())
