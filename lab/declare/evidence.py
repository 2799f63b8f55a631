"""Verdicts: what an experiment's table says of a claim. Computed from the table, never typed.

A claim is taken apart into statements that a table can bear out or refute, each judged on its 95 %
interval: it *holds* or *fails* where the whole interval says so, and is *undecided* where it does
not; an exact fact has no interval, and holds or fails. All hold: reproduced. All fail:
contradicted. Else: partly. Only rows of the declared recipe on the declared data set count: a quick
look is no evidence. Where such a row is missing the claim is not judged, and the words say why.
"""

import dataclasses
import enum
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


MIN_SEEDS = 3  # fewer runs than this are shown, but neither tested nor judged
NOT_JUDGED = "not judged"  # attribute of a table of judged rows: why others are not among them, by name
COMPARED = "paired"  # how a row's `comparison` begins where it was compared with its baseline


class Outcome(enum.Enum):
    """What a table says of one statement."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"
    MISSING = "not judged"


@dataclasses.dataclass(frozen=True)
class Finding:
    """The outcome of one statement, and the numbers it rests on, in words."""

    outcome: Outcome
    numbers: str


@dataclasses.dataclass(frozen=True)
class Part:
    """One statement that makes up a claim.

    Attributes:
        statement: what should be so, in English.
        judge: reads it off the table, whose rows are indexed by variant.
    """

    statement: str
    judge: "Callable[[pd.DataFrame], Finding]"


@dataclasses.dataclass(frozen=True)
class Evidence:
    """How an experiment bears on a claim.

    Attributes:
        claim: its name in the ledger.
        parts: the statements, judged one by one.
        reproduced_if, contradicted_if: the outcomes that would decide, fixed before the runs.
        literature_for, literature_against: what others found.
    """

    claim: str
    parts: tuple[Part, ...]
    reproduced_if: str
    contradicted_if: str
    literature_for: str = ""
    literature_against: str = ""


@dataclasses.dataclass(frozen=True)
class AtMost:
    """Holds where a variant's mean is at most `bound`, its whole interval included."""

    variant: str
    measure: str
    bound: float
    unit: str = ""

    def __call__(self, table: "pd.DataFrame") -> Finding:
        """Reads `<measure>_ci95_*` of the variant's row."""
        return _judge(table, self.variant, self.measure, self.bound, self.unit, below=True)


@dataclasses.dataclass(frozen=True)
class AtLeast:
    """Holds where a variant's mean is at least `bound`, its whole interval included."""

    variant: str
    measure: str
    bound: float
    unit: str = ""

    def __call__(self, table: "pd.DataFrame") -> Finding:
        """Reads `<measure>_ci95_*` of the variant's row."""
        return _judge(table, self.variant, self.measure, self.bound, self.unit, below=False)


@dataclasses.dataclass(frozen=True)
class FactAtMost:
    """Holds where an exact column of a variant is at most `bound`: it has no spread, so one run is enough."""

    variant: str
    column: str
    bound: float
    unit: str = ""

    def __call__(self, table: "pd.DataFrame") -> Finding:
        """Reads the column of the variant's row."""
        return _judge_fact(table, self.variant, self.column, self.unit, lambda value: value <= self.bound)


@dataclasses.dataclass(frozen=True)
class FactAtLeast:
    """Holds where an exact column of a variant is at least `bound`: it has no spread, so one run is enough."""

    variant: str
    column: str
    bound: float
    unit: str = ""

    def __call__(self, table: "pd.DataFrame") -> Finding:
        """Reads the column of the variant's row."""
        return _judge_fact(table, self.variant, self.column, self.unit, lambda value: value >= self.bound)


@dataclasses.dataclass(frozen=True)
class MoreThanBaseline:
    """Holds where a variant has more than the experiment's baseline, paired by seed, by over `margin`."""

    variant: str
    measure: str
    margin: float = 0.0
    unit: str = ""

    def __call__(self, table: "pd.DataFrame") -> Finding:
        """Reads `<measure>_minus_baseline_ci95_*` of the variant's row."""
        measure = f"{self.measure}_minus_baseline"
        return _judge(table, self.variant, measure, self.margin, self.unit, below=False)


@dataclasses.dataclass(frozen=True)
class Above:
    """Holds where a variant has over `margin` more than another, the nearest ends of their intervals included."""

    variant: str
    than: str
    measure: str
    margin: float = 0.0
    unit: str = ""

    def __call__(self, table: "pd.DataFrame") -> Finding:
        """Reads `<measure>_ci95_*` of both rows; unpaired, so it errs on the side of "undecided"."""
        ours, theirs = (_interval(table, name, self.measure) for name in (self.variant, self.than))
        if isinstance(ours, Finding):
            return ours
        if isinstance(theirs, Finding):
            return theirs
        low, high = ours.low - theirs.high, ours.high - theirs.low
        numbers = (
            f"{self.variant} {ours.mean:.2f} and {self.than} {theirs.mean:.2f}: [{low:.2f}, {high:.2f}]{self.unit}"
        )
        outcome = Outcome.HOLDS if low >= self.margin else Outcome.FAILS if high < self.margin else Outcome.UNDECIDED
        return Finding(outcome, f"{numbers}, n={ours.n}")


