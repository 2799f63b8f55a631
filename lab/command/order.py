"""The order of a call's runs: the longest first, so that at the end no worker waits long for another's last run."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from lab.declare.run import Run
from lab.store.records import REFERENCE


def longest_first(runs: Sequence[Run], results: Path) -> list[Run]:
    """The runs of an experiment, those of one variant still together: its graph is traced once a worker.

    Args:
        runs: of one experiment.
        results: folder whose tables say how long the variants took; else the tables that the project keeps say it.
    """
    known: dict[tuple[str, str], float] = {}
    for folder in (REFERENCE, results):
        known |= _seconds(folder / f"{runs[0].experiment}.csv") if runs else {}
    # What nobody has timed yet may be the longest of all.
    return sorted(runs, key=lambda run: known.get((run.variant, run.dataset), math.inf), reverse=True)


def _seconds(table: Path) -> dict[tuple[str, str], float]:
    """Mean seconds of training by variant and data set; 0 where a row trains nothing. Nothing where there is no table.

    `csv` and not pandas, whose import would delay the first run.
    """
    try:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {(row["variant"], row["dataset"]): float(row.get("train_seconds_mean") or 0) for row in rows}
    except (OSError, ValueError, KeyError, csv.Error):
        return {}  # a damaged table is made anew from its records when the runs have ended
