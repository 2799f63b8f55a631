"""The rows of an experiment that count as evidence: declared recipe, declared data set, each seed's value."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lab.declare.evidence import NOT_JUDGED
from lab.declare.experiment import Experiment
from lab.report.language import Said, joined
from lab.report.table import tables


class NotJudged(Exception):
    """A row or a value that a statement needs is not there.

    Attributes:
        reason: why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Rows:
    """The rows that count as evidence, by name: measures that seeds share, and measures by seed."""

    def __init__(self, experiment: Experiment, table: pd.DataFrame, seeds: pd.DataFrame) -> None:
        """Takes an experiment's table, one row a variant, and that of its seeds; see `tables.table_and_seeds`."""
        self.table = judged_rows(experiment, table)
        self.reasons: Mapping[str, str] = self.table.attrs.get(NOT_JUDGED, {})
        self._runs = {} if self.table.empty or seeds.empty else dict(list(seeds.groupby("specification")))

    def fact(self, variant: str, measure: str) -> float:
        """The value of a measure that is the same for every seed.

        Raises:
            NotJudged: the row or the value is not there.
        """
        row = self._row(variant)
        value = float(str(row.get(measure, math.nan)))
        if math.isnan(value) or not int(row["seeds"]):
            raise NotJudged(_unmeasured(variant, measure, _lost(row)))
        return value

    def values(self, variant: str, measure: str) -> dict[int, float]:
        """A measure's value of each seed that finished.

        Raises:
            NotJudged: the row is not there, or this was not measured.
        """
        row = self._row(variant)
        if not int(row["seeds"]):
            return {}
        if isinstance(starved := row.get("starved"), str):
            signs = joined([Said(sign) for sign in starved.split(", ")], ", ")
            raise NotJudged(Said("{variant} was probably trained too little ({signs})", variant=variant, signs=signs))
        if not self._runs:
            raise NotJudged(Said("the values of each seed are not there: make tables makes them from the records"))
        runs = self._runs.get(str(row["specification"]), pd.DataFrame())
        found = runs.set_index("seed")[measure].dropna() if measure in runs else pd.Series(dtype=float)
        if found.empty:
            raise NotJudged(_unmeasured(variant, measure))
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
            raise NotJudged(self.reasons.get(variant, Said("{variant} was not run", variant=variant)))
        return self.table.loc[[variant]].iloc[0]


def _lost(row: pd.Series) -> str:
    counts = [lost(word, str(row[word])) for word in ("diverged", "failed") if str(row.get(word, 0)) != "0"]
    return Said(" ({counts})", counts=joined(counts, ", ")) if counts else ""


def lost(word: str, count: str) -> Said:
    """How many runs diverged, or failed."""
    return Said("{count} diverged", count=count) if word == "diverged" else Said("{count} failed", count=count)


def words_of(measure: str) -> Said:
    """A measure's name as words."""
    return Said(measure.replace("_", " "))


def _unmeasured(variant: str, measure: str, lost: str = "") -> Said:
    return Said("{variant}: {measure} was not measured{lost}", variant=variant, measure=words_of(measure), lost=lost)


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
    return Rows(experiment, table, tables.read_seeds(seeds) if seeds.exists() else pd.DataFrame())


def judged_rows(experiment: Experiment, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that count as evidence: declared recipe, declared data set.

    Returns:
        Rows indexed by variant; those on a further data set of the experiment by "VARIANT on DATASET". Its attribute
        `NOT_JUDGED` says of the other rows why they are none of these.
    """
    if frame.empty:
        return frame
    keys = zip(frame["variant"], frame["dataset"], strict=True)
    own = np.array([dataset in experiment.datasets_of(variant) for variant, dataset in keys])
    rows = frame[frame["declared"].astype(bool) & own]
    names = [row_name(experiment, *key) for key in zip(rows["variant"], rows["dataset"], strict=True)]
    rows = rows.set_index(pd.Index(names))
    missing = {
        row_name(experiment, variant, dataset): (variant, dataset)
        for variant in experiment.rows
        for dataset in experiment.datasets_of(variant)
    }
    rows.attrs[NOT_JUDGED] = {
        name: _not_judged(name, experiment, frame, *key) for name, key in missing.items() if name not in names
    }
    return rows


def _not_judged(name: str, experiment: Experiment, frame: pd.DataFrame, variant: str, dataset: str) -> Said:
    """Why a declared row is not judged: what was run of it instead, if anything."""
    rows = frame[frame["variant"] == variant]
    if set(rows["dataset"]) & {dataset}:
        deviations = joined([deviation_of(row) for row in _on(rows, dataset)], "; ")
        return Said("{row} was not run as declared, but with {deviations}", row=name, deviations=deviations)
    others = [name for name in dict.fromkeys(rows["dataset"]) if name not in experiment.datasets_of(variant)]
    if not others:
        return Said("{variant} was not run", variant=name)
    return Said("{row} was run on {others}, and not on {dataset}", row=name, others=", ".join(others), dataset=dataset)


def _on(rows: pd.DataFrame, dataset: str) -> list[pd.Series]:
    return [row for _, row in rows[rows["dataset"] == dataset].iterrows()]


def deviation_of(row: pd.Series) -> str:
    """What a row of a table has otherwise than declared, in words."""
    said = row.get("deviations")
    return said if isinstance(said, str) else Said("another recipe")  # of a search, or of a table made long ago


def row_name(experiment: Experiment, variant: str, dataset: str) -> str:
    """What claims call a declared row."""
    return variant if dataset == experiment.datasets_of(variant)[0] else f"{variant} on {dataset}"
