"""The table of learning rates: how well each served each row on validation pictures, and which is chosen."""

import collections
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lab.declare.experiment import Experiment
from lab.declare.run import canonical
from lab.report.language import Said
from lab.report.table import csv_files
from lab.report.table.row import Declared, Row
from lab.report.table.statistics import Summary, summarise
from lab.store.record import Record
from lab.store.records import Records

FOLDER = "rates"  # of a results folder: records and tables of the runs that choose
NAMES = ("variant", "dataset", "learning_rate", "seeds", "diverged")
ERROR = "validation_error_percent"
COLUMNS = (*NAMES, f"{ERROR}_mean", f"{ERROR}_std", "chosen", "at_edge", "train_seconds_mean")
PRINTED = ("variant", "dataset", "learning_rate", f"{ERROR}_mean", f"{ERROR}_std", "seeds", "chosen", "at_edge")

TITLE = Said("How the learning rates were chosen")
READING = Said(
    "Validation errors, %, at each learning rate that was tried: means of runs whose seeds are in no other table. ‡ "
    "marks a chosen rate that is the least or the largest of them and better than the next by more than the standard "
    "error of their difference."
)


def write(experiment: Experiment, results: Path) -> pd.DataFrame:
    """Makes `rates/<experiment>.csv` in a results folder from the records of the runs that choose; returns it."""
    frame = table(experiment, Records(results / FOLDER))
    csv_files.write(frame, path(results, experiment.name))
    return frame


def path(results: Path, experiment: str) -> Path:
    """Where the table of an experiment's learning rates is."""
    return results / FOLDER / f"{experiment}.csv"


def read(results: Path, experiment: Experiment) -> pd.DataFrame | None:
    """The table of an experiment's learning rates as it was written; None where there is none."""
    file = path(results, experiment.name)
    return csv_files.read(file) if file.exists() else None


def table(experiment: Experiment, records: Records) -> pd.DataFrame:
    """One line a row of the experiment and learning rate.

    Returns:
        Columns `COLUMNS`: the validation error's mean and standard deviation are over the seeds; `chosen` says whether
        this rate has the lowest mean of those at which no seed diverged; and `at_edge`, whether it is the least or the
        largest that was tried and better than the next, so that a still better one may lie beyond: better by more
        than the standard error of the difference, as one of several equal rates is an edge by chance alone. Rates of
        one recipe are compared, see `_of_one_recipe`.
    """
    found: dict[tuple[str, str], list[Record]] = collections.defaultdict(list)
    for record in records.each(experiment.name):
        found[record.variant, record.dataset].append(record)
    lines = []
    order = {name: place for place, name in enumerate(experiment.rows)}
    for (variant, dataset), ran in sorted(found.items(), key=lambda item: (item[0][1], order.get(item[0][0], -1))):
        rows = _of_one_recipe(experiment, ran)
        errors = {rate: _error(row) for rate, row in rows.items()}
        best = min(errors, key=lambda rate: (errors[rate], rate))
        summaries = {rate: summarise(_percents(row)) for rate, row in rows.items()}
        edge = best if _falls_outwards(best, errors, summaries) else None
        for rate in sorted(rows):
            summary = summaries[rate]
            lines.append(
                dict(zip(NAMES, (variant, dataset, rate, summary.n, rows[rate].counted["diverged"]), strict=True))
                | {f"{ERROR}_mean": summary.mean, f"{ERROR}_std": summary.std}
                | {"chosen": rate == best, "at_edge": rate == edge}
                | {"train_seconds_mean": summarise(list(rows[rate].values("train_seconds").values())).mean}
            )
    return pd.DataFrame(lines, columns=COLUMNS)


