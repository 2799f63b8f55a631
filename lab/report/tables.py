"""Tables: records in, one tidy CSV an experiment out. Nothing here imports TensorFlow.

A row is one variant, on one data set, with one specification. Numbers stay numbers; units are in
the names of columns; formatting is for the printed table alone.
"""

import array
import collections
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cnn_models.search_space import space
from cnn_models.zoo import MODELS
from lab.declare.evidence import COMPARED, MIN_SEEDS, NOT_JUDGED
from lab.declare.experiment import TRIAL, Experiment
from lab.declare.run import Run, canonical, digest, resolve
from lab.errors import UsageError
from lab.report.statistics import holm, mcnemar, over_seeds_and_pictures, paired, summarise
from lab.store.files import sole_writer, write_whole
from lab.store.record import Record
from lab.store.records import Records

SUMMARISED = ("mean", "std", "ci95_low", "ci95_high")
MCNEMAR = "mcnemar_p_below_0_05_share"


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """What a table keeps of a finished run: a record has ten times as much, and there may be a million.

    Attributes:
        metrics: its measures by name.
        misread: the test pictures that it misread, by what they are misread of: "test", or "test_shift4".
    """

    metrics: dict[str, float]
    misread: "dict[str, array.array[int]]"

    def pictures(self, name: str) -> int | None:
        """How many test pictures an error is of, as it and the number of mistakes say; None where they do not."""
        error, count = self.metrics.get(f"{name}_error_percent"), len(self.misread[name])
        if not error or not count:
            return None
        pictures = round(100 * count / error)
        agree = math.isclose(100 * count, error * pictures, rel_tol=1e-9)
        return pictures if agree and max(self.misread[name]) < pictures and min(self.misread[name]) >= 0 else None


@dataclasses.dataclass
class Row:
    """The records that one row of a table is made of: one variant, data set and specification.

    `derived` are measures, by seed, that no record of its own holds; see `Derive`.
    """

    variant: str
    dataset: str
    specification: str
    settings: dict[str, Any]
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    counted: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    finished: dict[int, Finished] = dataclasses.field(default_factory=dict)
    derived: Mapping[str, Mapping[int, float]] = dataclasses.field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Takes what the table needs of a record; those that count in means are in `finished`, by seed."""
        self.counted[record.status] += 1
        self.facts = self.facts or record.facts
        if record.status == "finished":
            misread = {name: array.array("l", places) for name, places in (record.misread or {}).items()}
            self.finished[record.seed] = Finished(record.metrics, misread)

    def values(self, metric: str) -> dict[int, float]:
        """A metric's value of each seed."""
        if metric in self.derived:
            return dict(self.derived[metric])
        found = ((seed, run.metrics.get(metric)) for seed, run in self.finished.items())
        return {seed: value for seed, value in found if value is not None}

    @property
    def metrics(self) -> list[str]:
        """The names of all its measures."""
        return [*dict.fromkeys(name for run in self.finished.values() for name in run.metrics), *self.derived]

    def misread(self, name: str = "test") -> dict[int, Sequence[int]]:
        """The test pictures that each seed misread, where the records have them."""
        return {seed: run.misread[name] for seed, run in self.finished.items() if name in run.misread}

    def over_pictures(self, metric: str) -> tuple[float, float] | None:
        """An error's interval over seeds and test pictures; None where records do not tell which were misread."""
        name = metric.removesuffix("_error_percent")
        misread = self.misread(name)
        if name == metric or not misread or misread.keys() != self.values(metric).keys():
            return None
        pictures = {self.finished[seed].pictures(name) for seed, places in misread.items() if places}
        (one,) = pictures if len(pictures) == 1 else (None,)
        return over_seeds_and_pictures(list(misread.values()), one) if one else None


class Declared:
    """An experiment's declaration, ready for as many rows as one likes."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._digests: dict[tuple[str, str], str] = {}
        self._settings: dict[str, dict[str, Any]] = {}

    def specification(self, variant: str, dataset: str) -> str | None:
        """The specification that the declaration gives a variant; None where it is declared no more."""
        if variant not in self.experiment.named:
            return None
        if (variant, dataset) not in self._digests:
            self._digests[variant, dataset] = digest(self._run(variant, dataset).specification())
        return self._digests[variant, dataset]

    def has(self, row: Row) -> bool:
        """Whether a row has the recipe that the declaration gives it."""
        return row.specification == self.specification(row.variant, row.dataset)

    def deviations(self, row: Row) -> dict[str, tuple[Any, Any]] | None:
        """The settings that a row does not have as declared: what it has, and what is declared.

        None stands for a setting that is absent; instead of all, for a variant that is declared no more.
        """
        if row.variant not in self.experiment.named:
            return None
        if row.variant not in self._settings:
            self._settings[row.variant] = _parts(self._run(row.variant, row.dataset).specification()["settings"])
        ours, theirs = _parts(row.settings), self._settings[row.variant]
        both = {name: (ours.get(name), theirs.get(name)) for name in [*theirs, *ours]}
        return {name: values for name, values in both.items() if not _same(*values)}

    def _run(self, variant: str, dataset: str) -> Run:
        return Run(self.experiment.name, variant, dataset, self.experiment.named[variant].settings, 0)


def _parts(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings one by one, those inside others by both names."""
    parts: dict[str, Any] = {}
    for name, value in settings.items():
        parts |= _parts(value, f"{prefix}{name}_") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return parts


