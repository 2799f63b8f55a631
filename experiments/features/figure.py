"""The figure of `make features`: what channels answer to, to scale, and how layers compare."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from experiments.features import CONDITIONS, LAYERS, NAIVE_CHANNELS, NAIVE_LAYERS, layer_name
from lab.declare.experiment import Experiment
from lab.report import figures
from lab.report.channels import mosaic
from lab.store.records import Records

STRIP = 250  # pixels of the networks' input across a strip of channels
SQUARE = 6  # pixels of the figure along a pixel of a network's input
BETWEEN = 8  # pixels between the strips of two layers
TRENDS = {
    "pattern_pixels": "side of the pattern\nthat matters, pixels",
    "probe_pooled_percent": "mean-pooled probe,\ntest accuracy, %",
    "probe_full_percent": "full probe,\ntest accuracy, %",
    "selectivity": "class selectivity\n(1: one class alone)",
}
Arrays = dict[str, dict[str, np.ndarray]]


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Channels of the trained networks, plain ascent beside ours, kernels, and the measures layer by layer."""
    rows = frame[frame["layer"].notna()] if "layer" in frame else frame.iloc[:0]
    if rows.empty:
        return None
    arrays = figures.arrays(experiment, records)
    figure = Figure(figsize=(13, 14))
    channels, details, trends = figure.subfigures(3, 1, height_ratios=(6.3, 2.4, 5), squeeze=False).flat
    channels.suptitle(
        "What channels answer to, drawn to scale at the size of their receptive field. "
        "Upper row: by gradient ascent; below: the two test patches that excite them most",
        fontsize=11,
    )
    room = {"left": 0.06, "right": 0.99, "bottom": 0.02, "top": 0.9, "wspace": 0.13}
    for axes, model in zip(channels.subplots(1, len(LAYERS), gridspec_kw=room), LAYERS, strict=True):
        _channels(axes, model, arrays)
    _details(details, arrays)
    _trends(trends, rows)
    return figure


def _channels(axes: Axes, model: str, arrays: Arrays) -> None:
    """Strips of channels, a layer each, the last layer on top."""
    axes.set_axis_off()
    axes.set_title(model, fontsize=11)
    strips, labels = [], []
    for layer in reversed(LAYERS[model]):
        found = arrays.get(layer_name(model, "trained", layer))
        if found:
            strips.append(_strip(found))
            labels.append(f"{layer}\n{found['patches'].shape[2]}×{found['patches'].shape[3]}")
    if not strips:
        return
    rows = sum(len(strip) + BETWEEN for strip in strips)
    sheet = np.full((rows, STRIP, *strips[0].shape[2:]), 255, "uint8")
    top = 0
    for strip, label in zip(strips, labels, strict=True):
        sheet[top : top + len(strip), : strip.shape[1]] = strip
        axes.text(-5, top + len(strip) / 2, label, ha="right", va="center", fontsize=9)
        top += len(strip) + BETWEEN
    axes.set_anchor("N")
    _show(axes, sheet, (-0.5, STRIP - 0.5, top - 0.5, -0.5))


def _show(axes: Axes, sheet: np.ndarray, extent: tuple[float, float, float, float] | None = None) -> None:
    """Pixels, grey or of three colours, as squares, also where a viewer smooths what it enlarges."""
    squares = sheet.repeat(SQUARE, axis=0).repeat(SQUARE, axis=1)
    axes.imshow(squares, cmap="gray", vmin=0, vmax=255, interpolation="none", extent=extent)


def _strip(found: dict[str, np.ndarray], patches: int = 2) -> np.ndarray:
    """As many channels as fit: what ascent gave, and patches under it; see `_drawn`."""
    side = found["maximised"].shape[1]
    count = min(len(found["maximised"]), (STRIP + 2) // (side + 2))
    rows = [found["maximised"], *(found["patches"][:, number] for number in range(patches))]
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
            panels.append((f"{model}: first kernels", np.round(127.5 * (kernels / largest + 1)).astype("uint8")))
    for layer in NAIVE_LAYERS:
        found = arrays.get(layer_name("bn-6", "trained", layer))
        if found:
            panels.append((f"bn-6 {layer}:\nplain ascent", found["naive"][:NAIVE_CHANNELS]))
            panels.append((f"bn-6 {layer}:\nregularised", found["maximised"][:NAIVE_CHANNELS]))
    if not panels:
        return
    for axes, (title, pictures) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        sheet = mosaic(pictures, columns=2 if len(pictures) <= 6 else 3)
        _show(axes, _drawn(sheet))
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()


def _trends(figure: SubFigure, rows: pd.DataFrame) -> None:
    """Each measure against depth, a row of panels a network, with 95 % intervals over seeds."""
    grid: Any = figure.subplots(len(LAYERS), len(TRENDS), sharey="col", gridspec_kw={"wspace": 0.45, "hspace": 0.3})
    by_name = rows.drop_duplicates("variant").set_index("variant")
    for line, (model, layers) in zip(grid, LAYERS.items(), strict=True):
        for axes, (measure, label) in zip(line, TRENDS.items(), strict=True):
            for number, condition in enumerate(CONDITIONS):
                names = [layer_name(model, condition, layer) for layer in layers]
                values = by_name.reindex(names).reindex(columns=_columns(measure)).to_numpy(dtype=float).T
                _trend(axes, values, CONDITIONS[condition].split(",")[0], number)
            if measure == "pattern_pixels":
                fields = by_name.reindex([layer_name(model, "trained", layer) for layer in layers])
                axes.plot(
                    range(len(layers)), fields["receptive_field_pixels"], color="0.5", lw=1, label="receptive field"
                )
            axes.set_xticks(range(len(layers)), layers, fontsize=8)
            axes.set_xlim(-0.4, len(layers) - 0.6)
            axes.set_ylabel(label, fontsize=9)
            axes.grid(axis="y", color="0.92")
        line[0].set_title(model, fontsize=11, loc="left")
    handles, names = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=4, frameon=False, bbox_to_anchor=(0.5, -0.03))


def _columns(measure: str) -> list[str]:
    return [f"{measure}_{part}" for part in ("mean", "ci95_low", "ci95_high")]


def _trend(axes: Axes, values: np.ndarray, label: str, number: int) -> None:
    mean, low, high = values
    bars = np.nan_to_num(np.stack([mean - low, high - mean]))
    style = {"color": figures.COLOURS[number], "marker": figures.MARKERS[number], "ls": ("-", "--", ":")[number]}
    axes.errorbar(np.arange(len(mean)), mean, yerr=bars, capsize=3, ms=5, label=label, **style)  # type: ignore[arg-type]
