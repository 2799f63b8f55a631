"""Tables: records in, one tidy CSV an experiment out. Nothing here imports TensorFlow.

A row is one variant, on one data set, with one specification. Numbers stay numbers; units are in
the names of columns; formatting is for the printed table alone.
"""

import collections
import dataclasses
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pandas as pd

from experiments.lab.claims import MIN_SEEDS
from experiments.lab.files import write_whole
from experiments.lab.records import Record, Records
from experiments.lab.spec import Experiment, Run, digest, resolve
from experiments.lab.statistics import holm, mcnemar, paired, summarise

SUMMARISED = ("mean", "std", "ci95_low", "ci95_high")


@dataclasses.dataclass(frozen=True)
class Row:
    """The records that one row of a table is made of: one variant, data set and specification.

    `derived` are measures, by seed, that no record of its own holds; see `Derive`.
    """

    variant: str
    dataset: str
    specification: str
    records: tuple[Record, ...]
    derived: Mapping[str, Mapping[int, float]] = dataclasses.field(default_factory=dict)

    @property
    def finished(self) -> list[Record]:
        """The records that count in means."""
        return [record for record in self.records if record["status"] == "finished"]

    @property
    def settings(self) -> dict[str, Any]:
        """The recipe."""
        return self.records[0]["specification"]["settings"]

    def values(self, metric: str) -> dict[int, float]:
        """A metric's value of each seed."""
        if metric in self.derived:
            return dict(self.derived[metric])
        found = ((record["specification"]["seed"], record["metrics"].get(metric)) for record in self.finished)
        return {seed: value for seed, value in found if value is not None}

    @property
    def metrics(self) -> list[str]:
        """The names of all its measures."""
        return [*dict.fromkeys(name for record in self.finished for name in record["metrics"]), *self.derived]

    def misread(self) -> dict[int, list[int]]:
        """The test pictures that each seed misread, where the records have them."""
        return {
            r["specification"]["seed"]: r["misread"]["test"] for r in self.finished if "test" in r.get("misread", ())
        }


# Further measures of a row by seed: of the experiment, the row and all declared rows on its data set.
Derive = Callable[[Experiment, Row, Sequence[Row]], Mapping[str, Mapping[int, float]]]


def table(experiment: Experiment, records: Iterable[Record]) -> pd.DataFrame:
    """The experiment's table, in the order of its declaration.

    Args:
        experiment: its declaration gives the order of rows, the baseline and the published values.
        records: its records, in any order; failed and diverged runs are counted, not averaged.

    Returns:
        One row a variant, data set and specification; see `results/README.md` for the columns.
    """
    rows = _derive(experiment, _rows(experiment, records))
    described = [_describe(experiment, row) for row in rows]
    if any(experiment.baseline_of(row.name) for row in experiment.variants):
        for measure in experiment.compared:
            _compare(experiment, rows, described, measure)
    return pd.DataFrame(
        [line | {"specification": row.specification} for row, line in zip(rows, described, strict=True)]
    )


def declared(experiment: Experiment, variant: str, dataset: str) -> str | None:
    """The specification that the declaration gives a variant; None where it is declared no more."""
    settings = {row.name: row.settings for row in experiment.variants}
    if variant not in settings:
        return None
    return digest(Run(experiment.name, variant, dataset, settings[variant], 0).specification())


