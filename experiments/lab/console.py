"""What a person sees while runs go on: bars in a terminal, a line a run in a log file."""

import collections
import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.table import Table

from experiments.lab.records import Record
from experiments.lab.spec import Experiment, Run

LOG_WIDTH = 140
NAMES = ("variant", "dataset", "deviations")  # columns that tell rows apart
SHORT = 10  # characters of a heading that stands in one line
SENTENCE = 50  # characters of a cell that may take two lines; a number or a name never does


class Display:
    """Listens to the fan-out; see `watch`."""

    def __init__(self, console: Console, progress: Progress, title: str, total: int) -> None:
        self.console = console
        self.total = total
        self.done = 0
        self.counts: collections.Counter[str] = collections.Counter()
        self._progress = progress
        self._fractions: dict[str, float] = {}
        self._lines: dict[str, TaskID] = {}
        self._all = progress.add_task(title, total=total, note="")

    def expect(self, total: int) -> None:
        """There are so many runs."""
        self.total = total
        self._progress.update(self._all, total=total)

    def progress(self, run: Run, event: dict[str, Any]) -> None:
        """Moves the run's bar."""
        if run.key not in self._lines:
            self._lines[run.key] = self._progress.add_task(name(run), total=event["total"], note="")
        self._progress.update(self._lines[run.key], completed=event["done"], note=event["note"])
        self._fractions[run.key] = event["done"] / event["total"]
        self._move()

    def fetched(self, file: str, done: int, total: int) -> None:
        """Moves the bar of a file that is being fetched, in megabytes; one line when it is there."""
        if file not in self._lines:
            self._lines[file] = self._progress.add_task(f"fetching {file}", total=total / 1e6, note="MB")
        self._progress.update(self._lines[file], completed=done / 1e6)
        if done == total:
            self._progress.remove_task(self._lines.pop(file))
            self.console.print(f"fetched {file}, {total / 1e6:,.1f} MB", markup=False, highlight=False)

    def kept(self, run: Run, record: Record) -> None:
        """One line for a run that an earlier call, or another one, has done."""
        self.counts["kept"] += 1
        self._line(run, f"kept from before: {_outcome(record)}")

    def ended(self, run: Run, record: Record) -> None:
        """One line for a run that finished or diverged."""
        self.counts[record["status"]] += 1
        self._line(run, _outcome(record))

    def skipped(self, run: Run, reason: str) -> None:
        """One line for a run that needs what is not there yet."""
        self.counts["skipped"] += 1
        self._line(run, f"skipped: {reason}")

    def failed(self, run: Run, reason: str, again: bool) -> None:
        """One line for a run that failed."""
        self.counts["failed"] += not again
        self._line(run, f"failed: {reason}" + (" (to be tried again)" if again else ""), done=not again)

    def summary(self) -> str:
        """How many runs were kept from before, and what became of those that ran now."""
        now = {word: count for word, count in self.counts.items() if word != "kept" and count}
        outcomes = f" ({', '.join(f'{count} {word}' for word, count in now.items())})" if now else ""
        return f"{self.counts['kept']} runs kept from before, {sum(now.values())} ran now{outcomes}."

    def _line(self, run: Run, text: str, done: bool = True) -> None:
        self.done += done
        self._fractions.pop(run.key, None)
        if run.key in self._lines:
            self._progress.remove_task(self._lines.pop(run.key))
        self.console.print(f"[{self.done}/{self.total}] {name(run)}: {text}", markup=False, highlight=False)
        self._move()

    def _move(self) -> None:
        self._progress.update(self._all, completed=self.done + sum(self._fractions.values()))


class Screen(Console):
    """A console that leaves it to the command line to end where nobody reads on."""

    def on_broken_pipe(self) -> None:
        """Called while the BrokenPipeError is handled; Rich would end the process with exit code 1."""
        raise


def _outcome(record: Record) -> str:
    """What came of a run, for reading."""
    names = ("test_error_percent", "validation_accuracy", "train_seconds")
    error, validation, seconds = (record["metrics"].get(name) for name in names)
    words = [record["status"]]
    words += [f"test error {error:.2f} %"] if error is not None else []
    words += [f"validation accuracy {validation:.4f}"] if error is None and validation is not None else []
    words += [f"{seconds:.1f} s"] if seconds is not None else []
    return ", ".join(words)


def screen() -> Console:
    """The terminal, or a log file, which has no edge to keep to."""
    terminal = Screen()
    return terminal if terminal.is_terminal else Screen(width=LOG_WIDTH)


