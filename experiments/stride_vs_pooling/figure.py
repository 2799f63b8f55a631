"""The figure of `make stride-vs-pooling`: error and steadiness of each arm."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from experiments.stride_vs_pooling import ARMS, CONSISTENCY, ERROR
from lab.declare.experiment import Experiment
from lab.report.figures import COLOURS, MARKERS
from lab.store.records import Records


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Error, shift consistency and field of each arm with 95 % intervals, a row an arm, a marker a data set."""
    if f"{ERROR}_mean" not in frame:
        return None
    arms = [arm for arm in ARMS if arm in set(frame["variant"])][::-1]
    figure = Figure(figsize=(11, 1.6 + 0.38 * len(arms)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    titles = ("test error, %", "shift consistency, %", "field of the last convolution, pixels")
    for axes, stem, title in zip(panels, (ERROR, CONSISTENCY, "effective_field_pixels"), titles, strict=True):
        for place, (dataset, rows) in enumerate(frame.groupby("dataset", sort=False)):
            _draw_dots(axes, rows, arms, stem, place, str(dataset))
        axes.set_xlabel(title)
        axes.grid(axis="x", color="0.9")
    theory = frame.drop_duplicates("variant").set_index("variant")["receptive_field_pixels"].reindex(arms)
    panels[2].plot(theory, range(len(arms)), "x", color="black", label="in theory")
    panels[2].set_xlim(left=0)
    panels[0].set_yticks(range(len(arms)), arms)
    figure.legend(*panels[2].get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=3)
    return figure


def _draw_dots(axes: Any, rows: pd.DataFrame, arms: list[str], stem: str, place: int, label: str) -> None:
    found = rows.drop_duplicates("variant").set_index("variant").reindex(arms)
    mean, low, high = (found[f"{stem}_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
    heights = [number + 0.16 - 0.32 * place for number in range(len(arms))]
    style = {"fmt": MARKERS[place], "color": COLOURS[place], "ms": 5, "capsize": 3}
    axes.errorbar(mean, heights, xerr=[mean - low, high - mean], label=label, **style)
