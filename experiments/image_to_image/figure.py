"""The figure of `make image-to-image`: fixed examples by row, and the measures of all rows."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

MEASURES = {
    "test_l1_levels": "L1, levels of 255\n(0: equal)",
    "test_ssim": "structural similarity\n(1: equal)",
    "read_percent": "read by LeNet-5, %",
}
LINE = 0.62  # inches of height that a row of examples takes


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Examples of one data set, a row a way to make them; beneath, each row's measures with 95 % intervals."""
    if "test_l1_levels_mean" not in frame:
        return None
    datasets = list(dict.fromkeys(frame["dataset"]))
    dataset = experiment.dataset if experiment.dataset in datasets else datasets[0]
    shown = frame[frame["dataset"] == dataset].dropna(subset=["test_l1_levels_mean"])
    if shown.empty:
        return None
    found = figures.arrays(experiment, records, dataset)
    examples = {name: found[name]["outputs"] for name in experiment.named if name in found}
    labels = figures.row_labels(experiment, frame, shown)
    heights = [LINE * len(examples)] * bool(examples) + [1.2 + drawing.height(labels)]
    figure = drawing.sheet(0.5 + sum(heights), "Digits made from their edges, and how close each way comes")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if examples:
        _draw_examples(parts[0], examples, experiment)
    measures = {stem: label for stem, label in MEASURES.items() if f"{stem}_mean" in shown}
    panels = parts[-1].subplots(1, len(measures), squeeze=False, sharey=True)[0]
    drawing.dots(panels, shown, measures, labels)
    parts[-1].supxlabel(drawing.seeds(shown), size=10)
    return figure


def _draw_examples(part: SubFigure, examples: dict[str, np.ndarray], experiment: Experiment) -> None:
    columns = max(len(pictures) for pictures in examples.values())
    grid = part.subplots(len(examples), columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for row, (name, pictures) in zip(grid, examples.items(), strict=True):
        for number, (axes, picture) in enumerate(zip(row, pictures, strict=False)):
            shown = axes.imshow(np.squeeze(picture), cmap="gray", vmin=0, vmax=255, interpolation="none")
            shown.set_gid(f"{name}-{number}")  # pictures of several rows may be equal, but not their names
        row[0].set_ylabel(figures.label(experiment, name), rotation=0, ha="right", va="center", size=11)
