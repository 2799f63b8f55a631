"""The figure of `make filters`: what the kernels make of the cat, and the template at work."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lab.declare.experiment import Experiment
from lab.report import figures
from lab.store.records import Records


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """The cat through each kernel, in grey and (its eye) in colour; its pixels; the worked examples."""
    arrays = figures.arrays(experiment, records)
    shown = {"pixels": "input", "edges": "edges", "sharpen": "sharpened", "blur": "blurred"}
    if not {*shown, "template"} <= set(arrays):
        return None
    figure = Figure(figsize=(10, 9.4), layout="constrained")
    *upper, last = figure.subfigures(4, 1, height_ratios=(2.5, 2.2, 2.5, 1.7), squeeze=False).flat
    pictures, kernels, colours = (part.subplots(1, 4) for part in upper)
    settings = {variant.name: variant.settings for variant in experiment.variants}
    for column, (name, title) in enumerate(shown.items()):
        figures.picture(pictures[column], arrays[name]["grey"], title)
        figures.picture(colours[column], arrays[name]["colour"], f"{title}, in colour")
        if name != "pixels":
            kernel = settings[name]
            over = f" / {kernel.divisor}" if kernel.divisor > 1 else ""
            figures.numbers(kernels[column], kernel.kernel, f"kernel{over}", size=15)
    _patch(pictures[0], kernels[0], arrays["pixels"])
    _worked_examples(last, arrays["template"])
    return figure


def _patch(cat: Axes, axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    """The numbers of a few pixels, and where on the cat they are."""
    patch, (y, x) = arrays["patch"], arrays["patch_corner"]
    figures.frame(cat, x, y, *patch.shape)
    figures.numbers(axes, patch, "the framed pixels", size=7.5, shades=patch / 255)


def _worked_examples(part: SubFigure, arrays: dict[str, np.ndarray]) -> None:
    """Picture, template and response of the slide, twice."""
    axes = part.subplots(1, 7, squeeze=False, width_ratios=(4, 2.4, 3.2, 1, 4, 2.4, 3.2)).flat
    axes[3].set_axis_off()
    for first, name in ((0, "down"), (4, "up")):
        picture, response = arrays[name], arrays[f"{name}_response"]
        figures.numbers(axes[first], picture, "picture", shades=1 - 0.35 * picture)
        figures.numbers(axes[first + 1], ((1, 0), (0, 1)), "∗ template")
        figures.numbers(
            axes[first + 2], response, f"= response, max {response.max():.0f}", marked=response == response.max()
        )
