"""The rows of a table before they are written: what a row is made of, and what the declaration says of it."""

import array
import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from cnn_models.zoo import MODELS
from lab.declare.experiment import Experiment
from lab.declare.machine import Devices
from lab.declare.run import Run, canonical, digest
from lab.report.table.starvation import Ending, ending
from lab.report.table.statistics import over_seeds_and_pictures
from lab.store.record import Record

ONE_CPU = str(Devices())


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """What a table keeps of a finished run: a record has ten times as much, and there may be a million.

    Attributes:
        metrics: its measures by name.
        misread: the test pictures that it misread, by what they are misread of: "test", or "test_shift4".
        ending: how its training ended.
        devices: what it computed on, as "cpu:1".
    """

    metrics: dict[str, float]
    misread: "dict[str, array.array[int]]"
    ending: Ending
    devices: str

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
            devices = (record.environment or {}).get("devices", ONE_CPU)
            self.finished[record.seed] = Finished(record.metrics, misread, ending(record), devices)

    def values(self, metric: str) -> dict[int, float]:
        """A metric's value of each seed."""
        if metric in self.derived:
            return dict(self.derived[metric])
        found = ((seed, run.metrics.get(metric)) for seed, run in self.finished.items())
        return {seed: value for seed, value in found if value is not None}

    @property
    def devices(self) -> str:
        """What its finished runs computed on, as "cpu:1, gpu:1"."""
        return ", ".join(sorted({run.devices for run in self.finished.values()}))

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
        self._settings: dict[tuple[str, str], dict[str, Any]] = {}

    def specification(self, variant: str, dataset: str) -> str | None:
        """The specification that the declaration gives a variant; None where it is declared no more."""
        if variant not in self.experiment.named:
            return None
        if (variant, dataset) not in self._digests:
            self._digests[variant, dataset] = digest(self.run(variant, dataset).specification())
        return self._digests[variant, dataset]

    def run(self, variant: str, dataset: str) -> Run:
        """The run of a declared variant with seed 0."""
        return Run(self.experiment.name, variant, dataset, self.experiment.named[variant].settings_on(dataset), 0)

    def has(self, row: Row) -> bool:
        """Whether a row has the recipe that the declaration gives it."""
        return row.specification == self.specification(row.variant, row.dataset)

    def read_by(self, row: Row) -> list[str]:
        """The specifications of the rows whose networks a declared row reads; none where it has another recipe."""
        needed = self.run(row.variant, row.dataset).needs if self.has(row) else ()
        return [digest(run.specification()) for run in needed]

    def deviations(self, row: Row) -> dict[str, tuple[Any, Any]] | None:
        """The settings that a row does not have as declared: what it has, and what is declared.

        None stands for a setting that is absent; instead of all, for a variant that is declared no more.
        """
        if row.variant not in self.experiment.named:
            return None
        key = row.variant, row.dataset
        if key not in self._settings:
            self._settings[key] = each_setting(self.run(*key).specification()["settings"])
        ours, theirs = each_setting(row.settings), self._settings[key]
        both = {name: (ours.get(name), theirs.get(name)) for name in [*theirs, *ours]}
        return {name: values for name, values in both.items() if not same(*values)}


def each_setting(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings one by one, those inside others by both names."""
    parts: dict[str, Any] = {}
    for name, value in settings.items():
        parts |= each_setting(value, f"{prefix}{name}_") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return parts


def same(one: Any, other: Any) -> bool:
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


def of_zoo(settings: Mapping[str, Any]) -> bool:
    """Whether these settings are of a network of the zoo."""
    return isinstance(settings.get("model"), str) and settings["model"] in MODELS
