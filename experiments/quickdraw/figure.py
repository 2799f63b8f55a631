"""The figure of `make quickdraw`: accuracy and precision, what was taken for what, and surprising mistakes."""

import collections

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from lab.data import datasets
from lab.declare.experiment import Experiment
from lab.errors import UsageError
from lab.report.draw import drawing, figures
from lab.store.record import Record
from lab.store.records import Records

MEASURES = {"test_accuracy": "recognised, %", "test_map3": "MAP@3, %"}
MOST_CLASSES = 12  # of which a matrix can be read
COLUMNS = 5  # of drawings


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Measures by row; confusions and most confident mistakes of the best row whose classes are few."""
    measures = {column: label for column, label in MEASURES.items() if f"{column}_mean" in frame}
    if not measures:
        return None
    shown = frame.dropna(subset=[f"{column}_mean" for column in measures])
    best = _best(experiment, shown, records)
    labels = figures.row_labels(experiment, frame, shown)
    heights = [1.0 + drawing.height(labels), *((4.2, 3.6) if best else ())]
    figure = drawing.sheet(0.4 + sum(heights), "How many test drawings each network recognises")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_measures(parts[0], shown, measures, labels)
    if best:
        _draw_confusions(parts[1], *best)
        _draw_mistakes(parts[2], *best)
    return figure


def _best(experiment: Experiment, frame: pd.DataFrame, records: Records) -> tuple[str, list[Record]] | None:
    """The row with the highest accuracy among those of few classes: its label and its finished records by seed."""
    found = {
        key: [record for record in of if record.status == "finished"]
        for key, of in figures.chosen(experiment, records, "confusions").items()
        if 1 < len(of[0].details.get("classes", ())) <= MOST_CLASSES
    }
    accuracy = frame.groupby(["variant", "dataset"])["test_accuracy_mean"].max()
    best = max((key for key, of in found.items() if of), key=lambda key: accuracy.get(key, -1.0), default=None)
    if best is None:
        return None
    chosen = sorted(found[best], key=lambda record: record.seed)
    return figures.label(experiment, best[0]), chosen


def _draw_measures(part: SubFigure, shown: pd.DataFrame, measures: dict[str, str], labels: list[str]) -> None:
    panels = part.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    drawing.dots(panels, shown, measures, labels, scale=100)
    if "classes" in shown:
        panels[0].plot(100 / shown["classes"], range(len(shown)), "|", color="black", ms=14)
        drawing.beside(panels[0], "|: guessing", (100 / shown["classes"].iloc[0], 0), 0, 13, size=drawing.SMALL)
    part.supxlabel(drawing.seeds(shown), size=10)


def _draw_confusions(part: SubFigure, name: str, records: list[Record]) -> None:
    """Rows: the class; columns: what it was taken for, in per cent of the class, over all seeds."""
    classes = records[0].details["classes"]
    counts = np.zeros((len(classes), len(classes)))
    for record in records:
        for own, said, count in record.details["confusions"]:
            counts[own, said] += count
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes = part.subplots()
    axes.pcolormesh(np.sqrt(shares), cmap="Blues", vmin=0, vmax=10, edgecolor="0.85", linewidth=0.5)
    for (row, column), share in np.ndenumerate(shares):
        if share > 0:
            text = f"{share:.1f}" if share < 9.95 else f"{share:.0f}"
            axes.text(
                column + 0.5,
                row + 0.5,
                text,
                ha="center",
                va="center",
                fontsize=9,
                color="white" if share > 40 else "black",
                fontweight="bold" if row == column else "normal",
            )
    ticks = np.arange(len(classes)) + 0.5
    axes.set_xticks(ticks, classes, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, classes)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    drawings, seeds = int(counts.sum() / len(records)), len(records)
    axes.set_xlabel("taken for")
    axes.set_ylabel("drawn")
    title = f"What {name} took drawings for, % of each class ({drawings:,} test drawings, {seeds} seeds)"
    drawing.head(part, title)


def _draw_mistakes(part: SubFigure, name: str, records: list[Record]) -> None:
    """The drawings that most seeds got wrong with most confidence."""
    try:
        test = datasets.load(records[0].dataset).test
    except UsageError:
        return  # fetched drawings that are not in this user's cache
    classes = records[0].details["classes"]
    mistakes = surprising(records, 2 * COLUMNS)
    grid = part.subplots(2, COLUMNS)
    for axes in grid.ravel():
        axes.set_axis_off()
    for axes, (picture, own, said, percent, seeds) in zip(grid.ravel(), mistakes, strict=False):
        times = f"\n{seeds} of {len(records)} seeds" if len(records) > 1 else ""
        drawing.picture(axes, 255 - test.images[picture].max(axis=-1))
        axes.set_title(f"{classes[own]}: said\n{classes[said]}, {percent:.1f} %{times}", size=10, loc="center")
    drawing.head(part, f"The mistakes that {name} made with the most confidence")


def surprising(records: list[Record], most: int) -> list[tuple[int, int, int, float, int]]:
    """The most surprising mistakes of several seeds.

    Returns:
        Picture, class, what it was taken for, mean probability in per cent, and how many seeds kept this
        mistake: those of most seeds first, then those of most confidence.
    """
    found: dict[tuple[int, int, int], list[float]] = collections.defaultdict(list)
    for record in records:
        for mistake in record.details["mistakes"]:
            found[mistake["picture"], mistake["class"], mistake["said"]].append(mistake["percent"])
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), -max(item[1]), item[0]))
    return [(*key, sum(percents) / len(percents), len(percents)) for key, percents in ranked[:most]]
