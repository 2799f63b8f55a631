"""Figures: a table in, one vector picture out. Nothing here imports TensorFlow."""

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from cnn_models.names import unknown
from lab.declare import catalogue
from lab.declare.experiment import Experiment
from lab.declare.run import digest, resolve
from lab.report import tables
from lab.report.tables import Declared
from lab.store.files import sole_writer, write_whole
from lab.store.records import Record, Records

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
POINTS_PER_INCH = 72  # what an SVG is drawn in
DIGITS = 9  # of a place, as a share of the figure: far below a pixel, far above the solver's rounding


def write(experiment: Experiment, records: Records) -> tuple[pd.DataFrame, Path | None]:
    """Makes the experiment's table and figure from its records, and returns the table and the figure's path.

    One lock from reading the records to the last file: of two calls at once, the later one's table and figure stay.
    """
    with sole_writer(records.results):
        frame = tables.write(experiment, records)
        return frame, draw(experiment, frame, records)


def write_all(records: Records) -> Iterator[tuple[Path, pd.DataFrame | str]]:
    """Makes all tables and figures of a results folder anew.

    Yields:
        For each folder of records the table's path with the table; or the folder with why there is none, which
        keeps no other from its table. `catalogue.broken` tells of those whose experiment's file cannot be read.
    """
    known = {experiment.name: experiment for experiment in catalogue.whole()}
    for name in records.experiments():
        if name not in catalogue.names():
            yield records.folder(name), unknown("experiment", name, known)
        if name not in known:
            continue
        try:
            yield records.results / f"{name}.csv", write(known[name], records)[0]
        # Records come from other versions and other people's programs: what one experiment's own columns and
        # chart make of them is not foreseen here, and must not cost the others theirs.
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            yield records.folder(name), f"no table or figure can be made of these: {type(error).__name__}: {error}"


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Path | None:
    """Draws the experiment's figure to `<results>/<experiment>.svg`; None where there is nothing to show."""
    figure = chart(experiment, frame, records)
    if figure is None:
        return None
    path = records.results / f"{experiment.name}.svg"
    with sole_writer(records.results):
        save(figure, path)
    return path


def chart(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """The experiment's figure, yet to be saved; None where there is nothing to show.

    The experiment names its chart, `module.function`, which is called with the experiment, its table, the records
    (for arrays beside them) and the experiment's options, and returns a figure or None.
    """
    made: Callable[..., Figure | None] = resolve(experiment.figure)
    with matplotlib.rc_context(STYLE):
        return made(experiment, frame, records, **experiment.figure_options)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure, drawn in `STYLE`, as SVG: whole or not at all, and equal for equal figures."""
    content = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        _settle(figure)
        figure.savefig(content, format="svg", metadata={"Date": None}, bbox_inches="tight")
    write_whole(path, lambda part: part.write_bytes(content.getvalue()))


def _settle(figure: Figure) -> None:
    """Rounds the places that a layout engine found.

    Its solver adds in the order of addresses in memory, so the last digits differ from process to process.
    """
    if figure.get_layout_engine() is None:
        return
    figure.dpi = POINTS_PER_INCH
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for part in _parts(figure):
        part.bbox_relative.set_points(part.bbox_relative.get_points().round(DIGITS))
    for axes in figure.axes:
        place = axes.get_position(original=True).get_points().round(DIGITS)
        axes.set_position(Bbox(place), which="original")
        axes.set_in_layout(True)  # `set_position` takes axes out of what is cut out and saved


def _parts(figure: Figure | SubFigure) -> Iterator[SubFigure]:
    for part in figure.subfigs:
        yield part
        yield from _parts(part)


def arrays(experiment: Experiment, records: Records) -> dict[str, dict[str, np.ndarray]]:
    """The arrays beside the records by variant: of the declared recipe, or where that was not run, of what was."""
    found: dict[bool, dict[str, dict[str, np.ndarray]]] = {True: {}, False: {}}
    declaration = Declared(experiment)
    for record in records.each(experiment.name):
        if "arrays" in record:
            specification = record["specification"]
            wanted = declaration.specification(specification["variant"], specification["dataset"])
            as_declared = digest(specification) == wanted
            if (content := arrays_beside(record, records)) is not None:
                found[as_declared].setdefault(specification["variant"], content)
    return found[True] or found[False]


def arrays_beside(record: Record, records: Records) -> dict[str, np.ndarray] | None:
    """The arrays that a record names; None, and a line that says so, where they are gone or damaged."""
    try:
        path = records.attachment(record, "arrays")
    except OSError as error:
        print(f"{error}. The figure is drawn without it.", file=sys.stderr)
        return None
    with np.load(path, allow_pickle=False) as content:
        return dict(content)


def picture(axes: Axes, image: np.ndarray, title: str) -> None:
    """A picture, uint8, grey `(height, width)` or colour `(height, width, 3)`, pixel by pixel."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="none")
    axes.set_title(title, fontsize=11)
    axes.set_axis_off()


def frame(axes: Axes, x: float, y: float, width: float, height: float) -> None:
    """A frame around pixels of a picture, seen on light and on dark."""
    for colour, line in (("black", 3.5), ("white", 1.5)):
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, edgecolor=colour, linewidth=line))


def numbers(
    axes: Axes,
    values: Any,
    title: str,
    size: float = 11,
    shades: np.ndarray | None = None,
    marked: np.ndarray | None = None,
) -> None:
    """A matrix as a grid of its numbers.

    Args:
        values: `(rows, columns)`.
        size: of the digits, in points.
        shades: brightness of each cell, 0 to 1; white where not given.
        marked: cells to stand out, by bold digits and a thick frame.
    """
    values = np.asarray(values)
    shades = np.ones(values.shape) if shades is None else shades
    axes.set(xlim=(-0.5, values.shape[1] - 0.5), ylim=(values.shape[0] - 0.5, -0.5), aspect="equal")
    for (row, column), value in np.ndenumerate(values):
        mark = marked is not None and bool(marked[row, column])
        shade = str(float(shades[row, column]))
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=shade, edgecolor="0.6", linewidth=0.6))
        axes.text(
            column,
            row,
            f"{value:g}".replace("-", "−"),
            ha="center",
            va="center",
            fontsize=size,
            color="black" if shades[row, column] > 0.5 else "white",
            fontweight="bold" if mark else "normal",
        )
        if mark:
            axes.add_patch(Rectangle((column - 0.45, row - 0.45), 0.9, 0.9, fill=False, linewidth=2))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=11)


def error_by_variant(
    experiment: Experiment, frame: pd.DataFrame, records: Records, measures: dict[str, str] | None = None
) -> Figure | None:
    """Dots with 95 % intervals, a row a variant; published values as hollow diamonds.

    Args:
        measures: label of each series by the stem of its columns (`<stem>_mean`, `<stem>_ci95_low`, …); None: the
            test error.
    """
    measures = measures or {"test_error_percent": "test error"}
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
    if "deviations" in frame and frame["deviations"].nunique(dropna=False) > 1:
        label += f", {row['deviations']}" if isinstance(row["deviations"], str) else ""
    elif (frame["variant"] == row["variant"]).sum() > frame["dataset"].nunique():
        label += f", {row['epochs']} epochs" if "epochs" in row else f", {row['specification']}"
    return f"{label} (n={row['seeds']})"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within the limits of a log axis, more of them where it is short."""
    steps = (1, 2, 5) if high / low > 15 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    return [tick for power in powers for step in steps if low <= (tick := step * 10.0**power) <= high]
