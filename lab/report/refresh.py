"""Tables and figures of a results folder made anew. A figure is drawn only where it is older than what it shows.

Matplotlib is imported only to draw: where all figures are current, that would be a third of the time.
"""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

import experiments
from cnn_models.names import unknown
from lab import report
from lab.declare import catalogue
from lab.declare.experiment import Experiment
from lab.report.table import rates, tables
from lab.store.files import sole_writer
from lab.store.records import Records


def write(experiment: Experiment, records: Records) -> tuple[pd.DataFrame, Path | None]:
    """Makes the experiment's table and figure from its records, and returns the table and the figure's path.

    A figure that is current is not drawn again: that takes most of the time.
    One lock from reading the records to the last file: of two calls at once, the later one's table and figure stay.
    """
    with sole_writer(records.results):
        frame = tables.write(experiment, records)
        path, arrays = records.results / f"{experiment.name}.svg", records.folder(experiment.name)
        if is_current(path, records.results / f"{experiment.name}.csv", arrays, *arrays.glob("*.npz")):
            return frame, path
        from lab.report.draw import figures

        return frame, figures.draw(experiment, frame, records)


def is_current(figure: Path, *sources: Path) -> bool:
    """Whether a figure is newer than what it is drawn from, and than the code that draws it.

    Args:
        figure: its file.
        sources: its table, whose time changes with its content alone, and other files and folders.
    """
    if not figure.exists():
        return False
    return figure.stat().st_mtime_ns > max(_code_changed(), *(source.stat().st_mtime_ns for source in sources))


@functools.cache
def _code_changed() -> int:
    """When a file of the code that declares and draws figures last changed, in nanoseconds."""
    return max(file.stat().st_mtime_ns for file in _code())


def _code() -> Iterator[Path]:
    """The files of that code."""
    for room in (experiments, report):
        yield from Path(str(room.__file__)).parent.rglob("*.py")


def write_all(records: Records) -> Iterator[tuple[Path, pd.DataFrame | str]]:
    """Makes all tables and figures of a results folder anew.

    Yields:
        For each folder of records the table's path with the table; or the folder with why there is none, which
        keeps no other from its table. Tables of learning rates come first, as those of the runs ask them which rates
        lie at an edge. `catalogue.broken` tells of those whose experiment's file cannot be read.
    """
    choosing = Records(records.results / rates.FOLDER)
    yield from _each(choosing, lambda one: (rates.path(records.results, one.name), rates.write(one, records.results)))
    yield from _each(records, lambda one: (records.results / f"{one.name}.csv", write(one, records)[0]))


def _each(
    records: Records, make: Callable[[Experiment], tuple[Path, pd.DataFrame]]
) -> Iterator[tuple[Path, pd.DataFrame | str]]:
    """What is made of each experiment's records, or why nothing can be."""
    known = {experiment.name: experiment for experiment in catalogue.whole()}
    for name in records.experiments():
        if name not in catalogue.names():
            yield records.folder(name), unknown("experiment", name, known)
        if name not in known:
            continue
        try:
            yield make(known[name])
        # Records come from other versions and other people's programs: what one experiment's own columns and
        # chart make of them is not foreseen here, and must not cost the others theirs.
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            yield records.folder(name), f"no table or figure can be made of these: {type(error).__name__}: {error}"
