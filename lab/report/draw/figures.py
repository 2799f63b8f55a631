"""Figures: a table in, one vector picture out. Nothing here imports TensorFlow."""

import collections
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure
from matplotlib.transforms import Bbox

from lab.declare.experiment import Experiment
from lab.declare.run import resolve
from lab.report.draw import drawing
from lab.report.draw.drawing import POINTS_PER_INCH, STYLE
from lab.report.table.row import Declared
from lab.store.files import sole_writer, write_whole
from lab.store.record import Record
from lab.store.records import Records

DIGITS = 9  # of a place, as a share of the figure: far below a pixel, far above the solver's rounding


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


def chosen(experiment: Experiment, records: Records, kind: str) -> dict[tuple[str, str], list[Record]]:
    """The records to draw, by variant and data set: those of the declared recipe.

    Where no variant was run as declared, those of the first other recipe of each.

    Args:
        experiment: whose records.
        records: where they are.
        kind: what a record must hold, as "arrays".
    """
    declaration = Declared(experiment)
    found: dict[tuple[str, str, str], list[Record]] = collections.defaultdict(list)
    for record in records.each(experiment.name):
        if kind in record.attached or kind in record.details:
            found[record.variant, record.dataset, record.digest].append(record)
    as_declared = {key: of for key, of in found.items() if key[2] == declaration.specification(*key[:2])}
    result: dict[tuple[str, str], list[Record]] = {}
    for (variant, dataset, _), of in (as_declared or found).items():
        result.setdefault((variant, dataset), of)
    return result


def arrays(experiment: Experiment, records: Records, dataset: str | None = None) -> dict[str, dict[str, np.ndarray]]:
    """The arrays beside the `chosen` records by variant, of the first seed that has them.

    Args:
        experiment: whose arrays.
        records: where they are.
        dataset: the one data set to look at; None: the first there is of each variant.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    for (variant, on), of in chosen(experiment, records, "arrays").items():
        for record in of if dataset in (None, on) else ():
            if variant not in found and (content := arrays_beside(record, records)) is not None:
                found[variant] = content
    return found


def arrays_beside(record: Record, records: Records) -> dict[str, np.ndarray] | None:
    """The arrays that a record names; None, and a line that says so, where they are gone or damaged."""
    try:
        path = records.attachment(record, "arrays")
    except OSError as error:
        print(f"{error}. The figure is drawn without it.", file=sys.stderr)
        return None
    with np.load(path, allow_pickle=False) as content:
        return dict(content)


def by_variant(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table by their variant: of several of one variant, that of the declared recipe, else the first."""
    return rows.sort_values("declared", ascending=False, kind="stable").drop_duplicates("variant").set_index("variant")


def error_by_variant(
    experiment: Experiment,
    frame: pd.DataFrame,
    records: Records,
    title: str = "",
    measures: Mapping[str, str] | None = None,
    published: tuple[str, str] | None = None,
) -> Figure | None:
    """Dots with 95 % intervals, a line a variant, a panel a measure.

    Args:
        experiment: whose figure.
        frame: its table.
        records: not used.
        title: what is plotted; "": the experiment's name.
        measures: title of each panel by the stem of its columns (`<stem>_mean`, `<stem>_ci95_low`, …), all errors in
            per cent; None: the test error.
        published: a column of numbers from the literature that belong in the first panel, and what to call them.
    """
    measures = measures or {"test_error_percent": ""}
    measures = {stem: label for stem, label in measures.items() if f"{stem}_mean" in frame}
    if not measures:
        return None
    shown = frame.dropna(subset=[f"{next(iter(measures))}_mean"])
    labels = row_labels(experiment, frame, shown)
    figure = drawing.sheet(1.3 + drawing.height(labels), title or f"Test error of each row of {experiment.name}")
    panels = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    drawing.dots(panels, shown, measures, labels)
    if published and published[0] in shown:
        drawing.published(panels[0], shown[published[0]], published[1])
    figure.supxlabel(f"test error, %; {drawing.seeds(shown)}", size=10)
    return figure


def row_labels(experiment: Experiment, frame: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """What to call some rows of a table: the variant's label, and what else tells rows of one variant apart."""
    return [_row_label(experiment, frame, row) for _, row in rows.iterrows()]


def label(experiment: Experiment, variant: str) -> str:
    """What a figure calls a variant: its label, else its name."""
    return (experiment.named[variant].label if variant in experiment.named else "") or variant


def _row_label(experiment: Experiment, frame: pd.DataFrame, row: pd.Series) -> str:
    text = label(experiment, row["variant"])
    namesakes = frame.loc[frame["variant"] == row["variant"], "dataset"]
    if namesakes.nunique() > 1 or (
        frame["dataset"].nunique() > 1 and row["dataset"] not in experiment.datasets_of(row["variant"])
    ):
        text += f", {row['dataset']}"
    if "deviations" in frame and frame["deviations"].nunique(dropna=False) > 1:
        text += f", {row['deviations']}" if isinstance(row["deviations"], str) else ""
    elif (namesakes == row["dataset"]).sum() > 1:
        text += f", {row['epochs']} epochs" if "epochs" in row else f", {row['specification']}"
    return text
