"""Tables: records in, one tidy CSV an experiment out. Nothing here imports TensorFlow.

A row is one variant, on one data set, with one specification. Numbers stay numbers; units are in
the names of columns; formatting is for the printed table alone.
"""

import collections
import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cnn_models.zoo import MODELS
from lab.declare.experiment import Experiment
from lab.declare.run import resolve
from lab.errors import UsageError
from lab.report.table import csv_files, rates
from lab.report.table.comparison import compare
from lab.report.table.row import ONE_CPU, Declared, Row, in_words, of_zoo
from lab.report.table.starvation import signs
from lab.report.table.statistics import summarise
from lab.store.files import sole_writer
from lab.store.record import Record
from lab.store.records import Records

SUMMARISED = ("mean", "std", "ci95_low", "ci95_high")


# The columns of every table, that of no rows too.
EVERY = ("experiment", "variant", "dataset", "declared", "seeds", "diverged", "failed", "specification")
OF_SEEDS = ("variant", "dataset", "specification", "declared", "seed")  # of every table of seeds, of no runs too
DEVICES = "devices"  # the column of a table of which some runs were not on one CPU
OVER_PICTURES = "seeds_and_pictures_ci95"  # what columns of an interval over seeds and test pictures have in common
# Further measures of a row by seed: of the experiment, the row and all declared rows on its data set.
Derive = Callable[[Experiment, Row, Sequence[Row]], Mapping[str, Mapping[int, float]]]


