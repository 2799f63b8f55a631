"""The rows of an experiment that count as evidence: declared recipe, declared data set, each seed's value."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from lab.declare.evidence import NOT_JUDGED
from lab.declare.experiment import Experiment
from lab.report import tables


class NotJudged(Exception):
    """A row or a value that a statement needs is not there; the message says why."""


class Rows:
    """Judged rows by name: exact columns, and measures by seed."""

    def __init__(self, experiment: Experiment, table: pd.DataFrame, seeds: pd.DataFrame) -> None:
        """Takes an experiment's two tables, see `tables.table` and `tables.by_seed`."""
        self.experiment = experiment
        self.table = tables.judged(experiment, table)
        self.reasons: Mapping[str, str] = self.table.attrs.get(NOT_JUDGED, {})
        self._runs = {} if self.table.empty or seeds.empty else dict(list(seeds.groupby("specification")))

    def fact(self, variant: str, column: str) -> float:
        """The value of an exact column.

        Raises:
            NotJudged: the row or the value is not there.
        """
        row = self._row(variant)
        value = float(str(row.get(column, math.nan)))
        if math.isnan(value) or not int(row["seeds"]):
            raise NotJudged(f"{variant}: {column.replace('_', ' ')} was not measured{_lost(row)}")
        return value

    def values(self, variant: str, measure: str) -> dict[int, float]:
        """A measure's value of each seed that finished.

        Raises:
            NotJudged: the row is not there, or this was not measured.
        """
        row = self._row(variant)
        if not int(row["seeds"]):
            return {}
        if not self._runs:
            raise NotJudged("the values of each seed are not there: make tables makes them from the records")
        runs = self._runs.get(str(row["specification"]), pd.DataFrame())
        found = runs.set_index("seed")[measure].dropna() if measure in runs else pd.Series(dtype=float)
        if found.empty:
            raise NotJudged(f"{variant}: {measure.replace('_', ' ')} was not measured")
        return {int(str(seed)): float(value) for seed, value in found.items()}

    def over_pictures(self, variant: str, measure: str) -> tuple[float, float] | None:
        """The 95 % interval over seeds and test pictures, where the table has one."""
        row = self._row(variant)
        low, high = (
            float(str(row.get(f"{measure}_{tables.OVER_PICTURES}_{end}", math.nan))) for end in ("low", "high")
        )
        return None if math.isnan(low) else (low, high)

    def lost(self, variant: str) -> str:
        """How many runs of a row came to nothing, in brackets; nothing where none did."""
        return _lost(self._row(variant))

    def _row(self, variant: str) -> pd.Series:
        if variant not in self.table.index:
            raise NotJudged(str(self.reasons.get(variant, f"{variant} was not run")))
        return self.table.loc[[variant]].iloc[0]


def _lost(row: pd.Series) -> str:
    counts = [f"{row[word]} {word}" for word in ("diverged", "failed") if str(row.get(word, 0)) != "0"]
    return f" ({', '.join(counts)})" if counts else ""


def read(experiment: Experiment, results: Path) -> Rows:
    """An experiment's rows by the tables in a results folder; no rows where they are not there.

    Raises:
        UsageError: a file there is no table.
    """
    path = results / f"{experiment.name}.csv"
    if not path.exists():
        return Rows(experiment, pd.DataFrame(), pd.DataFrame())
    seeds = tables.seeds_path(results, experiment.name)
    table = tables.read_of(experiment, path)
    return Rows(experiment, table, tables.read(seeds) if seeds.exists() else pd.DataFrame())
