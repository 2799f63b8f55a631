"""Keeps our own runs: their records, tables and figures under results/reference, and in the README.

The README's tables stand between marks and are written here, never by hand.
"""

import re
import shutil
from pathlib import Path

import pandas as pd

from experiments.lab import console, tables, verdicts
from experiments.lab.spec import Experiment, UsageError

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"


def keep(experiment: Experiment, results: Path) -> None:
    """Copies an experiment's records, without networks, its table and its figure; renews ledger and README.

    Raises:
        UsageError: the results hold no such study; what was kept before stays.
    """
    if not (results / f"{experiment.name}.csv").exists():  # before what is kept is touched
        raise UsageError(f"{results} holds no table of {experiment.name}: make {experiment.name} first.")
    kept = REFERENCE / "runs" / experiment.name
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for ending in ("json", "npz"):
        for file in sorted((results / "runs" / experiment.name).glob(f"*.{ending}")):
            shutil.copy(file, kept)
    for ending in ("csv", "svg"):
        shutil.copy(results / f"{experiment.name}.{ending}", REFERENCE)
    verdicts.write(REFERENCE)
    readme = ROOT / "README.md"
    frame = tables.read(REFERENCE / f"{experiment.name}.csv")
    readme.write_text(with_table(readme.read_text(), experiment, frame))


def with_table(readme: str, experiment: Experiment, frame: pd.DataFrame) -> str:
    """The README with this experiment's table between its two marks."""
    begin, end = f"<!-- table: {experiment.name} -->", "<!-- end of table -->"
    table = f"{begin}\n{markdown(experiment, frame)}\n{end}"
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: table, readme, flags=re.DOTALL)


def markdown(experiment: Experiment, frame: pd.DataFrame) -> str:
    """The experiment's printed columns as a Markdown table, rounded for reading."""
    columns = [column for column in experiment.columns if column in frame]
    lines = [[console.heading(column) for column in columns], ["---"] + ["---:"] * (len(columns) - 1)]
    lines += [[console.cell(row, column) for column in columns] for _, row in frame.iterrows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
