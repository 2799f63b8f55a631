"""The figure of `make image-to-image`: fixed examples by row, and the measures of all rows."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lab.declare.experiment import Experiment
from lab.declare.run import digest
from lab.report.figures import COLOURS, MARKERS, arrays_beside
from lab.report.tables import declared
from lab.store.records import Record, Records

MEASURES = {
    "test_l1_levels": "L1, levels of 255\n(less is better)",
    "test_ssim": "structural similarity\n(1: equal)",
    "read_percent": "read by LeNet-5, %",
}


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Examples of one data set, a row a way to make them; beneath, each row's measures with 95 % intervals."""
    if frame.empty:
        return None
    datasets = list(dict.fromkeys(frame["dataset"]))
    dataset = experiment.dataset if experiment.dataset in datasets else datasets[0]
    shown = frame[frame["dataset"] == dataset]
    shown = shown.dropna(subset=["test_l1_levels_mean"]) if "test_l1_levels_mean" in shown else shown.iloc[:0]
    examples = _examples(experiment, records, dataset)
    if shown.empty:
        return None
    lines = [(name, found["outputs"]) for name, found in examples.items()]
    above, below = 0.85 * len(lines), 1.6 + 0.28 * len(shown)
    figure = Figure(figsize=(10, above + below))
    parts: Any = figure.subfigures(2, 1, height_ratios=(above, below)) if lines else [None, figure]
    if lines:
        _draw_examples(parts[0], lines)
    _draw_measures(parts[1], shown)
    return figure


def _examples(experiment: Experiment, records: Records, dataset: str) -> dict[str, dict[str, np.ndarray]]:
    """Inputs, outputs and targets of each row, in the declared order: of its declared recipe, or of what was run."""

    def undeclared(record: Record) -> bool:
        specification = record["specification"]
        return digest(specification) != declared(experiment, specification["variant"], dataset)

    order = [variant.name for variant in experiment.variants]
    found: dict[str, dict[str, np.ndarray]] = {}
    for record in sorted(records.of(experiment.name), key=undeclared):
        specification = record["specification"]
        if specification["dataset"] != dataset or "arrays" not in record or specification["variant"] not in order:
            continue
        if (content := arrays_beside(record, records)) is not None:
            found.setdefault(specification["variant"], content)
    return {name: found[name] for name in order if name in found}


def _draw_examples(figure: Any, lines: list[tuple[str, np.ndarray]]) -> None:
    columns = max(len(pictures) for _, pictures in lines)
    grid = figure.subplots(len(lines), columns, squeeze=False, gridspec_kw={"wspace": 0.05, "hspace": 0.05})
    for axes in grid.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for row, (name, pictures) in zip(grid, lines, strict=True):
        for number, (axes, picture) in enumerate(zip(row, pictures, strict=False)):
            shown = axes.imshow(np.squeeze(picture), cmap="gray", vmin=0, vmax=255, interpolation="none")
            shown.set_gid(f"{name}-{number}")  # pictures of several rows may be equal, but not their names
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)


def _draw_measures(figure: Any, frame: pd.DataFrame) -> None:
    measures = {stem: label for stem, label in MEASURES.items() if f"{stem}_mean" in frame}
    shown = frame.iloc[::-1].reset_index(drop=True)
    places = np.arange(len(shown))
    panels = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    for axes, (stem, label), colour, marker in zip(panels, measures.items(), COLOURS, MARKERS, strict=False):
        mean, low, high = (shown[f"{stem}_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
        errors = np.nan_to_num(np.array([mean - low, high - mean], dtype=float))
        axes.errorbar(mean, places, xerr=errors, fmt=marker, color=colour, capsize=3, ms=5)
        axes.margins(x=0.18)
        for place, value in zip(places, mean, strict=True):
            if not np.isnan(value):
                text = f"{value:.3f}" if stem == "test_ssim" else f"{value:.1f}"
                axes.annotate(text, (value, place), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=8)
        axes.set_xlabel(label)
        axes.set_ylim(-0.5, len(shown) - 0.3)
        axes.grid(axis="x", color="0.9")
    panels[0].set_yticks(places, [f"{row.variant} (n={row.seeds})" for row in shown.itertuples()])
    figure.suptitle("means over seeds, bars: 95 % intervals", fontsize=9, y=1.0)
