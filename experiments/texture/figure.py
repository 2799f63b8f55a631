"""The figure of `make texture`: photographs misread after each alteration."""

import pandas as pd
from matplotlib.figure import Figure

from experiments.texture import ALTERED, altered
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Errors, a row a network, a panel an alteration of the test photographs."""
    if f"{altered(next(iter(ALTERED)))}_mean" not in frame:
        return None
    labels = figures.row_labels(experiment, frame, frame)
    figure = drawing.sheet(1.6 + drawing.height(labels), "Test photographs misread after each alteration")
    panels = figure.subplots(1, len(ALTERED), sharey=True)
    drawing.dots(panels, frame, {altered(name): words for name, words in ALTERED.items()}, labels)
    figure.supxlabel(f"test error, %; {drawing.seeds(frame)}", size=10)
    return figure
