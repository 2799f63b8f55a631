"""The figure of `make gradients`: shared weights, pooling, and losses."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lab.declare.experiment import Experiment
from lab.report import figures
from lab.store.records import Records


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """A shared weight's gradient taken apart; pooling's gradients; the loss where formulas give way."""
    arrays = figures.arrays(experiment, records)
    losses = {
        "cross-entropy": "Keras, from_logits=True",
        "cross-entropy-p": "Keras, given probabilities",
        "cross-entropy-printed": "as printed, −log(e^z/Σe^z)",
    }
    if not {"shared-2d", "max-pool", "average-pool", "ties-max-pool", "ties-global-max", *losses} <= set(arrays):
        return None
    figure = Figure(figsize=(10, 8.4), layout="constrained")
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=(1.9, 2.3, 3.9), squeeze=False).flat
    _shared(upper, arrays["shared-2d"])
    _pooling(middle, arrays)
    _losses(lower.subplots(), {label: arrays[name]["losses"] for name, label in losses.items()})
    return figure


def _shared(part: SubFigure, arrays: dict[str, np.ndarray]) -> None:
    """The four uses of a 2×2 kernel on 3×3 pixels, and their sum."""
    part.suptitle("A shared weight's gradient is the sum over its uses", size=12)
    copies = arrays["copies"].reshape(4, 2, 2)
    shown = {
        "pixels": arrays["worked_picture"],
        "kernel": arrays["worked_kernel"],
        "∂L/∂ use a": copies[0],
        "+ use b": copies[1],
        "+ use c": copies[2],
        "+ use d": copies[3],
        "= sum": copies.sum(axis=0),
        "Conv2D's own": arrays["shared"],
    }
    for axes, (title, values) in zip(part.subplots(1, len(shown)), shown.items(), strict=True):
        figures.numbers(axes, values, title, size=12)


def _pooling(part: SubFigure, arrays: dict[str, dict[str, np.ndarray]]) -> None:
    """The slide's window, its gradients, and those of a window with a tie."""
    part.suptitle("Gradient of pooling: the slide's window, and one with a tie", size=12)
    ties = arrays["ties-max-pool"]
    shown = {
        "window": arrays["max-pool"]["worked_picture"],
        "max": arrays["max-pool"]["worked_gradient"],
        "average": arrays["average-pool"]["worked_gradient"],
        "tied window": ties["worked_picture"],
        "Max-\nPooling2D": ties["worked_gradient"],
        "GlobalMax-\nPooling2D": arrays["ties-global-max"]["worked_gradient"],
        "finite\ndifferences": ties["worked_differences"],
    }
    for axes, (title, values) in zip(part.subplots(1, len(shown)), shown.items(), strict=True):
        figures.numbers(axes, values, title, size=12, marked=values == values.max() if "window" in title else None)


def _losses(axes: Axes, losses: dict[str, np.ndarray]) -> None:
    """The loss against how far the wrong logit is ahead, in float32."""
    for (label, points), colour, marker in zip(losses.items(), figures.COLOURS, figures.MARKERS, strict=False):
        margin, loss = points
        finite = np.isfinite(loss)
        axes.plot(margin[finite], loss[finite], color=colour, marker=marker, markevery=4, label=label)
        if not finite.all():
            last = np.flatnonzero(finite)[-1]
            axes.annotate(
                "no number from here on",
                (margin[last], loss[last]),
                (10, -28),
                textcoords="offset points",
                arrowprops={"arrowstyle": "->"},
            )
    axes.annotate("clipped at 16.1: no gradient either", (60, 16.1), (0, 8), textcoords="offset points")
    axes.set_xlabel("logit of a wrong class minus logit of the true one")
    axes.set_ylabel("cross-entropy")
    axes.set_title("Cross-entropy of one picture in float32", fontsize=12)
    axes.grid(color="0.9")
    axes.legend(frameon=False)