def _of_one_recipe(experiment: Experiment, ran: Sequence[Record]) -> dict[float, Row]:
    """The runs of one recipe by learning rate: of the declared one, or else of the one with the most runs.

    Runs of a recipe that was declared before, with fewer epochs say, lie beside them and are not comparable.

    Args:
        experiment: its declaration.
        ran: the records of one variant on one data set, at least one.
    """
    recipes: dict[str, dict[float, Row]] = collections.defaultdict(dict)
    for record in ran:
        rate = record.settings["learning_rate"]
        rows = recipes[_recipe(record.settings)]
        rows.setdefault(rate, Row(record.variant, record.dataset, record.digest, record.settings)).add(record)
    declared = _declared(experiment, ran[0].variant, ran[0].dataset)
    if declared in recipes:
        return recipes[declared]
    return max(recipes.values(), key=lambda rows: sum(row.counted.total() for row in rows.values()))


def _declared(experiment: Experiment, variant: str, dataset: str) -> str | None:
    """The recipe by which the declaration chooses a variant's rate; None where it does not choose one."""
    if variant not in experiment.named or not experiment.rates:
        return None
    trials = experiment.rates.runs([Declared(experiment).run(variant, dataset)])
    return _recipe(trials[0].specification()["settings"]) if trials else None


def _recipe(settings: Mapping[str, Any]) -> str:
    """A recipe but for its learning rate, as text."""
    return canonical({name: value for name, value in settings.items() if name != "learning_rate"}).decode()


def side_by_side(results: Path, experiment: Experiment) -> pd.DataFrame | None:
    """The table as it was written, with one line a row: its validation error at each rate, and the chosen rate.

    Returns:
        None where there is no table; else columns `variant`, `dataset`, `chosen` and "RATE_mean" for each rate,
        rising; not a number where a row was not tried at that rate, or no seed finished. A chosen rate at an edge of
        what was tried has ‡ behind it.
    """
    frame = read(results, experiment)
    if frame is None:
        return None
    lines = []
    tried = sorted(frame["learning_rate"].unique())
    for (variant, dataset), rows in frame.groupby(["variant", "dataset"], sort=False):
        chosen = rows[rows["chosen"]].iloc[0]
        errors = dict(zip(rows["learning_rate"], rows[f"{ERROR}_mean"], strict=True))
        lines.append(
            {"variant": variant, "dataset": dataset}
            | {"chosen": f"{chosen['learning_rate']:g}{'‡' if chosen['at_edge'] else ''}"}
            | {f"{rate:g}_mean": errors.get(rate, math.nan) for rate in tried}
        )
    return pd.DataFrame(lines)


def _percents(row: Row) -> list[float]:
    """The validation errors of its seeds, %."""
    return [100 * (1 - value) for value in row.values("validation_accuracy").values()]


def _error(row: Row) -> float:
    """The mean validation error; infinite where a seed diverged, or none finished."""
    percents = _percents(row)
    return math.inf if row.counted["diverged"] or not percents else sum(percents) / len(percents)


def _falls_outwards(best: float, errors: Mapping[float, float], summaries: Mapping[float, Summary]) -> bool:
    """Whether a better rate may lie beyond the best one.

    It does where that is the last one tried, in its direction, and its error is below that of the one before by more
    than the standard error of the difference; or where nothing can be compared: one rate, or all may diverge.
    """
    tried = sorted(errors)
    if len(tried) == 1 or math.isinf(errors[best]):
        return True
    if best not in (tried[0], tried[-1]):
        return False
    before = tried[1] if best == tried[0] else tried[-2]
    deviations = [
        summaries[rate].std / math.sqrt(summaries[rate].n) for rate in (best, before) if summaries[rate].n > 1
    ]
    return errors[before] - errors[best] > math.hypot(*deviations)


def at_edge(results: Path, experiment: Experiment) -> frozenset[tuple[str, str]]:
    """The rows, by variant and data set, whose chosen learning rate lies at an edge of those that were tried."""
    frame = read(results, experiment)
    if frame is None:
        return frozenset()
    edges = frame[frame["at_edge"].astype(bool)]
    own = set(zip(edges["variant"], edges["dataset"], strict=True))
    like = experiment.rates.like if experiment.rates else {}
    return frozenset(own | {(name, dataset) for name, other in like.items() for row, dataset in own if row == other})