def table_and_seeds(
    experiment: Experiment, records: Iterable[Record], at_edge: Collection[tuple[str, str]] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The experiment's table, in the order of its declaration, and every seed's values.

    Args:
        experiment: its declaration gives the order of rows, the baseline and the published values.
        records: its records, in any order; failed and diverged runs are counted, not averaged.
        at_edge: rows, by variant and data set, whose learning rate is at an edge of its grid.

    Returns:
        The table, one row a variant, data set and specification (`results/README.md` explains its columns); and one
        row a finished run: its row's names, `seed` and its measures.
    """
    declaration = Declared(experiment)
    rows = _rows(experiment, records)
    _derive(declaration, rows)
    return _table(declaration, rows, at_edge), _by_seed(declaration, rows)


def _table(declaration: Declared, rows: list[Row], at_edge: Collection[tuple[str, str]]) -> pd.DataFrame:
    experiment = declaration.experiment
    described = [_describe(declaration, row) for row in rows]
    for line, found in zip(described, _signs(declaration, rows, at_edge), strict=True):
        if found:
            line["starved"] = ", ".join(found)
    if _some_elsewhere(rows):
        for row, line in zip(rows, described, strict=True):
            line[DEVICES] = row.devices
    if not experiment.search and not all(line["declared"] for line in described):  # a search's rows all differ
        for row, line in zip(rows, described, strict=True):
            line["deviations"] = in_words(declaration.deviations(row)) or None
    if any(experiment.baseline_of(name) for name in experiment.rows):
        pairs: collections.Counter[str] = collections.Counter()
        for measure in experiment.compared:
            compare(declaration, rows, described, measure, pairs)
    lines = [line | {"specification": row.specification} for row, line in zip(rows, described, strict=True)]
    return pd.DataFrame(lines, columns=None if lines else EVERY)


def _signs(declaration: Declared, rows: list[Row], at_edge: Collection[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The signs of starved training of each row: its own, and those of the row whose networks it looks into."""
    if declaration.experiment.budget:
        return [() for _ in rows]
    own: dict[str, tuple[str, ...]] = {}
    for row in rows:
        edge = declaration.has(row) and (row.variant, row.dataset) in at_edge
        own[row.specification] = signs((run.ending for run in row.finished.values()), edge)
    read = ((row.specification, *declaration.read_by(row)) for row in rows)
    return [tuple(dict.fromkeys(sign for name in names for sign in own.get(name, ()))) for names in read]


def _by_seed(declaration: Declared, rows: list[Row]) -> pd.DataFrame:
    lines = []
    elsewhere = _some_elsewhere(rows)
    for row in rows:
        names = {"variant": row.variant, "dataset": row.dataset, "specification": row.specification}
        measures = {name: row.values(name) for name in row.metrics}
        for seed in sorted(row.finished):
            values = {name: by_seed[seed] for name, by_seed in measures.items() if seed in by_seed}
            names |= {DEVICES: row.finished[seed].devices} if elsewhere else {}
            lines.append(names | {"declared": declaration.has(row), "seed": seed} | values)
    return pd.DataFrame(lines, columns=None if lines else OF_SEEDS)


def _some_elsewhere(rows: list[Row]) -> bool:
    """Whether some finished runs computed on anything but one CPU."""
    return any(run.devices != ONE_CPU for row in rows for run in row.finished.values())


def shown(experiment: Experiment, frame: pd.DataFrame) -> list[str]:
    """The columns of the printed table: those that the experiment names, or where it names none, what it measured."""
    if experiment.columns:
        return [column for column in experiment.columns if column in frame]
    names = ["variant", *(["dataset"] if len(experiment.datasets) > 1 else []), "params"]
    for measure in experiment.compared:
        names += [f"{measure}_mean", f"{measure}_minus_baseline_mean"]
    if not any(f"{measure}_mean" in frame for measure in experiment.compared):
        names += [str(column) for column in frame if str(column).endswith("_mean")]
    return [column for column in [*names, "seeds"] if column in frame]


def write(experiment: Experiment, records: Records) -> pd.DataFrame:
    """Makes `results/<experiment>.csv`, and that of its seeds, from the records alone, and returns the first."""
    with sole_writer(records.results):  # records are read under it, too, so that no older table replaces a newer one
        at_edge = rates.at_edge(records.results, experiment)
        frame, seeds = table_and_seeds(experiment, records.each(experiment.name), at_edge)
        path = seeds_path(records.results, experiment.name)
        path.parent.mkdir(exist_ok=True)
        csv_files.replace(seeds, path)
        csv_files.replace(frame, records.results / f"{experiment.name}.csv")
    return frame


def seeds_path(results: Path, experiment: str) -> Path:
    """Where the values of each seed are."""
    return results / "seeds" / f"{experiment}.csv"


def read_of(experiment: Experiment, path: Path) -> pd.DataFrame:
    """An experiment's table as it was written.

    Raises:
        UsageError: the file is none; the message says how to make it anew.
    """
    frame = csv_files.read(path)
    whole = set(EVERY) <= set(frame)
    numbers = whole and all(pd.api.types.is_numeric_dtype(frame[name]) for name in ("seeds", "diverged", "failed"))
    if not (numbers or (whole and frame.empty)):
        raise UsageError(f"{path} is no table of {experiment.name}: make it anew from its records, by make tables.")
    return frame


def read_seeds(path: Path) -> pd.DataFrame:
    """A table of seeds as it was written.

    Raises:
        UsageError: the file is none; the message says how to make it anew.
    """
    frame = csv_files.read(path)
    numbers = frame[[name for name in frame if name not in (*OF_SEEDS, DEVICES) or name == "seed"]]
    if not (set(OF_SEEDS) <= set(frame) and (frame.empty or all(map(pd.api.types.is_numeric_dtype, numbers.dtypes)))):
        raise UsageError(f"{path} is no table of seeds: make it anew from its records, by make tables.")
    return frame


def _rows(experiment: Experiment, records: Iterable[Record]) -> list[Row]:
    groups: dict[tuple[str, str, str], Row] = {}
    for record in records:
        key = (record.variant, record.dataset, record.digest)
        if key not in groups:
            groups[key] = Row(*key, record.settings)
        groups[key].add(record)
    order = {name: place for place, name in enumerate(experiment.rows)}
    sets = {dataset: place for place, dataset in enumerate(experiment.datasets)}

    def place(key: tuple[str, str, str]) -> tuple[Any, ...]:
        facts = groups[key].facts
        number = facts.get("trial", 0)
        trial = (str(facts.get("tuner", "")), number if isinstance(number, int) else 0)  # of a search, in its order
        return sets.get(key[1], len(sets)), order.get(key[0], len(order)), *key[:2], *trial, key[2]

    return [groups[key] for key in sorted(groups, key=place)]


def _derive(declaration: Declared, rows: list[Row]) -> None:
    experiment = declaration.experiment
    if not experiment.derived:
        return
    derive: Derive = resolve(experiment.derived)
    beside: dict[str, list[Row]] = collections.defaultdict(list)
    for row in filter(declaration.has, rows):
        beside[row.dataset].append(row)
    for of_recipe in beside.values():
        found = [derive(experiment, row, of_recipe) for row in of_recipe]
        for row, measures in zip(of_recipe, found, strict=True):
            row.derived = measures


def _describe(declaration: Declared, row: Row) -> dict[str, Any]:
    experiment = declaration.experiment
    names: dict[str, Any] = {"experiment": experiment.name, "variant": row.variant, "dataset": row.dataset}
    line = names | row.facts | names  # no fact takes the place of what the row is
    settings = _flat(row.settings) if experiment.search else row.settings
    scalars = {name: value for name, value in settings.items() if isinstance(value, str | int | float)}
    line |= {name: value for name, value in scalars.items() if name not in line}
    line["declared"] = declaration.has(row)
    line |= {"seeds": row.counted["finished"], "diverged": row.counted["diverged"], "failed": row.counted["failed"]}
    if experiment.search:
        line |= _scores(row)
    for metric in row.metrics:
        summary = dataclasses.asdict(summarise(list(row.values(metric).values())))
        line |= {f"{metric}_{part}": summary[part] for part in SUMMARISED}
        if ends := row.over_pictures(metric):
            line |= {f"{metric}_{OVER_PICTURES}_{end}": value for end, value in zip(("low", "high"), ends, strict=True)}
    if declared := experiment.named.get(row.variant):  # what was printed of one data set says nothing of another
        own = row.dataset == experiment.dataset
        line |= declared.published if own else declared.published_on.get(row.dataset, {})
    return line


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with the parts of those that have some: options of the network by their own names."""
    of_model = MODELS[settings["model"]].options if of_zoo(settings) else {}
    options = settings.get("options")
    flat = {**settings, **of_model, **(options if isinstance(options, dict) else {})}
    for name in ("distortion", "random_crop"):
        parts = settings.get(name)
        for part, value in parts.items() if isinstance(parts, dict) else ():
            flat[f"{name}_{part}"] = value
    return flat


def _scores(row: Row) -> dict[str, str]:
    """What became of a row, and the score of each seed: of a search, nothing is to be lost."""
    status = next((word for word in ("failed", "diverged") if row.counted[word]), "finished")
    scores = row.values("validation_accuracy")
    words = "; ".join(f"{seed}: {value:.4f}" for seed, value in sorted(scores.items()))
    return {"status": status} | ({"validation_accuracy_by_seed": words} if words else {})
