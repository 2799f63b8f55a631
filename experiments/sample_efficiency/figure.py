"""The figure of `make sample-efficiency`: accuracy by number of examples."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.sample_efficiency import LABELS, MEASURE, PARTS, SIZES, WANTED
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

MIDDLE = math.sqrt(min(SIZES) * max(SIZES))  # of the logarithmic axis of examples
STRIP = 1.5  # inches of height that the examples needed take


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Test accuracy against examples learned from, a panel a data set; beneath, the examples needed."""
    if f"{MEASURE}_mean" not in frame:
        return None
    frame = pd.concat(figures.by_variant(rows).reset_index() for _, rows in frame.groupby("dataset", sort=False))
    datasets = list(dict.fromkeys(frame["dataset"]))
    figure = drawing.sheet(4.3 + STRIP, "Test accuracy by the number of examples learned from")
    grid = figure.subplots(2, len(datasets), squeeze=False, height_ratios=(2.6, 1), sharex=True, sharey="row")
    for axes, strip, dataset in zip(*grid, datasets, strict=True):
        on_this = frame[frame["dataset"] == dataset]
        _draw_curves(axes, on_this, dataset)
        _draw_needed(strip, on_this, dataset)
    grid[0][0].set_ylabel("test accuracy, %")
    grid[0][0].set_ylim(math.floor(10 * frame[f"{MEASURE}_mean"].min()) * 10, 100)
    drawing.name_rows(grid[1][0], list(LABELS.values()))
    figure.supxlabel(f"examples learned from (log scale); {drawing.seeds(frame)}", size=10)
    return figure


def _draw_curves(axes: Axes, rows: pd.DataFrame, dataset: str) -> None:
    for number, net in enumerate(LABELS):
        of_net = rows[rows["model"] == net].sort_values("examples", kind="stable")
        drawing.curve(axes, of_net["examples"], of_net, MEASURE, number, scale=100)
    wanted = 100 * WANTED.get(dataset, 0)
    if wanted:
        axes.axhline(wanted, color="0.4", lw=1)
    axes.set_xscale("log")
    axes.set_xlim(70, 1.4 * max(SIZES))
    drawing.round_ticks(axes.xaxis, 100, 1_000, 10_000)
    axes.grid()
    axes.set_title(f"{dataset} (line: {wanted:g} % wanted)" if wanted else dataset)


def _draw_needed(axes: Axes, rows: pd.DataFrame, dataset: str) -> None:
    """The examples that each net needs for the wanted accuracy, in the curves' colours and markers."""
    for number, net in enumerate(LABELS):
        needed = _needed(rows[rows["model"] == net])
        if needed is not None:
            mean, low, high = needed
            bars = [[mean - low], [high - mean]] if low == low else None  # one seed has no interval
            axes.errorbar(mean, number, xerr=bars, **(drawing.series(number) | {"capsize": 3}))
            right = mean < MIDDLE  # of the axis: on that side there is room for the number
            at = (high if right else low) if bars else mean
            words = _with_interval(*needed)
            drawing.beside(axes, words, (at, number), 7 if right else -7, ha="left" if right else "right", size=9)
    if dataset in WANTED:
        axes.set_title(f"examples needed for {100 * WANTED[dataset]:g} %")
    axes.grid()
    axes.tick_params(axis="y", length=0)


def _with_interval(mean: float, low: float, high: float) -> str:
    return f"{mean:,.0f}" if math.isnan(low) else f"{mean:,.0f} [{low:,.0f}, {high:,.0f}]"


def _needed(rows: pd.DataFrame) -> list[float] | None:
    """Mean and interval of a net's `examples_needed`; None where it was not measured."""
    columns = [f"examples_needed_{part}" for part in PARTS]
    if columns[0] not in rows or rows[columns[0]].isna().all():
        return None
    return rows.dropna(subset=columns[:1])[columns].iloc[0].tolist()
