"""The figure of `make depth-sweep`: errors by depth, field, cost and gradients."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.depth_sweep import DEPTHS, EFFECTIVE, ERROR, FAMILIES, FIELD, LARGE, SIZES, object_pixels, variant_name
from lab.declare.experiment import Experiment
from lab.declare.run import digest
from lab.report.figures import COLOURS, MARKERS
from lab.report.tables import declared
from lab.store.records import Records

DEEPEST = 16  # layers of the nets whose gradients are drawn
SHOWN_GRADIENTS = ("plain", "residual", "unnormalised")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Error and field by depth, error by field and size of the object, gradients by layer."""
    if f"{ERROR}_mean" not in frame:
        return None
    rows = frame.sort_values("declared", ascending=False, kind="stable").drop_duplicates("variant").set_index("variant")
    figure = Figure(figsize=(14, 8.4), layout="constrained")
    (by_depth, by_cost, by_field), (fields, *_) = grid = figure.subplots(2, 3)
    for place, (family, label) in enumerate(FAMILIES.items()):
        for axes, along, stem in ((by_depth, None, ERROR), (by_cost, "macs", ERROR), (fields, None, EFFECTIVE)):
            _curve(axes, rows, family, LARGE, along, stem, place, label)
    _dress_depth(by_depth, fields, rows)
    if by_cost.has_data():
        by_cost.set_xscale("log")
    by_cost.set_xlabel("multiply-accumulates of one picture (log scale)")
    by_cost.set_title("large digit, lines as on the left", size=10)
    _finish(by_cost, "test error, %; bars: 95 % interval", legend=False)
    for place, (side, name) in enumerate(SIZES.items()):
        label = f"{name} digit, {object_pixels(side):.0f} pixels"
        _curve(by_field, rows, "plain", side, FIELD, ERROR, place, label)
        by_field.axvline(object_pixels(side), color=COLOURS[place], ls=LINES[place], lw=1)
    _log2(by_field, "field of the last layer, pixels (log scale); lines: the digit's own side")
    by_field.set_title("plain nets of 1 to 16 layers, by size of the digit", size=10)
    _finish(by_field, "test error, %; bars: 95 % interval")
    for axes, when in zip(grid[1][1:], ("before", "after"), strict=True):
        _gradients(axes, experiment, rows, records, when)
    return figure


def _dress_depth(by_depth: Any, fields: Any, rows: pd.DataFrame) -> None:
    plain = {depth: variant_name("plain", depth) for depth in DEPTHS["plain", LARGE]}
    theory = {depth: rows.loc[name, FIELD] for depth, name in plain.items() if name in rows.index}
    if theory:
        fields.plot(list(theory), list(theory.values()), color="0.6", lw=1, label="plain, in theory")
    fields.axhline(object_pixels(LARGE), color="0.6", ls="--", lw=1)
    for axes in (by_depth, fields):
        _log2(axes, "layers of 3×3 (log scale)")
        axes.set_title("large digit", size=10)
    _finish(by_depth, "test error, %; bars: 95 % interval")
    _finish(fields, "effective field, pixels; dashed: the digit's side")


def _curve(
    axes: Any, rows: pd.DataFrame, family: str, side: int, along: str | None, stem: str, place: int, label: str
) -> None:
    """One family's measure by depth, or along a column, with its intervals."""
    depths = {variant_name(family, depth, side): depth for depth in DEPTHS[family, side]}
    found = rows[rows.index.isin(list(depths))]
    if found.empty or f"{stem}_mean" not in rows:
        return
    x = found.index.map(depths) if along is None else found[along]
    mean, low, high = (found[f"{stem}_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
    style = {"color": COLOURS[place], "marker": MARKERS[place], "ls": LINES[place], "ms": 5, "capsize": 2}
    axes.errorbar(x, mean, yerr=[mean - low, high - mean], label=label, **style)


def _gradients(axes: Any, experiment: Experiment, rows: pd.DataFrame, records: Records, when: str) -> None:
    """Norms of the gradient by layer of the deepest nets, "before" or "after" training, geometric means over seeds."""
    for place, family in enumerate(FAMILIES):
        name = variant_name(family, DEEPEST)
        found = [norms[when] for norms in _norms(experiment, name, records) if when in norms]
        if family in SHOWN_GRADIENTS and found and name in rows.index:
            mean = np.exp(np.mean(np.log(np.maximum(found, 1e-12)), axis=0))
            style = {"color": COLOURS[place], "marker": MARKERS[place], "ls": LINES[place], "ms": 4}
            axes.plot(range(1, len(mean) + 1), mean, label=FAMILIES[family], **style)
    if axes.lines:
        axes.set_yscale("log")
    axes.set_xlabel(f"layer, first to last ({DEEPEST + 1}: logits)")
    axes.set_title(f"{DEEPEST} layers, {when} training", size=10)
    axes.set_ylabel("norm of the loss's gradient in its kernel (log scale)")
    axes.grid(color="0.92")
    if axes.lines:
        axes.legend(frameon=False, fontsize=8)


def _norms(experiment: Experiment, variant: str, records: Records) -> list[dict[str, list[float]]]:
    """What each record of the variant's declared recipe on the declared data set holds of its gradients."""
    wanted = declared(experiment, variant, experiment.dataset)
    return [
        record["gradient_norms"]
        for record in records.of(experiment.name)
        if record.get("gradient_norms") and digest(record["specification"]) == wanted
    ]


def _log2(axes: Any, label: str) -> None:
    if not axes.get_legend_handles_labels()[0]:
        return  # a scale of nothing
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(label)


def _finish(axes: Any, label: str, legend: bool = True) -> None:
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
    axes.grid(color="0.92")
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
