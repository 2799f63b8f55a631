"""The figure of `make sample-efficiency`: accuracy by number of examples."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.sample_efficiency import LABELS, MEASURE, PARTS, WANTED
from lab.declare.experiment import Experiment
from lab.report.figures import COLOURS, MARKERS
from lab.store.records import Records


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Test accuracy against examples learned from, a panel for each data set, with the examples needed."""
    if f"{MEASURE}_mean" not in frame:
        return None
    datasets = list(dict.fromkeys(frame["dataset"]))
    figure = Figure(figsize=(4.6 * len(datasets), 4.8))
    for axes, dataset in zip(figure.subplots(1, len(datasets), squeeze=False)[0], datasets, strict=True):
        _draw_curves(axes, frame, dataset)
    figure.tight_layout()
    return figure


def _draw_curves(axes: Axes, frame: pd.DataFrame, dataset: str) -> None:
    on_this = frame[frame["dataset"] == dataset]
    for (net, label), colour, marker in zip(LABELS.items(), COLOURS, MARKERS, strict=False):
        rows = on_this[on_this["model"] == net].sort_values("examples", kind="stable")
        mean, low, high = (100 * rows[f"{MEASURE}_{part}"] for part in PARTS)
        bars = [mean - low, high - mean]
        needed = _needed(rows)
        text = label if needed is None else f"{label}: {_with_interval(*needed)}"
        axes.errorbar(rows["examples"], mean, yerr=bars, color=colour, marker=marker, ms=4, capsize=2, label=text)
        if needed is not None:
            wanted = 100 * WANTED[dataset]
            axes.plot(needed[1:], [wanted, wanted], color=colour, lw=5, alpha=0.5, solid_capstyle="butt")
            axes.plot([needed[0]] * 2, [0, wanted], color=colour, ls=":", lw=1)
    if dataset in WANTED:
        axes.axhline(100 * WANTED[dataset], color="0.4", lw=1)
        axes.annotate(
            f"{100 * WANTED[dataset]:g} % wanted",
            (100, 100 * WANTED[dataset]),
            xytext=(0, 3),
            textcoords="offset points",
        )
    axes.set_xscale("log")
    axes.set_ylim(math.floor(10 * on_this[f"{MEASURE}_mean"].min()) * 10, 100)
    axes.grid(color="0.92")
    title = f"examples needed for {100 * WANTED[dataset]:g} %" if dataset in WANTED else None
    axes.set_title(dataset, size=10)
    axes.set_xlabel("examples learned from (log scale)")
    axes.set_ylabel("test accuracy, %; bars: 95 % interval")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.16), title=title, alignment="left")


def _with_interval(mean: float, low: float, high: float) -> str:
    return f"{mean:,.0f}" if math.isnan(low) else f"{mean:,.0f} [{low:,.0f}, {high:,.0f}]"


def _needed(rows: pd.DataFrame) -> list[float] | None:
    """Mean and interval of a net's `examples_needed`; None where it was not measured."""
    columns = [f"examples_needed_{part}" for part in PARTS]
    if columns[0] not in rows or rows[columns[0]].isna().all():
        return None
    return rows.dropna(subset=columns[:1])[columns].iloc[0].tolist()