def judged(experiment: Experiment, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that count as evidence: declared recipe, declared data set.

    Returns:
        Rows indexed by variant; those on a further data set of the experiment by "VARIANT on DATASET".
    """
    if frame.empty:
        return frame
    keys = zip(frame["variant"], frame["dataset"], strict=True)
    own = np.array([dataset in experiment.datasets_of(variant) for variant, dataset in keys])
    rows = frame[frame["declared"].astype(bool) & own]
    names = [row_name(experiment, *key) for key in zip(rows["variant"], rows["dataset"], strict=True)]
    return rows.set_index(pd.Index(names))


def row_name(experiment: Experiment, variant: str, dataset: str) -> str:
    """What claims call a declared row."""
    return variant if dataset == experiment.datasets_of(variant)[0] else f"{variant} on {dataset}"


def write(experiment: Experiment, records: Records) -> pd.DataFrame:
    """Makes `results/<experiment>.csv` from the records alone, and returns the table."""
    frame = table(experiment, records.of(experiment.name))
    write_csv(frame, records.results / f"{experiment.name}.csv")
    return frame


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Writes a table whole, under a lock that all writers of this folder share."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.parent / ".tables.lock"):
        write_whole(path, lambda part: frame.to_csv(part, index=False, lineterminator="\n"))


def read(path: Path) -> pd.DataFrame:
    """A table as it was written."""
    return pd.read_csv(path)


def _rows(experiment: Experiment, records: Iterable[Record]) -> list[Row]:
    groups: dict[tuple[str, str, str], list[Record]] = collections.defaultdict(list)
    for record in records:
        specification = record["specification"]
        groups[specification["variant"], specification["dataset"], digest(specification)].append(record)
    order = {variant.name: place for place, variant in enumerate(experiment.variants)}
    sets = {dataset: place for place, dataset in enumerate(experiment.datasets)}
    keys = sorted(groups, key=lambda key: (sets.get(key[1], len(sets)), order.get(key[0], len(order)), *key))
    return [Row(*key, tuple(groups[key])) for key in keys]


def _is_declared(experiment: Experiment, row: Row) -> bool:
    return row.specification == declared(experiment, row.variant, row.dataset)


def _derive(experiment: Experiment, rows: list[Row]) -> list[Row]:
    if not experiment.derived:
        return rows
    derive: Derive = resolve(experiment.derived)
    of_recipe = [row for row in rows if _is_declared(experiment, row)]
    beside = {row.dataset: [other for other in of_recipe if other.dataset == row.dataset] for row in of_recipe}
    return [
        dataclasses.replace(row, derived=derive(experiment, row, beside[row.dataset])) if row in of_recipe else row
        for row in rows
    ]


def _describe(experiment: Experiment, row: Row) -> dict[str, Any]:
    counted = collections.Counter(record["status"] for record in row.records)
    line: dict[str, Any] = {"experiment": experiment.name, "variant": row.variant, "dataset": row.dataset}
    line |= next((record["facts"] for record in row.records if record["facts"]), {})
    scalars = {name: value for name, value in row.settings.items() if isinstance(value, str | int | float)}
    line |= {name: value for name, value in scalars.items() if name not in line}
    line["declared"] = _is_declared(experiment, row)
    line |= {"seeds": counted["finished"], "diverged": counted["diverged"], "failed": counted["failed"]}
    for metric in row.metrics:
        summary = dataclasses.asdict(summarise(list(row.values(metric).values())))
        line |= {f"{metric}_{part}": summary[part] for part in SUMMARISED}
    for variant in experiment.variants:
        # What was printed of one data set says nothing of another.
        if variant.name == row.variant and row.dataset == experiment.dataset:
            line |= variant.published
    return line


def _compare(experiment: Experiment, rows: list[Row], lines: list[dict[str, Any]], measure: str) -> None:
    """Adds each row's paired difference from its baseline row; Holm's family is all of one measure."""
    stem = f"{measure}_minus_baseline"
    for row, line in zip(rows, lines, strict=True):
        name = experiment.baseline_of(row.variant)
        baseline = name and _baseline(experiment, name, row, rows)
        if not baseline:
            line["comparison"] = "no baseline was run" if name else "baseline"
            continue
        difference = paired(row.values(measure), baseline.values(measure))
        enough = difference.n >= MIN_SEEDS
        with_own = f" with {name}" if name != experiment.baseline else ""
        line["comparison"] = (
            f"paired by seed{with_own}, n={difference.n}"
            if enough
            else f"too few seeds: {difference.n} of at least {MIN_SEEDS}"
        )
        line |= {f"{stem}_{part}": getattr(difference, part) for part in ("mean", "ci95_low", "ci95_high")}
        line |= {f"{stem}_{part}": getattr(difference, part) for part in ("effect_size", "p_value")}
        if measure == "test_error_percent":
            line["mcnemar_p_value_median"] = _mcnemar(row, baseline)
    compared = [line for line in lines if f"{stem}_p_value" in line]
    for line, adjusted in zip(compared, holm([line[f"{stem}_p_value"] for line in compared]), strict=True):
        line[f"{stem}_p_value_holm"] = adjusted


def _baseline(experiment: Experiment, name: str, row: Row, rows: list[Row]) -> Row | None:
    """The baseline's row on the same data: with the declared recipe beside such, else with as many epochs."""
    candidates = [other for other in rows if other.variant == name and other.dataset == row.dataset]
    if _is_declared(experiment, row):
        wanted = declared(experiment, name, row.dataset)
        return next((other for other in candidates if other.specification == wanted), None)
    return next((other for other in candidates if other.settings.get("epochs") == row.settings.get("epochs")), None)


def _mcnemar(row: Row, baseline: Row) -> float:
    """The median over seeds of McNemar's p-value, as seeds share their test pictures and cannot be pooled."""
    ours, theirs = row.misread(), baseline.misread()
    values = [mcnemar(ours[seed], theirs[seed]) for seed in sorted(set(ours) & set(theirs))]
    return statistics.median(values) if values else float("nan")