@dataclasses.dataclass(frozen=True)
class TimesAbove:
    """Holds where a variant has over `times` what another has, the nearest ends of their intervals included."""

    variant: str
    than: str
    measure: str
    times: float

    def __call__(self, table: "pd.DataFrame") -> Finding:
        """Reads `<measure>_ci95_*` of both rows; unpaired, so it errs on the side of "undecided"."""
        ours, theirs = (_interval(table, name, self.measure) for name in (self.variant, self.than))
        if isinstance(ours, Finding):
            return ours
        if isinstance(theirs, Finding):
            return theirs
        holds, fails = ours.low > self.times * theirs.high, ours.high < self.times * theirs.low
        numbers = " against ".join(f"{one.mean:,.0f} [{one.low:,.0f}, {one.high:,.0f}]" for one in (ours, theirs))
        outcome = Outcome.HOLDS if holds else Outcome.FAILS if fails else Outcome.UNDECIDED
        return Finding(outcome, f"{numbers}, n={ours.n}")


@dataclasses.dataclass(frozen=True)
class Every:
    """Holds where all of these rules hold, fails where one of them fails."""

    rules: "tuple[Callable[[pd.DataFrame], Finding], ...]"

    def __call__(self, table: "pd.DataFrame") -> Finding:
        """Applies each."""
        findings = [rule(table) for rule in self.rules]
        found = {finding.outcome for finding in findings}
        order = (Outcome.MISSING, Outcome.FAILS, Outcome.UNDECIDED, Outcome.HOLDS)
        return Finding(next(each for each in order if each in found), ", ".join(f.numbers for f in findings))


@dataclasses.dataclass(frozen=True)
class Equals:
    """Holds where a fact of a variant, the same for every seed, is exactly this number."""

    variant: str
    column: str
    value: float

    def __call__(self, table: "pd.DataFrame") -> Finding:
        """Reads the column of the variant's row."""
        return _judge_fact(table, self.variant, self.column, "", lambda value: value == self.value)


def why_missing(table: "pd.DataFrame", variant: str) -> str:
    """Why a row is not among those that are judged, in words."""
    return str(table.attrs.get(NOT_JUDGED, {}).get(variant, f"{variant} was not run"))


def _lost(row: "pd.Series | pd.DataFrame") -> str:
    """How many runs of a row came to nothing, in brackets; nothing where none did."""
    counts = [f"{row[word]} {word}" for word in ("diverged", "failed") if str(row.get(word, 0)) != "0"]
    return f" ({', '.join(counts)})" if counts else ""


@dataclasses.dataclass(frozen=True)
class _Interval:
    mean: float
    low: float
    high: float
    n: int


def _interval(table: "pd.DataFrame", variant: str, measure: str) -> _Interval | Finding:
    """A row's mean and 95 % interval, or why there is none."""
    if variant not in table.index:
        return Finding(Outcome.MISSING, why_missing(table, variant))
    row = table.loc[variant]
    n = int(str(row["seeds"]))
    if n < MIN_SEEDS:
        return Finding(Outcome.MISSING, f"{variant}: too few seeds, {n} of at least {MIN_SEEDS}{_lost(row)}")
    comparison = str(row.get("comparison", COMPARED))
    if measure.endswith("_minus_baseline") and not comparison.startswith(COMPARED):
        return Finding(Outcome.MISSING, f"{variant}: {comparison}")
    values = (row.get(f"{measure}_{part}", math.nan) for part in ("mean", "ci95_low", "ci95_high"))
    mean, low, high = (float(str(value)) for value in values)
    if math.isnan(mean):
        return Finding(Outcome.MISSING, f"{variant}: {measure.replace('_', ' ')} was not measured")
    if math.isnan(low):  # of a difference: one seed that both have
        return Finding(Outcome.MISSING, f"{variant}: {measure.replace('_', ' ')} is known of one seed alone")
    return _Interval(mean, low, high, n)


def _judge(table: "pd.DataFrame", variant: str, measure: str, bound: float, unit: str, below: bool) -> Finding:
    found = _interval(table, variant, measure)
    if isinstance(found, Finding):
        return found
    numbers = f"{variant} {found.mean:.2f}{unit} [{found.low:.2f}, {found.high:.2f}], n={found.n}"
    certain, against = (found.high <= bound, found.low > bound) if below else (found.low >= bound, found.high < bound)
    outcome = Outcome.HOLDS if certain else Outcome.FAILS if against else Outcome.UNDECIDED
    return Finding(outcome, numbers)


def _judge_fact(table: "pd.DataFrame", variant: str, column: str, unit: str, holds: Callable[[float], bool]) -> Finding:
    if variant not in table.index:
        return Finding(Outcome.MISSING, why_missing(table, variant))
    row = table.loc[variant]
    value = float(str(row.get(column, math.nan)))
    name = f"{variant}: {column.replace('_', ' ')}"
    if math.isnan(value) or not int(str(row["seeds"])):
        return Finding(Outcome.MISSING, f"{name} was not measured{_lost(row)}")
    return Finding(Outcome.HOLDS if holds(value) else Outcome.FAILS, f"{name} {_number(value)}{unit}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:.3g}"