def _same(one: Any, other: Any) -> bool:
    """Whether two settings give the same specification, where 1, 1.0 and true are three."""
    return canonical(one) == canonical(other)


def in_words(deviations: Mapping[str, tuple[Any, Any]] | None) -> str:
    """What a row has otherwise than declared, for reading; nothing where all is as declared."""
    if deviations is None:
        return "declared no more"
    said = ((name.replace("_", " "), ours) for name, (ours, _) in deviations.items())
    return ", ".join(f"{name} as by default" if ours is None else f"{name} {_value(ours)}" for name, ours in said)


def _value(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


# The columns of every table, that of no rows too.
EVERY = ("experiment", "variant", "dataset", "declared", "seeds", "diverged", "failed", "specification")
OF_SEEDS = ("variant", "dataset", "specification", "declared", "seed")  # of every table of seeds, of no runs too
OVER_PICTURES = "seeds_and_pictures_ci95"  # what columns of an interval over seeds and test pictures have in common
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
    return both(experiment, records)[0]


def both(experiment: Experiment, records: Iterable[Record]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The experiment's table, see `table`, and every seed's values.

    Returns:
        The table, and one row a finished run: its row's names, `seed` and its measures.
    """
    declaration = Declared(experiment)
    rows = _rows(experiment, records)
    _derive(declaration, rows)
    return _table(declaration, rows), _by_seed(declaration, rows)


def _table(declaration: Declared, rows: list[Row]) -> pd.DataFrame:
    experiment = declaration.experiment
    described = [_describe(declaration, row) for row in rows]
    if not experiment.search and not all(line["declared"] for line in described):  # a search's rows all differ
        for row, line in zip(rows, described, strict=True):
            line["deviations"] = in_words(declaration.deviations(row)) or None
    if any(experiment.baseline_of(name) for name in experiment.rows):
        pairs: collections.Counter[str] = collections.Counter()
        for measure in experiment.compared:
            _compare(declaration, rows, described, measure, pairs)
    lines = [line | {"specification": row.specification} for row, line in zip(rows, described, strict=True)]
    return pd.DataFrame(lines, columns=None if lines else EVERY)


def _by_seed(declaration: Declared, rows: list[Row]) -> pd.DataFrame:
    lines = []
    for row in rows:
        names = {"variant": row.variant, "dataset": row.dataset, "specification": row.specification}
        measures = {name: row.values(name) for name in row.metrics}
        for seed in sorted(row.finished):
            values = {name: by_seed[seed] for name, by_seed in measures.items() if seed in by_seed}
            lines.append(names | {"declared": declaration.has(row), "seed": seed} | values)
    return pd.DataFrame(lines, columns=None if lines else OF_SEEDS)


def declared(experiment: Experiment, variant: str, dataset: str) -> str | None:
    """The specification that the declaration gives a variant; None where it is declared no more."""
    return Declared(experiment).specification(variant, dataset)


def judged(experiment: Experiment, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that count as evidence: declared recipe, declared data set.

    Returns:
        Rows indexed by variant; those on a further data set of the experiment by "VARIANT on DATASET". Its attribute
        `claims.NOT_JUDGED` says of the other rows why they are none of these.
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
    reasons = {name: _not_judged(experiment, frame, *key) for name, key in missing.items() if name not in names}
    rows.attrs[NOT_JUDGED] = {name: f"{name} {reason}" for name, reason in reasons.items()}
    return rows


def _not_judged(experiment: Experiment, frame: pd.DataFrame, variant: str, dataset: str) -> str:
    """Why a declared row is not judged: what was run of it instead, if anything."""
    rows = frame[frame["variant"] == variant]
    if set(rows["dataset"]) & {dataset}:
        return f"was not run as declared, but with {' and '.join(map(deviation_of, _on(rows, dataset)))}"
    others = [name for name in dict.fromkeys(rows["dataset"]) if name not in experiment.datasets_of(variant)]
    return f"was run on {' and '.join(others)}, and not on {dataset}" if others else "was not run"


def _on(rows: pd.DataFrame, dataset: str) -> list[pd.Series]:
    return [row for _, row in rows[rows["dataset"] == dataset].iterrows()]


def deviation_of(row: pd.Series) -> str:
    """What a row of a table has otherwise than declared, in words."""
    said = row.get("deviations")
    return said if isinstance(said, str) else "another recipe"  # of a search, or of a table made long ago


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


def row_name(experiment: Experiment, variant: str, dataset: str) -> str:
    """What claims call a declared row."""
    return variant if dataset == experiment.datasets_of(variant)[0] else f"{variant} on {dataset}"


def write(experiment: Experiment, records: Records) -> pd.DataFrame:
    """Makes `results/<experiment>.csv`, and that of its seeds, from the records alone, and returns the first."""
    with sole_writer(records.results):  # records are read under it, too, so that no older table replaces a newer one
        frame, seeds = both(experiment, records.each(experiment.name))
        path = seeds_path(records.results, experiment.name)
        path.parent.mkdir(exist_ok=True)
        _write_csv(seeds, path)
        _write_csv(frame, records.results / f"{experiment.name}.csv")
    return frame


def seeds_path(results: Path, experiment: str) -> Path:
    """Where the values of each seed are."""
    return results / "seeds" / f"{experiment}.csv"


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Writes a table whole, under a lock that all writers of this folder share."""
    with sole_writer(path.parent):
        _write_csv(frame, path)


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    write_whole(path, lambda part: frame.to_csv(part, index=False, lineterminator="\n"))


def read(path: Path) -> pd.DataFrame:
    """A table as it was written.

    Raises:
        UsageError: the file is no table; the message says how to make it anew.
    """
    try:
        return pd.read_csv(path)
    except ValueError as error:  # as all errors of pandas's parser, and of decoding
        reason = str(error).strip().splitlines()[-1]
        raise UsageError(f"{path} is no table ({reason}): make it anew, by make tables.") from error


def read_of(experiment: Experiment, path: Path) -> pd.DataFrame:
    """An experiment's table as it was written.

    Raises:
        UsageError: the file is none; the message says how to make it anew.
    """
    frame = read(path)
    whole = set(EVERY) <= set(frame)
    numbers = whole and all(pd.api.types.is_numeric_dtype(frame[name]) for name in ("seeds", "diverged", "failed"))
    if not (numbers or (whole and frame.empty)):
        raise UsageError(f"{path} is no table of {experiment.name}: make it anew from its records, by make tables.")
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
    if row.variant in experiment.named and row.dataset == experiment.dataset:
        line |= experiment.named[row.variant].published  # what was printed of one data set says nothing of another
    return line


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with the parts of those that have some: options of the network by their own names."""
    of_model = MODELS[settings["model"]].options if _of_zoo(settings) else {}
    options = settings.get("options")
    flat = {**settings, **of_model, **(options if isinstance(options, dict) else {})}
    distortion = settings.get("distortion")
    for part, value in distortion.items() if isinstance(distortion, dict) else ():
        flat[f"distortion_{part}"] = value
    return flat


def _of_zoo(settings: dict[str, Any]) -> bool:
    return isinstance(settings.get("model"), str) and settings["model"] in MODELS


def _scores(row: Row) -> dict[str, str]:
    """What became of a row, and the score of each seed: of a search, nothing is to be lost."""
    status = next((word for word in ("failed", "diverged") if row.counted[word]), "finished")
    scores = row.values("validation_accuracy")
    words = "; ".join(f"{seed}: {value:.4f}" for seed, value in sorted(scores.items()))
    return {"status": status} | ({"validation_accuracy_by_seed": words} if words else {})


def _compare(
    declaration: Declared,
    rows: list[Row],
    lines: list[dict[str, Any]],
    measure: str,
    pairs: collections.Counter[str],
) -> None:
    """Adds each row's paired difference from its baseline row; Holm's family is all of one measure.

    What `comparison` says is of the measure with the most pairs, which `pairs` counts for each row: of those that not
    all seeds have, or none, it would say too little.
    """
    stem, experiment = f"{measure}_minus_baseline", declaration.experiment
    named: dict[tuple[str, str], list[Row]] = collections.defaultdict(list)
    for row in rows:
        named[row.variant, row.dataset].append(row)
    for row, line in zip(rows, lines, strict=True):
        if row.variant == TRIAL:
            line["comparison"] = "a trial, which is never tested"
            continue
        name = experiment.baseline_of(row.variant)
        if name is None:
            line["comparison"] = "baseline"
            continue
        candidates = named[name, row.dataset]
        baseline = _partner(declaration, row, candidates)
        if baseline is None:
            line["comparison"] = _alone(declaration, row, name) if candidates else "no baseline was run"
            continue
        difference = paired(row.values(measure), baseline.values(measure))
        enough = difference.n >= MIN_SEEDS
        with_own = f" with {name}" if name != experiment.baseline else ""
        said = f"{COMPARED} by seed{with_own}, n={difference.n}"
        if difference.n >= pairs[row.specification]:
            pairs[row.specification] = difference.n
            line["comparison"] = said if enough else f"too few seeds: {difference.n} of at least {MIN_SEEDS}"
        line |= {f"{stem}_{part}": getattr(difference, part) for part in ("mean", "ci95_low", "ci95_high")}
        line |= {f"{stem}_{part}": getattr(difference, part) for part in ("effect_size", "p_value")}
        if measure == "test_error_percent":
            line[MCNEMAR] = _mcnemar(row, baseline)
    for family in _families(declaration, rows, lines, f"{stem}_p_value"):
        for line, adjusted in zip(family, holm([line[f"{stem}_p_value"] for line in family]), strict=True):
            line[f"{stem}_p_value_holm"] = adjusted


def _families(
    declaration: Declared, rows: list[Row], lines: list[dict[str, Any]], column: str
) -> Iterable[list[dict[str, Any]]]:
    """The lines that have this p-value, by the questions that they answer: a correction is of all tests of one.

    One family are the rows of the declared recipes and data sets. Those that deviate alike, as all do after one call
    with EPOCHS, are another, and so are those on a further data set.
    """
    families: dict[tuple[str, str], list[dict[str, Any]]] = collections.defaultdict(list)
    experiment = declaration.experiment
    for row, line in zip(rows, lines, strict=True):
        if column in line:
            searched = line["declared"] or experiment.search  # what a search finds is never as declared
            deviates = "" if searched else in_words(declaration.deviations(row))
            further = "" if row.dataset in experiment.datasets_of(row.variant) else row.dataset
            families[deviates, further].append(line)
    return families.values()


def _partner(declaration: Declared, row: Row, candidates: Sequence[Row]) -> Row | None:
    """The baseline's row that differs from this one in nothing but what the declaration says; None where there is none.

    It deviates as the row does: a row in bfloat16 says nothing beside a baseline in float32.
    """
    if declaration.experiment.search and not declaration.has(row):
        return _partner_of_found(row, candidates)
    ours = declaration.deviations(row)
    if ours is None:
        return None
    for other in candidates:
        theirs = declaration.deviations(other)
        if theirs is not None and _same(_had(theirs), _had(ours)):
            return other
    # What a call sets for all rows, as EPOCHS does, may be what one of the two is declared with.
    return next((other for other in candidates if ours and _agree(declaration, row, other)), None)


def _had(deviations: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {name: ours for name, (ours, _) in deviations.items()}


def _agree(declaration: Declared, row: Row, other: Row) -> bool:
    """Whether two rows have the same of every setting in which either deviates."""
    ours, theirs = _parts(row.settings), _parts(other.settings)
    names = {*(declaration.deviations(row) or ()), *(declaration.deviations(other) or ())}
    return all(_same(ours.get(name), theirs.get(name)) for name in names)


def _partner_of_found(row: Row, candidates: Sequence[Row]) -> Row | None:
    """The default recipe of what a search has found: equal but for what is searched, and no less trained."""
    if not _of_zoo(row.settings):
        return None
    searched = {*space(row.settings["model"]), "options", "epochs"}

    def rest(settings: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in settings.items() if name not in searched}

    same = [other for other in candidates if _same(rest(other.settings), rest(row.settings))]
    enough = [other for other in same if _epochs(other) >= _epochs(row)]
    return min(enough, key=_epochs, default=None)


def _epochs(row: Row) -> float:
    found = row.settings.get("epochs")
    return found if isinstance(found, int | float) else math.nan  # which is no more and no less than any


def _alone(declaration: Declared, row: Row, name: str) -> str:
    """Why a row is compared with none of the baseline's rows."""
    if declaration.experiment.search:
        return f"{name} was not run with the same network, precision and at least as many epochs"
    deviations = declaration.deviations(row)
    if deviations is None:
        return "not compared: declared no more"
    return f"{name} was not run {'with ' + in_words(deviations) if deviations else 'as declared'}"


def _mcnemar(row: Row, baseline: Row) -> float:
    """The share of seeds in which McNemar's p is below 0.05: seeds share their test pictures, so none are pooled."""
    ours, theirs = row.misread(), baseline.misread()
    found = [mcnemar(ours[seed], theirs[seed]) < 0.05 for seed in set(ours) & set(theirs)]
    return sum(found) / len(found) if found else math.nan
