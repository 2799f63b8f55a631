"""Tables: records in, one tidy CSV an experiment out. Nothing here imports TensorFlow.

A row is one variant, on one data set, with one specification. Numbers stay numbers; units are in
the names of columns; formatting is for the printed table alone.
"""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import filelock
import pandas as pd

from experiments.lab.files import write_whole
from experiments.lab.records import Record, Records
from experiments.lab.spec import Experiment, digest
from experiments.lab.statistics import summarise

SUMMARISED = ("mean", "std", "ci95_low", "ci95_high")


def table(experiment: Experiment, records: Iterable[Record]) -> pd.DataFrame:
    """The experiment's table, in the order of its declaration.

    Args:
        experiment: its declaration gives the order of rows and the published values.
        records: its records, in any order; failed and diverged runs are counted, not averaged.

    Returns:
        One row a variant, data set and specification; see `results/README.md` for the columns.
    """
    groups: dict[tuple[str, str, str], list[Record]] = collections.defaultdict(list)
    for record in records:
        specification = record["specification"]
        groups[specification["variant"], specification["dataset"], digest(specification)].append(record)
    order = [variant.name for variant in experiment.variants]
    declared = [key for key in groups if key[0] in order]
    strangers = sorted(set(groups) - set(declared))
    keys = sorted(declared, key=lambda key: (order.index(key[0]), key[1], key[2])) + strangers
    return pd.DataFrame([_row(experiment, key, groups[key]) for key in keys])


def write(experiment: Experiment, records: Records) -> pd.DataFrame:
    """Makes `results/<experiment>.csv` from the records alone, and returns the table."""
    records.results.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(records.results / ".tables.lock"):
        frame = table(experiment, records.of(experiment.name))
        path = records.results / f"{experiment.name}.csv"
        write_whole(path, lambda part: frame.to_csv(part, index=False, lineterminator="\n"))
    return frame


def read(path: Path) -> pd.DataFrame:
    """A table as it was written."""
    return pd.read_csv(path)


def _row(experiment: Experiment, key: tuple[str, str, str], records: Sequence[Record]) -> dict[str, Any]:
    variant, dataset, specification = key
    counted = collections.Counter(record["status"] for record in records)
    finished = [record for record in records if record["status"] == "finished"]
    settings = records[0]["specification"]["settings"]
    row: dict[str, Any] = {"experiment": experiment.name, "variant": variant, "dataset": dataset}
    row |= next((record["facts"] for record in records if record["facts"]), {})
    row |= {"epochs": settings["epochs"], "batch_size": settings["batch_size"]}
    row |= {"seeds": counted["finished"], "diverged": counted["diverged"], "failed": counted["failed"]}
    for name in dict.fromkeys(name for record in finished for name in record["metrics"]):
        values = [record["metrics"][name] for record in finished if name in record["metrics"]]
        summary = dataclasses.asdict(summarise(values))
        row |= {f"{name}_{part}": summary[part] for part in SUMMARISED}
    for declared in experiment.variants:
        if declared.name == variant and dataset == experiment.dataset:  # what was printed of another data set
            row |= declared.published  # says nothing of this one
    return row | {"specification": specification}
