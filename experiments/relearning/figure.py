"""The figure of `make relearning`: how many filters have a shifted copy, and the best matched pairs."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from experiments.relearning import CHANCE, COPIES, PAIRS
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

MEASURES = {COPIES: "than others turned by 180°", "copies_beyond_quarter_turn_percent": "than others turned by 90°"}


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """How many filters match a shifted one better than those of a control, and the best matched pairs."""
    kept = figures.arrays(experiment, records)
    kept = {name: kept[name] for name in experiment.named if name in kept}
    if not kept:
        return None
    shown = frame.dropna(subset=[f"{COPIES}_mean"]) if f"{COPIES}_mean" in frame else frame[:0]
    labels = figures.row_labels(experiment, frame, shown)
    heights = [1.5 + drawing.height(labels)] * bool(len(shown)) + [1.75] * len(kept)
    figure = drawing.sheet(0.5 + sum(heights), "How many filters are shifted copies of another one")
    parts = list(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
    if len(shown):
        part = parts.pop(0)
        drawing.head(part, "filters that match a shifted one better, %")
        panels = part.subplots(1, len(MEASURES), sharey=True)
        drawing.dots(panels, shown, MEASURES, labels)
        panels[0].axvline(CHANCE, color="0.4", ls="--", lw=1)
        drawing.beside(panels[0], "dashed: chance", (CHANCE, 0), 3, 13, size=drawing.SMALL)
        part.supxlabel(drawing.seeds(shown), size=10)
    for part, (variant, arrays) in zip(parts, kept.items(), strict=True):
        _draw_pairs(part, figures.label(experiment, variant), arrays)
    return figure


def _draw_pairs(part: SubFigure, label: str, arrays: dict[str, np.ndarray]) -> None:
    """Pairs of filters side by side, each pair with its correlation."""
    drawing.head(part, f"{label}: the pairs that match best, and their correlation")
    panels = part.subplots(1, PAIRS)
    for axes, pair, match in zip(panels, arrays["pairs"], arrays["matches"], strict=False):
        drawing.picture(axes, pair, f"{match:.2f}")
