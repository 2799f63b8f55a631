"""The figure of `make enough-examples`: what layers tell by the number of examples, and the patterns found."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from cnn_models.brightness import brightnesses
from experiments.enough_examples import EXAMPLES, LAYERS, PIXELS, PROBE, RANDOM, SELECTIVITY, layer_name, network_name
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.report.draw.channels import mosaic
from lab.store.records import Records

CURVES, KERNELS = 3.6, 1.9  # inches of height
PANELS = {PROBE: "a linear classifier reads, %", SELECTIVITY: "class selectivity\n(1: one class alone)"}
LABELS = {"c1": "first\nconvolution", "c3": "second\nconvolution", "f6": "last hidden\nlayer"}
COLUMNS = 3  # of kernels side by side


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Probes and selectivity against examples, a curve a layer; beneath, the first layer's kernels."""
    if f"{PROBE}_mean" not in frame:
        return None
    rows = figures.by_variant(frame)
    kernels = _kernels(experiment, records)
    figure = drawing.sheet(0.5 + CURVES + KERNELS * bool(kernels), "What LeNet-5's layers tell, by examples learned")
    parts = figure.subfigures(1 + bool(kernels), 1, height_ratios=(CURVES, KERNELS)[: 1 + bool(kernels)], squeeze=False)
    _curves(parts[0, 0], rows)
    if kernels:
        _patterns(parts[1, 0], kernels)
    return figure


def _curves(part: SubFigure, rows: pd.DataFrame) -> None:
    layers = rows[rows["layer"].notna()] if "layer" in rows else rows.iloc[:0]
    drawing.head(part, f"examples learned from, 0: random weights; {drawing.seeds(layers if len(layers) else rows)}")
    panels: Any = part.subplots(1, len(PANELS))
    for axes, (measure, title) in zip(panels, PANELS.items(), strict=True):
        for number, layer in enumerate(LAYERS):
            names = [layer_name(RANDOM, layer), *(layer_name(network_name(count), layer) for count in EXAMPLES)]
            found = rows.reindex(names)
            if f"{measure}_mean" in found:
                drawing.curve(axes, range(len(names)), found, measure, number, label=LABELS[layer])
        if measure == PROBE and PIXELS in rows.index:
            level = float(str(rows.loc[PIXELS, f"{PROBE}_mean"]))
            axes.axhline(level, color="0.45", lw=1)
            drawing.beside(
                axes,
                "the pixels",
                (0.02, level),
                0,
                -7,
                xycoords=("axes fraction", "data"),
                color="0.35",
                size=drawing.SMALL,
            )
        axes.set_xticks(range(1 + len(EXAMPLES)), ["0", *(f"{count:,}" for count in EXAMPLES)])
        axes.set_xlim(-0.3, len(EXAMPLES) + 0.3)
        axes.set_title(title)
        axes.grid(axis="y")
    drawing.name_lines(panels[-1], CURVES - 1.2)


def _kernels(experiment: Experiment, records: Records) -> dict[int, np.ndarray]:
    """The first layer's kernels of one seed, by the number of examples."""
    arrays = figures.arrays(experiment, records)
    found = {count: arrays.get(layer_name(network_name(count), LAYERS[0]), {}).get("kernels") for count in EXAMPLES}
    return {count: kernels for count, kernels in found.items() if kernels is not None}


def _patterns(part: SubFigure, kernels: dict[int, np.ndarray]) -> None:
    """Each network's first kernels, black to white by the largest weight of its own."""
    drawing.head(part, "the first layer's kernels after so many examples, from the same random weights (seed 0)")
    for axes, (count, found) in zip(part.subplots(1, len(kernels), squeeze=False)[0], kernels.items(), strict=True):
        sheet = mosaic(brightnesses(found / np.abs(found).max()), columns=COLUMNS)
        drawing.picture(axes, sheet[..., 0], f"{count:,}")
