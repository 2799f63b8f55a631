"""The figure of `make gradients`: shared weights, pooling, and losses."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

LOSSES = 3.4  # inches of height


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """A shared weight's gradient taken apart; pooling's gradients; the loss where formulas give way."""
    arrays = figures.arrays(experiment, records)
    losses = {
        "cross-entropy": "Keras,\nfrom logits",
        "cross-entropy-printed": "as printed, −log(e^z/Σe^z):\nno number from here on",
        "cross-entropy-p": "Keras, from\nprobabilities:\nclipped at 16.1,\nno gradient",
    }
    if not {"shared-2d", "max-pool", "average-pool", "ties-max-pool", "ties-global-max", *losses} <= set(arrays):
        return None
    figure = drawing.sheet(7.4, "Gradients of shared weights and of pooling, and a loss in float32")
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=(1.6, 1.85, LOSSES), squeeze=False).flat
    _shared(upper, arrays["shared-2d"])
    _pooling(middle, arrays)
    _losses(lower, {label: arrays[name]["losses"] for name, label in losses.items()})
    return figure


def _shared(part: SubFigure, arrays: dict[str, np.ndarray]) -> None:
    """The four uses of a 2×2 kernel on 3×3 pixels, and their sum."""
    drawing.head(part, "A shared weight's gradient is the sum over its uses (2×2 kernel on 3×3 pixels)")
    copies = arrays["copies"].reshape(4, 2, 2)
    shown = {
        "pixels": arrays["worked_picture"],
        "kernel": arrays["worked_kernel"],
        "use a": copies[0],
        "+ use b": copies[1],
        "+ use c": copies[2],
        "+ use d": copies[3],
        "= sum": copies.sum(axis=0),
        "Conv2D": arrays["shared"],
    }
    for axes, (title, values) in zip(part.subplots(1, len(shown)), shown.items(), strict=True):
        drawing.numbers(axes, values, title)


def _pooling(part: SubFigure, arrays: dict[str, dict[str, np.ndarray]]) -> None:
    """The slide's window, its gradients, and those of a window with a tie."""
    drawing.head(part, "Gradient of pooling: the slide's window (left), and one with a tie (right)")
    ties = arrays["ties-max-pool"]
    shown = {
        "window": arrays["max-pool"]["worked_picture"],
        "max\npooling": arrays["max-pool"]["worked_gradient"],
        "average\npooling": arrays["average-pool"]["worked_gradient"],
        "tied\nwindow": ties["worked_picture"],
        "Max-\nPooling2D": ties["worked_gradient"],
        "GlobalMax-\nPooling2D": arrays["ties-global-max"]["worked_gradient"],
        "finite\ndifferences": ties["worked_differences"],
    }
    for axes, (title, values) in zip(part.subplots(1, len(shown)), shown.items(), strict=True):
        drawing.numbers(axes, values, title, marked=values == values.max() if "window" in title else None)


def _losses(part: SubFigure, losses: dict[str, np.ndarray]) -> None:
    """The loss against how far the wrong logit is ahead, in float32."""
    drawing.head(part, "Cross-entropy of one picture, computed in three ways in float32")
    axes = part.subplots()
    for number, (label, points) in enumerate(losses.items()):
        margin, loss = points[:, np.isfinite(points[1])]
        # Lines lie on one another: the first is drawn widest, so that each is seen.
        style = drawing.series(number) | {"lw": 4 - 1.5 * number, "ms": 7 - number}
        ends = margin[-1] < points[0, -1]
        axes.plot(margin, loss, markevery=4, label=None if ends else label, **style)
        if ends:
            drawing.beside(axes, label, (margin[-1], loss[-1]), 8, -14, size=10, color=style["color"])
    axes.set_xlabel("logit of a wrong class minus logit of the true one")
    axes.set_ylabel("cross-entropy")
    axes.grid()
    drawing.name_lines(axes, LOSSES - 1)
