"""The figure of `make features`: what channels answer to, to scale, and how layers compare."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from cnn_models.brightness import brightnesses
from experiments.features import CONDITIONS, LAYERS, NAIVE_CHANNELS, NAIVE_LAYERS, layer_name
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.report.draw.channels import mosaic
from lab.store.records import Records

STRIP = 250  # pixels of the networks' input across a strip of channels
SQUARE = 6  # pixels of the figure along a pixel of a network's input
BETWEEN = 8  # pixels between the strips of two layers
NAMES = {"lenet5-relu": "LeNet-5", "bn-6": "six 3×3 convolutions"}
TRENDS = {
    "pattern_pixels": "side of the pattern\nthat matters, pixels",
    "probe_six_percent": "digits read\nfrom six channels, %",
    "selectivity": "class selectivity\n(1: one class alone)",
}
LABELS = {"trained": "trained", "random-labels": "random\nlabels", "random-weights": "random\nweights"}
HEIGHTS = (4.7, 2.1, 5.0)  # inches: channels, details, trends
Arrays = dict[str, dict[str, np.ndarray]]


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Channels of the trained networks, plain ascent beside ours, kernels, and the measures layer by layer."""
    rows = frame[frame["layer"].notna()] if "layer" in frame else frame.iloc[:0]
    if rows.empty:
        return None
    arrays = figures.arrays(experiment, records)
    figure = drawing.sheet(0.4 + sum(HEIGHTS), "What the channels of each layer answer to")
    channels, details, trends = figure.subfigures(3, 1, height_ratios=HEIGHTS, squeeze=False).flat
    drawing.head(
        channels,
        "Drawn to scale, the last layer on top. Of each layer the first row is made by gradient\n"
        "ascent, the two below are the patches of test digits that excite the channel most",
    )
    for axes, model in zip(channels.subplots(1, len(LAYERS)), LAYERS, strict=True):
        _channels(axes, model, arrays)
    _details(details, arrays)
    _trends(trends, rows)
    return figure


def _channels(axes: Axes, model: str, arrays: Arrays) -> None:
    """Strips of channels, a layer each, the last layer on top."""
    axes.set_axis_off()
    axes.set_title(NAMES[model], loc="center")
    strips, labels = [], []
    for layer in reversed(LAYERS[model]):
        found = arrays.get(layer_name(model, "trained", layer))
        if found:
            strips.append(_strip(found))
            labels.append(f"{layer}: {found['patches'].shape[2]}×{found['patches'].shape[3]}")
    if not strips:
        return
    rows = sum(len(strip) + BETWEEN for strip in strips)
    sheet = np.full((rows, STRIP, *strips[0].shape[2:]), 255, "uint8")
    top = 0
    for strip, label in zip(strips, labels, strict=True):
        sheet[top : top + len(strip), : strip.shape[1]] = strip
        axes.text(-5, top + len(strip) / 2, label, ha="right", va="center", fontsize=10)
        top += len(strip) + BETWEEN
    axes.set_anchor("N")
    _show(axes, sheet, (-0.5, STRIP - 0.5, top - 0.5, -0.5))


def _show(axes: Axes, sheet: np.ndarray, extent: tuple[float, float, float, float] | None = None) -> None:
    """Pixels, grey or of three colours, as squares, also where a viewer smooths what it enlarges."""
    squares = sheet.repeat(SQUARE, axis=0).repeat(SQUARE, axis=1)
    axes.imshow(squares, cmap="gray", vmin=0, vmax=255, interpolation="none", extent=extent)


def _strip(found: dict[str, np.ndarray]) -> np.ndarray:
    """As many channels as fit: what ascent gave, and patches under it; see `_drawn`."""
    side = found["maximised"].shape[1]
    count = min(len(found["maximised"]), (STRIP + 2) // (side + 2))
    rows = [found["maximised"], *np.moveaxis(found["patches"], 1, 0)]
    return _drawn(mosaic(np.concatenate([row[:count] for row in rows]), count, gap=2))


def _drawn(sheet: np.ndarray) -> np.ndarray:
    """What matplotlib takes: grey pictures without an axis of colours, `(height, width)`, others with it."""
    return sheet[..., 0] if sheet.shape[-1] == 1 else sheet


def _details(figure: SubFigure, arrays: Arrays) -> None:
    """First-layer kernels, and plain gradient ascent beside ours on the batch-normalised network."""
    panels: list[tuple[str, np.ndarray]] = []
    for model, layers in LAYERS.items():
        kernels = arrays.get(layer_name(model, "trained", layers[0]), {}).get("kernels")
        if kernels is not None:
            largest = np.abs(kernels).max()
            panels.append(
                (
                    f"{NAMES[model].split()[-1]}:\nfirst kernels",
                    brightnesses(kernels / largest),
                )
            )
    for layer in NAIVE_LAYERS:
        found = arrays.get(layer_name("bn-6", "trained", layer))
        if found:
            panels.append((f"{layer}: plain\nascent", found["naive"][:NAIVE_CHANNELS]))
            panels.append((f"{layer}: our\nascent", found["maximised"][:NAIVE_CHANNELS]))
    if not panels:
        return
    drawing.head(figure, "First kernels, and plain gradient ascent beside ours (regularised) in six convolutions")
    for axes, (title, pictures) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        sheet = mosaic(pictures, columns=2 if len(pictures) <= 6 else 3)
        _show(axes, _drawn(sheet))
        axes.set_title(title, loc="center", size=10)
        axes.set_axis_off()


def _trends(figure: SubFigure, rows: pd.DataFrame) -> None:
    """Each measure against depth, a row of panels a network, with 95 % intervals over seeds."""
    drawing.head(figure, f"Layer by layer; {drawing.seeds(rows)}")
    grid: Any = figure.subplots(len(LAYERS), len(TRENDS), sharey="col")
    by_name = figures.by_variant(rows)
    for line, (model, layers) in zip(grid, LAYERS.items(), strict=True):
        for axes, (measure, label) in zip(line, TRENDS.items(), strict=True):
            for number, condition in enumerate(CONDITIONS):
                found = by_name.reindex([layer_name(model, condition, layer) for layer in layers])
                drawing.curve(axes, range(len(layers)), found, measure, number, label=LABELS[condition])
            if measure == "pattern_pixels":
                fields = by_name.reindex([layer_name(model, "trained", layer) for layer in layers])
                axes.plot(range(len(layers)), fields["receptive_field_pixels"], color="0.45", lw=1)
                drawing.beside(axes, "receptive field", (0.05, 0.9), 0, xycoords="axes fraction", color="0.35", size=9)
            names = [layer.removeprefix("relu") for layer in layers]
            axes.set_xticks(range(len(layers)), names)
            axes.set_xlim(-0.4, len(layers) - 0.6)
            axes.set_title(label if model == next(iter(LAYERS)) else "")
            axes.grid(axis="y")
            axes.set_xlabel(f"layer of {NAMES[model]}")
    for line in grid:  # once all is drawn, as networks share their scales
        drawing.name_lines(line[-1], HEIGHTS[-1] / 2 - 1.2)
