"""The figure of `make quickdraw`: accuracy and precision, what was taken for what, and surprising mistakes."""

import collections
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lab.data import datasets
from lab.declare.experiment import Experiment
from lab.declare.run import digest
from lab.errors import UsageError
from lab.report.figures import COLOURS, MARKERS
from lab.report.tables import declared
from lab.store.records import Record, Records

MEASURES = {"test_accuracy": "accuracy", "test_map3": "MAP@3"}
MOST_CLASSES = 12  # of which a matrix can be read
COLUMNS = 6  # of drawings


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Measures by row; confusions and most confident mistakes of the best row whose classes are few."""
    rows = [column for column in MEASURES if f"{column}_mean" in frame]
    if not rows:
        return None
    shown = frame.dropna(subset=[f"{column}_mean" for column in rows])
    best = _best(experiment, shown, records)
    height = 1.3 + 0.5 * len(shown)
    figure = Figure(figsize=(9, height + (9 if best else 0)), layout="constrained")
    parts: Any = figure.subfigures(2 if best else 1, 1, height_ratios=(height, 9) if best else (1,), squeeze=False)
    _draw_measures(parts[0, 0].subplots(), shown)
    if best:
        name, found = best
        below = parts[1, 0].subfigures(2, 1, height_ratios=(5, 4))
        _draw_confusions(below[0], name, found)
        _draw_mistakes(below[1], name, found)
    return figure


def _best(experiment: Experiment, frame: pd.DataFrame, records: Records) -> tuple[str, list[Record]] | None:
    """The declared row with the highest accuracy among those of few classes, and its finished records by seed."""
    found = collections.defaultdict(list)
    for record in records.of(experiment.name):
        specification = record["specification"]
        variant, dataset = specification["variant"], specification["dataset"]
        few = 1 < len(record.get("classes", ())) <= MOST_CLASSES
        if few and record["status"] == "finished" and digest(specification) == declared(experiment, variant, dataset):
            found[variant, dataset].append(record)
    if not found:
        return None
    accuracy = frame.groupby(["variant", "dataset"])["test_accuracy_mean"].max()
    variant, dataset = max(found, key=lambda key: accuracy.get(key, -1.0))
    chosen = sorted(found[variant, dataset], key=lambda record: record["specification"]["seed"])
    return variant, chosen


def _draw_measures(axes: Any, frame: pd.DataFrame) -> None:
    shown = frame.iloc[::-1].reset_index(drop=True)
    places = np.arange(len(shown))
    for (stem, label), offset, colour, marker in zip(MEASURES.items(), (0.14, -0.14), COLOURS, MARKERS, strict=False):
        mean, low, high = (100 * shown[f"{stem}_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
        errors = np.nan_to_num(np.array([mean - low, high - mean], dtype=float))
        axes.errorbar(mean, places + offset, xerr=errors, fmt=marker, color=colour, capsize=3, ms=5, label=label)
        for place, value in zip(places, mean, strict=True):
            axes.annotate(
                f"{value:.1f}", (101.5, place + offset), va="center", fontsize=8, color=colour, annotation_clip=False
            )
    for place, classes in zip(places, shown.get("classes", pd.Series(np.nan, places)), strict=True):
        if not np.isnan(classes):
            axes.plot(100 / classes, place, "|", color="black", ms=14)
    names = [f"{row.variant}, {row.dataset} (n={row.seeds})" for row in shown.itertuples()]
    axes.set_yticks(places, names)
    axes.set(xlim=(0, 101), ylim=(-0.6, len(shown) - 0.4))
    axes.set_xlabel("test drawings, %; bars: 95 % interval of the mean over seeds; |: accuracy of guessing")
    axes.grid(axis="x", color="0.9")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False)


def _draw_confusions(figure: Any, name: str, records: list[Record]) -> None:
    """Rows: the class; columns: what it was taken for, in per cent of the class, over all seeds."""
    classes = records[0]["classes"]
    counts = np.zeros((len(classes), len(classes)))
    for record in records:
        for own, said, count in record["confusions"]:
            counts[own, said] += count
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes = figure.subplots()
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
                fontsize=8,
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
    axes.set_title(f"{name}: per cent of each class's test drawings ({drawings:,} drawings, n={seeds} seeds)", size=10)


def _draw_mistakes(figure: Any, name: str, records: list[Record]) -> None:
    """The drawings that most seeds got wrong with most confidence."""
    try:
        test = datasets.load(records[0]["specification"]["dataset"]).test
    except UsageError:
        return  # fetched drawings that are not in this user's cache
    classes = records[0]["classes"]
    mistakes = surprising(records, 2 * COLUMNS)
    grid = figure.subplots(2, COLUMNS, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for axes, (picture, own, said, percent, seeds) in zip(grid.ravel(), mistakes, strict=False):
        axes.imshow(255 - test.images[picture].max(axis=-1), cmap="gray", vmin=0, vmax=255, interpolation="none")
        times = f"\n{seeds} of {len(records)} seeds" if len(records) > 1 else ""
        axes.set_title(f"{classes[own]}\nsaid {classes[said]}, {percent:.1f} %{times}", fontsize=7.5)
    figure.suptitle(f"{name}: mistakes made with the most confidence", size=10)


def surprising(records: list[Record], most: int) -> list[tuple[int, int, int, float, int]]:
    """The most surprising mistakes of several seeds.

    Returns:
        Picture, class, what it was taken for, mean probability in per cent, and how many seeds kept this
        mistake: those of most seeds first, then those of most confidence.
    """
    found: dict[tuple[int, int, int], list[float]] = collections.defaultdict(list)
    for record in records:
        for mistake in record["mistakes"]:
            found[mistake["picture"], mistake["class"], mistake["said"]].append(mistake["percent"])
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), -max(item[1]), item[0]))
    return [(*key, sum(percents) / len(percents), len(percents)) for key, percents in ranked[:most]]
