"""Figures: a table in, one vector picture out. Nothing here imports TensorFlow."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.lab.files import write_whole
from experiments.lab.records import Records
from experiments.lab.spec import Experiment, resolve

STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "svg.fonttype": "none",  # text stays text: it can be searched, and read out
    "svg.hashsalt": "cnn-experiments",  # equal tables give equal files
}
# Okabe and Ito's colours, told apart by most eyes, each with a marker of its own.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Path | None:
    """Draws the experiment's figure to `<results>/<experiment>.svg`; None where there is nothing to show.

    The experiment names its chart, `module.function`, which is called with the experiment, its table,
    the records (for arrays beside them) and the experiment's options, and returns a figure or None.
    """
    chart: Callable[..., Figure | None] = resolve(experiment.figure)
    with matplotlib.rc_context(STYLE):
        figure = chart(experiment, frame, records, **experiment.figure_options)
        if figure is None:
            return None
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None}, bbox_inches="tight")
    path = records.results / f"{experiment.name}.svg"
    write_whole(path, lambda part: part.write_bytes(content.getvalue()))
    return path


def error_by_variant(
    experiment: Experiment, frame: pd.DataFrame, records: Records, measures: dict[str, str]
) -> Figure | None:
    """Dots with 95 % intervals, a row a variant; published values as hollow diamonds.

    Args:
        measures: label of each series by the stem of its columns (`<stem>_mean`, `<stem>_ci95_low`, …).
    """
    measures = {stem: label for stem, label in measures.items() if f"{stem}_mean" in frame}
    if not measures:
        return None
    shown = frame.dropna(subset=[f"{next(iter(measures))}_mean"]).iloc[::-1].reset_index(drop=True)
    labels = [_row_label(frame, row) for _, row in shown.iterrows()]
    height = 1.4 + 0.45 * len(shown)
    figure = Figure(figsize=(7, height))
    axes = figure.subplots()
    rows = np.arange(len(shown))
    spread = np.linspace(0.16, -0.16, len(measures)) if len(measures) > 1 else [0.0]
    for (stem, label), offset, colour, marker in zip(measures.items(), spread, COLOURS, MARKERS, strict=False):
        mean = shown[f"{stem}_mean"]
        bars = [mean - shown[f"{stem}_ci95_low"], shown[f"{stem}_ci95_high"] - mean]
        errors = np.nan_to_num(np.array(bars, dtype=float))
        axes.errorbar(mean, rows + offset, xerr=errors, fmt=marker, color=colour, capsize=3, ms=5, label=label)
    if "error_percent_1998" in shown:
        axes.plot(shown["error_percent_1998"], rows, "D", mfc="none", mec="black", ms=6, label="as printed in 1998")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.set_xticks(_ticks(*axes.get_xlim()))
    axes.set_yticks(rows, labels)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.grid(axis="x", color="0.9")
    axes.set_xlabel("test error, % (log scale); bars: 95 % interval of the mean over seeds")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.7 / height), ncols=2, frameon=False)
    return figure


def _row_label(frame: pd.DataFrame, row: pd.Series) -> str:
    """The variant's name, and what else tells rows of one variant apart."""
    label = row["variant"]
    if frame["dataset"].nunique() > 1:
        label += f", {row['dataset']}"
    if (frame["variant"] == row["variant"]).sum() > frame["dataset"].nunique():
        label += f", {row['epochs']} epochs" if "epochs" in row else f", {row['specification']}"
    return f"{label} (n={row['seeds']})"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within the limits of a log axis, more of them where it is short."""
    steps = (1, 2, 5) if high / low > 15 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    return [tick for power in powers for step in steps if low <= (tick := step * 10.0**power) <= high]
