"""The figure of `make depth-sweep`: errors by depth; fields, sizes of the digit, and gradients."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.depth_sweep import DEPTHS, EFFECTIVE, ERROR, FIELD, LARGE, SIZES, object_pixels, variant_name
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

DEEPEST = 16  # layers of the nets whose gradients are drawn
NAMES = {
    "plain": "plain",
    "residual": "residual",
    "stride": "stride 2",
    "pooling": "pooling",
    "wide": "wider",
    "unnormalised": "no normali-\nsation",
}
FIELDS = ("plain", "stride", "pooling")  # families whose fields are drawn, and whose gradients:
GRADIENTS = ("plain", "residual", "unnormalised")
MAIN, BELOW = 3.8, 3.0  # inches of height


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Error by depth; beneath, fields by depth, error by field and size of the digit, gradients by layer."""
    if f"{ERROR}_mean" not in frame:
        return None
    rows = figures.by_variant(frame)
    figure = drawing.sheet(0.4 + MAIN + 2 * BELOW, "Test error by the number of 3×3 layers")
    main, middle, lower = figure.subfigures(3, 1, height_ratios=(MAIN, BELOW, BELOW), squeeze=False)[:, 0]
    _errors(main.subplots(), rows)
    fields, sizes = middle.subplots(1, 2)
    _fields(fields, rows)
    _sizes(sizes, rows)
    for axes, when in zip(lower.subplots(1, 2, sharey=True), ("before", "after"), strict=True):
        _gradients(axes, experiment, records, when)
    return figure


def _errors(axes: Axes, rows: pd.DataFrame) -> None:
    for number, family in enumerate(NAMES):
        _curve(axes, rows, family, LARGE, None, ERROR, number, NAMES[family])
    _finish(axes, "layers of 3×3 (both axes: log scale)", MAIN)
    axes.set_ylabel("test error, %")
    axes.set_title(drawing.seeds(rows), size=10)


def _fields(axes: Axes, rows: pd.DataFrame) -> None:
    for number, family in enumerate(NAMES):
        if family in FIELDS:
            _curve(axes, rows, family, LARGE, None, EFFECTIVE, number, NAMES[family])
    plain = {depth: variant_name("plain", depth) for depth in DEPTHS["plain", LARGE]}
    theory = {depth: float(rows[FIELD][name]) for depth, name in plain.items() if name in rows.index}
    if theory:
        axes.plot(list(theory), list(theory.values()), color="0.45", lw=1, label="plain,\nin theory")
    axes.axhline(object_pixels(LARGE), color="0.45", ls="--", lw=1)
    axes.set_title("field in effect, pixels\n(dashed: the digit's side)")
    _finish(axes, "layers of 3×3 (log scale)", BELOW, log=False)


def _sizes(axes: Axes, rows: pd.DataFrame) -> None:
    """Curves by size of the digit, each beside a vertical line of its style at the digit's own side."""
    for number, side in enumerate(SIZES):
        _curve(axes, rows, "plain", side, FIELD, ERROR, number)
    _finish(axes, "field of the last layer, pixels (log scale)", BELOW)
    for number, side in enumerate(SIZES):
        style = drawing.series(number)
        axes.axvline(object_pixels(side), color=style["color"], ls=style["ls"], lw=1)
        at_bottom = (object_pixels(side), axes.get_ylim()[0])
        drawing.beside(axes, f"{object_pixels(side):.0f}", at_bottom, 3, 7, size=10, color=style["color"])
    axes.set_title("test error of plain nets, % (log scale), for\ndigits of 7 and 13 pixels (vertical lines)")


def _curve(
    axes: Axes, rows: pd.DataFrame, family: str, side: int, along: str | None, stem: str, number: int, label: str = ""
) -> None:
    """One family's measure by depth, or along a column, with its intervals."""
    depths = {variant_name(family, depth, side): depth for depth in DEPTHS[family, side]}
    found = rows[rows.index.isin(list(depths))]
    if found.empty or f"{stem}_mean" not in rows:
        return
    drawing.curve(axes, found.index.map(depths) if along is None else found[along], found, stem, number, label=label)


def _finish(axes: Axes, label: str, height: float, log: bool = True) -> None:
    """Scales, ticks and names, where there is anything."""
    axes.grid()
    axes.set_xlabel(label)
    if not axes.containers:
        return  # a scale of nothing
    axes.set_xscale("log", base=2)
    drawing.round_ticks(axes.xaxis, 1, 2, 4, 8, 16, 32)
    if log:
        axes.set_yscale("log")
        drawing.round_ticks(axes.yaxis, 1, 2, 5, 10, 20, 50, 100)
    else:
        axes.set_ylim(bottom=0)
    drawing.name_lines(axes, height - 1.3)


def _gradients(axes: Axes, experiment: Experiment, records: Records, when: str) -> None:
    """Norms of the gradient by layer of the deepest nets, "before" or "after" training, geometric means over seeds."""
    records_of = figures.chosen(experiment, records, "gradient_norms")
    for number, family in enumerate(NAMES):
        kept = records_of.get((variant_name(family, DEEPEST), experiment.dataset), ())
        found = [norms[when] for record in kept if when in (norms := record.details["gradient_norms"] or {})]
        if family in GRADIENTS and found:
            mean = np.exp(np.mean(np.log(np.maximum(found, 1e-12)), axis=0))
            style: dict[str, Any] = drawing.series(number) | {"ms": 4}
            axes.plot(range(1, len(mean) + 1), mean, label=NAMES[family], **style)
    axes.set_title(f"norm of each layer's gradient,\n{when} training, {DEEPEST} layers")
    axes.set_xlabel(f"layer ({DEEPEST + 1}: logits)")
    axes.grid()
    if axes.lines:
        axes.set_yscale("symlog", linthresh=1e-3)  # no gradient at all is a norm too
        drawing.round_ticks(axes.yaxis, 0, 0.001, 0.01, 0.1, 1)
        axes.set_ylim(-3e-4, 1)
        drawing.name_lines(axes, BELOW - 1.3)
