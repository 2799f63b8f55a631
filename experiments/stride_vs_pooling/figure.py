"""The figure of `make stride-vs-pooling`: error, steadiness and field of each arm."""

import pandas as pd
from matplotlib.figure import Figure

from experiments.stride_vs_pooling import ARMS, CONSISTENCY, ERROR
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

FIELD = "effective_field_pixels"


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Error and shift consistency of each arm, a panel a data set; beneath, the field in effect and in theory."""
    if f"{ERROR}_mean" not in frame:
        return None
    arms = [arm for arm in ARMS if arm in set(frame["variant"])]
    labels = [figures.label(experiment, arm) for arm in arms]
    rows = {str(dataset): figures.by_variant(of).reindex(arms) for dataset, of in frame.groupby("dataset", sort=False)}
    figure = drawing.sheet(2.4 + 2 * drawing.ROW * len(arms), "Errors, steadiness and fields by what reduces the maps")
    above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
    panels = above.subplots(1, 2 * len(rows), sharey=True)
    measures = ((ERROR, "test error, %", 0), (CONSISTENCY, "consistency, %", 50))
    for number, (stem, title, start) in enumerate(measures):
        for axes, (dataset, of) in zip(panels[number * len(rows) :], rows.items(), strict=False):
            drawing.dots([axes], of, {stem: f"{title}\n{dataset}"}, labels, start=start)
    above.supxlabel(drawing.seeds(frame), size=10)
    for axes, (dataset, of) in zip(
        below.subplots(1, len(rows), sharey=True, squeeze=False)[0], rows.items(), strict=True
    ):
        drawing.dots([axes], of, {FIELD: f"field of the last convolution, pixels\n{dataset}"}, labels)
        drawing.published(axes, of["receptive_field_pixels"], "in theory")
    return figure