@contextlib.contextmanager
def watch(console: Console, title: str, total: int) -> Iterator[Display]:
    """A display that is up for as long as the block runs; without bars where no terminal shows them."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total:g}"),
        TimeElapsedColumn(),
        TimeLeft(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with progress:
        yield Display(console, progress, title, total)


def name(run: Run) -> str:
    """How a run is called in messages."""
    return f"{run.variant} on {run.dataset}, seed {run.seed}"


def show(
    console: Console,
    frame: pd.DataFrame,
    columns: Sequence[str],
    title: str,
    experiment: Experiment | None = None,
    note: str = "",
) -> None:
    """Prints chosen columns of a table, rounded for reading, and a note under it.

    Args:
        console: where to.
        frame: the table.
        columns: those to print; what it has not is left out.
        title: stands above.
        experiment: whose table it is, so that headings can name its baseline.
        note: stands below.
    """
    present = [column for column in columns if column in frame]
    headings = {column: heading(column, experiment) for column in present}
    widths = {column: _least_width(frame, column, headings[column]) for column in present}
    parts = list(_parts(widths, console.width))
    for part in parts:
        shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        title = ""
        for column in part:
            shown.add_column(
                headings[column],
                justify="left" if column == "variant" else "right",
                width=widths[column],  # a least width would not do: where room is short, Rich heeds none
                no_wrap=column == "variant",
            )
        for _, row in frame.iterrows():
            cells = [cell(row, column) for column in part]
            if len(parts) == 1 or set(cells[_named(part) :]) != {
                "–"
            }:  # of many parts, a row stands where it says something
                shown.add_row(*cells)
        console.print(shown)
    if note:
        console.print(note, markup=False, highlight=False)


def _named(columns: Sequence[str]) -> int:
    """How many of the columns, from the first on, say which row it is."""
    return max(1, len(list(itertools.takewhile(NAMES.__contains__, columns))))


def _parts(widths: dict[str, int], width: int) -> Iterator[list[str]]:
    """The columns in parts that fit the width, those that name a row in each, so that no number is cut."""
    columns = list(widths)
    first = columns[: _named(columns)]
    part = list(first)
    for column in columns[len(first) :]:
        if len(part) > len(first) and sum(widths[name] + 2 for name in [*part, column]) + 1 > width:
            yield part
            part = list(first)
        part.append(column)
    yield part


def _least_width(frame: pd.DataFrame, column: str, title: str) -> int:
    """Characters of the longest cell, long sentences in two lines, and of the heading in two."""
    cells = [cell(row, column) for _, row in frame.iterrows()]
    least = len(title) if len(title) <= SHORT else _halves(title)
    return max([least, *(_halves(text) if len(text) > SENTENCE else len(text) for text in cells)])


def _halves(text: str) -> int:
    """The least width in which a text takes two lines, or one."""
    words = text.split()
    cuts = [(" ".join(words[:cut]), " ".join(words[cut:])) for cut in range(1, len(words) + 1)]
    return min((max(map(len, lines)) for lines in cuts), default=0)


def heading(column: str, experiment: Experiment | None = None) -> str:
    """A column's name for reading.

    Args:
        column: its name in the table.
        experiment: whose baseline a difference names, where it has but one and one measure is compared.
    """
    measure, difference, part = column.partition("_minus_baseline")
    if not difference:
        words = column.removesuffix("_mean").replace("_", " ").replace("deviations", "not as declared")
        return words.replace("error percent", "error, %").replace(" seconds", ", s").replace(" percent", ", %")
    baselines = {experiment.baseline_of(name) for name in experiment.rows} - {None} if experiment else set()
    printed = [
        name.partition(difference)[0] for name in (experiment.columns if experiment else ()) if difference in name
    ]
    alone = len(set(printed or (experiment.compared if experiment else ()))) == 1
    whose = f"Δ to {baselines.pop()}" if alone and len(baselines) == 1 else f"Δ {heading(measure)}"
    if part == "_mean":
        return whose
    return "p (Holm)" if part == "_p_value_holm" and alone else f"{whose},{part.replace('_', ' ')}"


def cell(row: pd.Series, column: str) -> str:
    """One value for reading, with half its 95 % interval where it is a mean of several seeds."""
    value = row[column]
    if pd.isna(value):
        return "–"
    if isinstance(value, str):
        return value
    stem = column.removesuffix("_mean")
    if stem == column and float(value).is_integer():
        return f"{value:,.0f}"
    if stem == column and abs(value) < 0.01:
        return f"{value:.0e}"
    digits = 4 if "accuracy" in stem else 1 if stem.endswith("seconds") else 0 if abs(value) >= 1_000 else 2
    text = f"{value:,.{digits}f}"
    if stem.endswith("seconds") or pd.isna(high := row.get(f"{stem}_ci95_high", math.nan)):
        return text
    return f"{text} ± {high - value:,.{digits}f}"
