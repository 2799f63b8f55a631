"""A table as a person reads it: rounded, with units in the headings."""

import itertools
import math
import re
from collections.abc import Iterator, Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from lab.declare.experiment import Experiment
from lab.report.language import ENGLISH, Language, Said

NAMES = ("variant", "model", "dataset", "deviations")  # columns that tell rows apart
# Columns whose names alone say too little.
HEADINGS = {
    "deviations": "not as declared",
    "params": "parameters",
    "macs": "MACs",
    "receptive_field_px": "sees, pixels",
    "effective_field_px": "sees in effect, pixels",
    "gaussian_field_pixels_2016": "Luo et al. 2016, pixels",
    "fashion_mnist_readme_error_percent": "its README's error, %",
}
UNITS = {"error percent": "error, %", " seconds": ", s", " percent": ", %", " px": ", px"}
SHIFTED = re.compile(r"shift(\d+) error")
WORDS = ("variant", "model")  # those that are words
SHORT = 10  # characters of a heading that stands in one line
SENTENCE = 30  # characters of a cell that may take two lines; a number or a name never does


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
                justify="left" if column in WORDS else "right",
                width=widths[column],  # a least width would not do: where room is short, Rich heeds none
                no_wrap=column in WORDS,
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


def heading(column: str, experiment: Experiment | None = None) -> Said:
    """A column's name for reading.

    Args:
        column: its name in the table.
        experiment: whose baseline a difference names, where it has but one and one measure is compared.
    """
    measure, difference, part = column.partition("_minus_baseline")
    if not difference:
        words = HEADINGS.get(column, column.removesuffix("_mean").replace("_", " "))
        for name, unit in UNITS.items():
            words = words.replace(name, unit)
        shifted = SHIFTED.search(words)
        if not shifted:
            return Said(words)
        before, after = words[: shifted.start()], words[shifted.end() :]
        return Said(f"{before}error at shifts ≤{{pixels}} px{after}", pixels=shifted[1])
    baselines = {experiment.baseline_of(name) for name in experiment.rows} - {None} if experiment else set()
    printed = [
        name.partition(difference)[0] for name in (experiment.columns if experiment else ()) if difference in name
    ]
    alone = len(set(printed or (experiment.compared if experiment else ()))) == 1
    if alone and len(baselines) == 1:
        whose = Said("Δ to {baseline}", baseline=baselines.pop())
    else:
        whose = Said("Δ {measure}", measure=heading(measure))
    if part == "_mean":
        return whose
    if part == "_p_value_holm":
        return Said("p (Holm)") if alone else Said("{difference}: p (Holm)", difference=whose)
    return Said("{difference}, {part}", difference=whose, part=Said(part.replace("_", " ").strip()))


def cell(row: pd.Series, column: str) -> str:
    """One value for reading, with half its 95 % interval where it is a mean of several seeds.

    The name of a row, or of its network, that shows signs of starved training ends in †.
    """
    value = row[column]
    if pd.isna(value):
        return "–"
    if isinstance(value, str):
        return f"{value}†" if column in WORDS and isinstance(row.get("starved"), str) else value
    stem = column.removesuffix("_mean")
    if stem == column and float(value).is_integer():
        return f"{value:,.0f}"
    if stem == column and abs(value) < 0.01:
        return f"{value:.0e}"
    digits = 4 if "accuracy" in stem else 1 if stem.endswith("seconds") else 0 if abs(value) >= 1_000 else 2
    text = f"{value:z,.{digits}f}"
    if stem.endswith("seconds") or pd.isna(high := row.get(f"{stem}_ci95_high", math.nan)):
        return text
    return f"{text} ± {high - value:,.{digits}f}"


def as_read(
    frame: pd.DataFrame, columns: Sequence[str], experiment: Experiment | None = None, language: Language = ENGLISH
) -> tuple[list[str], list[list[str]]]:
    """The headings and the rows of chosen columns, rounded for reading; see `show`. Names in rows stay as they are."""
    rows = [
        [cell(row, name) if isinstance(row[name], str) else language.number(cell(row, name)) for name in columns]
        for _, row in frame.iterrows()
    ]
    return [language.say(heading(column, experiment)) for column in columns], rows


def markdown(frame: pd.DataFrame, columns: Sequence[str], experiment: Experiment | None = None) -> str:
    """Chosen columns as a Markdown table, rounded for reading; see `show`."""
    head, rows = as_read(frame, columns, experiment)
    lines = [head, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
