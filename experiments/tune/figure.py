"""The figure of a search: score against each hyperparameter, and the best so far against time."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lab.declare.experiment import TRIAL, Experiment
from lab.report.draw import drawing, figures
from lab.store.record import Record
from lab.store.records import Records

# What each panel shows: a column of the table, what to call it, and the ticks of a logarithmic axis.
PANELS = (
    ("learning_rate", "peak learning rate", (1e-4, 1e-3, 1e-2, 1e-1)),
    ("weight_decay", "weight decay", (1e-4, 1e-3, 1e-2, 1e-1)),
    ("batch_size", "batch size", (16, 32, 64, 128, 256, 512)),
    ("distortion_rotation_degrees", "distortion, degrees", None),
    ("width", "width (LeNet-5: 1)", None),
    ("activation", "activation", None),
    ("pooling", "pooling", None),
    ("rubbish_penalty", "rubbish penalty j", (0.01, 0.1, 1, 10, 100)),
)
ERRORS = (0.2, 0.5, 1, 2, 5, 10, 20, 50)  # ticks
COLUMNS = 4


def trials(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Test errors of what the latest search found, and all its trials; None where no trial has a score."""
    found = [record for record in records.of(experiment.name) if record.variant == TRIAL]
    ended = sorted((one for one in found if one.ended_unix_seconds), key=lambda one: one.ended_unix_seconds or 0)
    if not any(record.status == "finished" for record in ended):
        return None
    model, dataset = ended[-1].settings["model"], ended[-1].dataset
    mine = [one for one in ended if (one.settings["model"], one.dataset) == (model, dataset)]
    rows = frame[(frame["dataset"] == dataset) & (frame["model"] == model)]
    tried = rows[rows["variant"] == TRIAL]
    tried = tried.assign(
        error=100 * (1 - tried["validation_accuracy_mean"]).where(tried["status"] == "finished"),
        distortion_rotation_degrees=tried.get("distortion_rotation_degrees", pd.Series(0.0, tried.index)).fillna(0.0),
    )
    panels = [panel for panel in PANELS if panel[0] in tried and tried[panel[0]].notna().any()]
    lines = -(-(len(panels) + 1) // COLUMNS)
    tested = rows[rows["variant"] != TRIAL]
    tested = tested.dropna(subset=["test_error_percent_mean"]) if "test_error_percent_mean" in tested else tested[:0]
    labels = figures.row_labels(experiment, frame, tested)
    heights = [1.1 + drawing.height(labels)] * bool(len(tested)) + [0.8 + 2.1 * lines]
    figure = drawing.sheet(0.5 + sum(heights), f"The recipe that a search found for {model} on {dataset}")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if len(tested):
        drawing.dots([parts[0].subplots()], tested, {"test_error_percent": "test error, %"}, labels)
        parts[0].supxlabel(drawing.seeds(tested), size=10)
    _draw_trials(parts[-1], tried, mine, panels, lines)
    return figure


def _draw_trials(
    part: SubFigure, rows: pd.DataFrame, ended: list[Record], panels: list[tuple[str, str, Any]], lines: int
) -> None:
    failed = "; ×: diverged or failed" if rows["error"].isna().any() else ""
    drawing.head(part, f"{len(rows)} trials: numbers say the epochs; boxed: the best; line: the best so far{failed}")
    grid = part.subplots(lines, COLUMNS, sharey=True, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _against(axes, rows, *panel)
    _over_time(grid.flat[len(panels)], ended)
    for axes in list(grid.flat)[len(panels) + 1 :]:
        axes.set_axis_off()
    grid[0, 0].set_yscale("log")
    grid[0, 0].margins(y=0.1)
    drawing.round_ticks(grid[0, 0].yaxis, *ERRORS)
    for axes in grid.flat:
        axes.grid()
    for axes in grid[:, 0]:
        axes.set_ylabel("validation error, %")


def _against(axes: Axes, rows: pd.DataFrame, column: str, label: str, ticks: tuple[float, ...] | None) -> None:
    """Scores over one hyperparameter."""
    places = _places(axes, rows[column], ticks)
    best = rows["error"] == rows["error"].min()
    axes.plot(places[best], rows["error"][best], "s", ms=15, mfc="none", mec="black")
    for series, epochs in enumerate(sorted(rows["epochs"].unique(), reverse=True)):
        which = rows["epochs"] == epochs
        colour = drawing.COLOURS[series % len(drawing.COLOURS)]
        size = 7 if epochs < 10 else 11
        axes.plot(places[which], rows["error"][which], ls="", marker=f"${epochs:g}$", color=colour, mew=0.4, ms=size)
    failed = rows["error"].isna()
    axes.plot(places[failed], np.full(failed.sum(), 0.97), "kx", transform=axes.get_xaxis_transform())
    axes.set_xlabel(label)


def _places(axes: Axes, values: pd.Series, ticks: tuple[float, ...] | None) -> pd.Series:
    """Where on the x axis values are: numbers where they are, words side by side."""
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        words = sorted(values.dropna().unique())
        axes.set_xticks(range(len(words)), words)
        axes.set_xlim(-0.6, len(words) - 0.4)
        return values.map({word: place for place, word in enumerate(words)})
    axes.margins(x=0.12)
    if ticks:
        axes.set_xscale("log")
        low, high = values.min(), values.max()
        drawing.round_ticks(axes.xaxis, *(tick for tick in ticks if 0.9 * low <= tick <= 1.1 * high))
    return values


def _over_time(axes: Axes, ended: list[Record]) -> None:
    """The least error of one run so far, over the training time of all runs before, in the order of their end."""
    minutes = np.cumsum([record.metrics["train_seconds"] for record in ended]) / 60
    accuracies: list[Any] = [record.metrics.get("validation_accuracy", np.nan) for record in ended]
    errors = 100 * (1 - np.array(accuracies, dtype=float))
    axes.plot(minutes, errors, ".", color="0.6", ms=5)
    axes.step(minutes, np.fmin.accumulate(errors), where="post", color="black", lw=1.5)
    axes.set_xlabel("minutes of training")
    axes.set_xlim(left=0)
