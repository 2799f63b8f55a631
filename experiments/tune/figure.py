"""The figure of a search: score against each hyperparameter, and the best so far against time."""

from typing import Any

import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from lab.declare.experiment import TRIAL, Experiment
from lab.report.figures import COLOURS, MARKERS
from lab.store.records import Record, Records

# What each panel shows: a column of the table, what to call it, and whether on a log scale.
PANELS = (
    ("learning_rate", "peak learning rate", True),
    ("weight_decay", "weight decay", True),
    ("batch_size", "batch size", True),
    ("distortion_rotation_degrees", "distortion (largest rotation, °)", False),
    ("width", "width (times LeNet-5's)", False),
    ("activation", "activation", False),
    ("pooling", "pooling", False),
    ("rubbish_penalty", "rubbish penalty j", True),
)
COLUMNS = 4


def trials(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Validation error of the latest search's trials; None where none has a score.

    Hollow: fewer epochs than the most; a square around the best; × at the upper edge: diverged or failed.
    """
    found = [record for record in records.of(experiment.name) if record["specification"]["variant"] == TRIAL]
    ended = sorted((r for r in found if "ended_unix_seconds" in r), key=lambda r: r["ended_unix_seconds"])
    if not any(record["status"] == "finished" for record in ended):
        return None
    latest = ended[-1]["specification"]
    rows = frame[(frame["variant"] == TRIAL) & (frame["dataset"] == latest["dataset"])]
    rows = rows[rows["model"] == latest["settings"]["model"]]
    mine = [r for r in ended if r["specification"]["dataset"] == latest["dataset"]]
    mine = [r for r in mine if r["specification"]["settings"]["model"] == latest["settings"]["model"]]
    rows = rows.assign(
        error=100 * (1 - rows["validation_accuracy_mean"]).where(rows["status"] == "finished"),
        distortion_rotation_degrees=rows.get("distortion_rotation_degrees", pd.Series(0.0, rows.index)).fillna(0.0),
    )
    panels = [panel for panel in PANELS if panel[0] in rows and rows[panel[0]].notna().any()]
    count = len(panels) + 1
    height = -(-count // COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 2.7 * height + 0.6), layout="constrained")
    grid = figure.subplots(height, COLUMNS, squeeze=False).ravel()
    for axes, panel in zip(grid, panels, strict=False):
        _against(axes, rows, *panel)
    _over_time(grid[len(panels)], mine)
    for axes in grid[count:]:
        axes.set_axis_off()
    for axes in grid[0:count:COLUMNS]:
        axes.set_ylabel("validation error, % (log scale)")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    what = latest["settings"]
    figure.suptitle(f"Search for a recipe of {what['model']} on {latest['dataset']}: {len(rows)} trials", fontsize=11)
    return figure


def _against(axes: Axes, rows: pd.DataFrame, column: str, label: str, log: bool) -> None:
    """Scores over one hyperparameter; a series of markers for each number of epochs."""
    places = _places(axes, rows[column], log)
    scored = rows["error"].notna()
    lengths = sorted(rows["epochs"].unique(), reverse=True)
    for series, epochs in enumerate(lengths[: len(MARKERS)]):
        which = scored & (rows["epochs"] == epochs if series < len(MARKERS) - 1 else rows["epochs"] <= epochs)
        name = f"{epochs:g} epoch{'s' if epochs != 1 else ''}"
        if series == len(MARKERS) - 1 and len(lengths) > len(MARKERS):
            name = f"at most {name}"
        colour = COLOURS[series]
        fill = "none" if series else colour
        axes.plot(places[which], rows["error"][which], MARKERS[series], color=colour, mfc=fill, ms=6, label=name)
    if (~scored).any():
        top = np.full(int((~scored).sum()), 0.97)
        axes.plot(
            places[~scored], top, "x", color="black", transform=axes.get_xaxis_transform(), label="diverged or failed"
        )
    best = rows["error"] == rows["error"].min()
    axes.plot(places[best], rows["error"][best], "s", ms=12, mfc="none", mec="black", label="best")
    axes.set_xlabel(label)
    _percent(axes)


def _places(axes: Axes, values: pd.Series, log: bool) -> pd.Series:
    """Where on the x axis values are: numbers where they are, on a log axis if asked; words side by side."""
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        words = sorted(values.dropna().unique())
        axes.set_xticks(range(len(words)), words)
        axes.set_xlim(-0.6, len(words) - 0.4)
        return values.map({word: place for place, word in enumerate(words)})
    if log:
        axes.set_xscale("log")
        _round_ticks(axes.xaxis, (1, 3))
    if values.nunique() <= 5:
        axes.set_xticks(sorted(values.dropna().unique()), [f"{value:g}" for value in sorted(values.dropna().unique())])
        axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    return values


def _over_time(axes: Axes, ended: list[Record]) -> None:
    """The least error of one run so far, over the training time of all runs before, in the order of their end."""
    minutes = np.cumsum([record["metrics"]["train_seconds"] for record in ended]) / 60
    accuracies: list[Any] = [record["metrics"].get("validation_accuracy", np.nan) for record in ended]
    errors = 100 * (1 - np.array(accuracies, dtype=float))
    axes.plot(minutes, errors, ".", color="0.6", ms=5)
    axes.step(minutes, np.fmin.accumulate(errors), where="post", color="black", lw=1.5)
    axes.set_xlabel("minutes of training, all workers\n(line: best so far)")
    axes.set_xlim(left=0)
    _percent(axes)


def _percent(axes: Axes) -> None:
    axes.set_yscale("log")
    _round_ticks(axes.yaxis, (1, 2, 5))
    axes.grid(color="0.92")


def _round_ticks(axis: Axis, digits: tuple[int, ...]) -> None:
    axis.set_major_locator(matplotlib.ticker.LogLocator(subs=digits))
    axis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
