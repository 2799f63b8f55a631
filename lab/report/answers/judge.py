"""Judging: whether a statement holds, by an experiment's rows, and what that makes of a claim.

A statement about means holds or fails where the whole 95 % interval says so, and is undecided where
it does not. An exact fact has no interval: it holds or fails.
"""

import dataclasses
import enum
import math
from collections.abc import Iterable, Sequence

from lab.declare.evidence import (
    MIN_SEEDS,
    Answer,
    Bound,
    Comparison,
    Difference,
    Evidence,
    Fact,
    Identity,
    Mean,
    Quantity,
    Ratio,
    Statement,
)
from lab.report.answers.evidence_rows import NotJudged, Rows, words_of
from lab.report.language import Number, Said, joined
from lab.report.table.statistics import pairs, summarise


class Outcome(enum.Enum):
    """What a table says of a statement."""

    HOLDS = "holds"
    LESS = "less than the margin"
    REVERSED = "reversed"
    FAILS = "fails"
    UNDECIDED = "undecided"
    MISSING = "not judged"


FAILURES = {Outcome.LESS, Outcome.REVERSED, Outcome.FAILS}


class Verdict(enum.Enum):
    """What a claim comes to."""

    CONSTRUCTED = "true by construction"
    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    MIXED = "mixed"
    UNDECIDED = "undecided"
    NOT_JUDGED = "not judged"


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A quantity's value.

    Attributes:
        mean: the value.
        low, high: the 95 % interval over seeds; the value itself for a fact.
        seeds: how many it rests on; 0 for a fact.
        unit: with its space, such as " %".
        pictures: the 95 % interval over seeds and test pictures, where the table has one.
    """

    mean: float
    low: float
    high: float
    seeds: int
    unit: str = ""
    pictures: tuple[float, float] | None = None

    def said(self, spec: str = "") -> Said:
        """For reading, in any language; `spec` as in `lab.declare.evidence.Answer`."""
        value = Said(f"{{number}}{self.unit}", number=self._number(self.mean))
        if not self.seeds or spec == "value":
            return value
        seeds = self._ends((self.low, self.high))
        if spec != "pictures" or self.pictures is None:
            return Said("{value} [{seeds}]", value=value, seeds=seeds)
        return Said(
            "{value} [{seeds} over seeds; {pictures} over seeds and pictures]",
            value=value,
            seeds=seeds,
            pictures=self._ends(self.pictures),
        )

    def _ends(self, ends: tuple[float, float]) -> Said:
        low, high = map(self._number, ends)
        return Said("{low}, {high}", low=low, high=high)

    def _number(self, value: float) -> Number:
        """Rounded so that the half-width of the interval keeps one digit; without an interval, to two decimals.

        What is rounded to 0 has no sign: -0.02 is 0 in [0, 10].
        """
        half = (self.high - self.low) / 2
        if half > 0:
            return Number(f"{value:z,.{max(0, -math.floor(math.log10(half)))}f}")
        if float(value).is_integer():
            return Number(f"{value:,.0f}")
        return Number(f"{value:.2g}" if abs(value) < 0.01 else f"{value:,.2f}")


@dataclasses.dataclass(frozen=True)
class Compared:
    """A bound with what the rows say of it.

    Attributes:
        bound: which one.
        outcome: what came out.
        found: the quantity; None where it is not judged.
        reason: why it is not; nothing where it is.
    """

    bound: Bound
    outcome: Outcome
    found: Estimate | None = None
    reason: str = ""

    @property
    def numbers(self) -> str:
        """The quantity with its name, or why it is not judged."""
        if self.found is None:
            return self.reason
        what, found, seeds = named(self.bound.of), self.found, self.found.seeds
        if not seeds:
            return Said("{what} {found}", what=what, found=found)
        return Said("{what} {found}, n={seeds}", what=what, found=found, seeds=seeds)


@dataclasses.dataclass(frozen=True)
class Finding:
    """What the rows say of one statement.

    Attributes:
        statement: which one.
        outcome: what came out.
        compared: its bounds, each with what came out.
    """

    statement: Statement
    outcome: Outcome
    compared: tuple[Compared, ...] = ()

    @property
    def numbers(self) -> str:
        """What it rests on, or why it is not judged, in words."""
        return self._joined([one.numbers for one in self._telling])

    @property
    def values(self) -> str:
        """The numbers alone, for who reads the statement beside them; nothing where it is not judged."""
        return self._joined([one.found.said() for one in self._telling if one.found is not None])

    @property
    def _telling(self) -> list[Compared]:
        return [one for one in self.compared if one.outcome is self.outcome or self.outcome is not Outcome.MISSING]

    def _joined(self, texts: list[str]) -> str:
        """Of many bounds that hold, the number and the ends."""
        texts = list(dict.fromkeys(texts))
        many = len(texts) > 4 and self.outcome is Outcome.HOLDS
        if not many:
            return joined(texts, "; ")
        return Said("all {count}, from {first} to {last}", count=len(texts), first=texts[0], last=texts[-1])


def estimate(quantity: Quantity, rows: Rows) -> Estimate:
    """A quantity by an experiment's rows.

    Raises:
        NotJudged: the rows do not give it; the message says why.
    """
    if isinstance(quantity, Fact):
        value = rows.fact(quantity.variant, quantity.measure)
        return Estimate(value, value, value, 0, unit(quantity))
    values = list(_by_seed(quantity, rows))
    if len(values) < MIN_SEEDS:
        lost = joined([rows.lost(variant) for variant in _variants(quantity)], "")
        reason = Said(
            "{who}: too few seeds, {count} of at least {least}{lost}",
            who=_who(quantity),
            count=len(values),
            least=MIN_SEEDS,
            lost=lost,
        )
        raise NotJudged(reason)
    found = summarise(values)
    pictures = rows.over_pictures(quantity.variant, quantity.measure) if isinstance(quantity, Mean) else None
    return Estimate(found.mean, found.ci95_low, found.ci95_high, found.n, unit(quantity), pictures)


def _by_seed(quantity: Quantity, rows: Rows) -> Iterable[float]:
    """A quantity's value of each seed."""
    ours, *others = (rows.values(variant, quantity.measure) for variant in _variants(quantity))
    if not others:
        return ours.values()
    both = pairs(ours, *others)
    if isinstance(quantity, Difference):
        return [one - other for one, other in both]
    return [one / other for one, other in both if other]  # no ratio to nothing


def _variants(quantity: Quantity) -> tuple[str, ...]:
    return (quantity.variant, quantity.than) if isinstance(quantity, Comparison) else (quantity.variant,)


def unit(quantity: Quantity) -> str:
    """The unit of a quantity with its space, by the name of what is measured."""
    if isinstance(quantity, Ratio):
        return " times"
    percent = " points" if isinstance(quantity, Difference) else " %"
    units = {"percent": percent, "pixels": " pixels", "seconds": " s", "needed": " examples"}
    return units.get(quantity.measure.rpartition("_")[2], "")


def named(quantity: Quantity) -> Said:
    """A quantity for reading, such as "none − max: test error"."""
    return Said("{who}: {measure}", who=_who(quantity), measure=measure_words(quantity))


def measure_words(quantity: Quantity) -> Said:
    """What is measured, in words, without its unit."""
    return words_of(quantity.measure.removesuffix("_percent").removesuffix("_pixels"))


def _who(quantity: Quantity) -> str:
    return (" / " if isinstance(quantity, Ratio) else " − ").join(_variants(quantity))


def judge(statement: Statement, rows: Rows) -> Finding:
    """What the rows say of a statement: it holds where all bounds hold, and fails where one fails."""
    compared = tuple(_compared(bound, rows) for bound in statement.bounds)
    outcomes = [one.outcome for one in compared]
    order = (Outcome.MISSING, *(each for each in Outcome if each in FAILURES), Outcome.UNDECIDED, Outcome.HOLDS)
    return Finding(statement, next(each for each in order if each in outcomes), compared)


def _compared(bound: Bound, rows: Rows) -> Compared:
    """A bound with the quantity that it bounds."""
    try:
        found = estimate(bound.of, rows)
    except NotJudged as reason:
        return Compared(bound, Outcome.MISSING, reason=reason.reason)
    return Compared(bound, _outcome(bound, found), found)


def _outcome(bound: Bound, found: Estimate) -> Outcome:
    """An interval beside a bound."""
    low, high, value = found.low, found.high, bound.value
    holds, fails = {
        "<": (high < value, low >= value),
        "<=": (high <= value, low > value),
        "==": (low == high == value, high < value or low > value or not found.seeds),
        ">=": (low >= value, high < value),
        ">": (low > value, high <= value),
    }[bound.relation]
    if holds:
        return Outcome.HOLDS
    return _failure(bound, found) if fails else Outcome.UNDECIDED


def _failure(bound: Bound, found: Estimate) -> Outcome:
    """How a comparison of two arms fails: the other one has more, or this one has, but by less than the margin."""
    if not isinstance(bound.of, Comparison):
        return Outcome.FAILS
    equal = 0.0 if isinstance(bound.of, Difference) else 1.0
    more = bound.relation in (">", ">=")
    if found.high < equal if more else found.low > equal:
        return Outcome.REVERSED
    return Outcome.LESS if (found.low > equal if more else found.high < equal) else Outcome.FAILS


def verdict(findings: Sequence[Finding]) -> Verdict:
    """What core statements make of a claim.

    An identity that holds decides nothing where something is measured; one that does not hold fails as
    any other statement does.
    """
    outcomes = [finding.outcome for finding in findings]
    if not outcomes or Outcome.MISSING in outcomes:
        return Verdict.NOT_JUDGED
    identities = [isinstance(finding.statement, Identity) for finding in findings]
    if all(identities) and set(outcomes) == {Outcome.HOLDS}:
        return Verdict.CONSTRUCTED
    telling = {
        outcome
        for outcome, identity in zip(outcomes, identities, strict=True)
        if not (identity and outcome is Outcome.HOLDS)
    }
    failed = telling & FAILURES
    if telling == {Outcome.HOLDS}:
        return Verdict.REPRODUCED
    if telling == failed:
        return Verdict.CONTRADICTED
    return Verdict.MIXED if failed and Outcome.HOLDS in telling else Verdict.UNDECIDED


@dataclasses.dataclass(frozen=True)
class Judged:
    """One experiment's say on a claim.

    Attributes:
        experiment: its name.
        evidence: what it declares.
        core, limits: what its rows say of each statement.
        answer: the claim's sentence with its numbers; nothing where one of them is missing.
    """

    experiment: str
    evidence: Evidence
    core: tuple[Finding, ...]
    limits: tuple[Finding, ...]
    answer: str

    @property
    def verdict(self) -> Verdict:
        """By this experiment alone."""
        return verdict(self.core)

    @property
    def reason(self) -> str:
        """Why it is not judged; nothing where it is."""
        missing = [finding.numbers for finding in self.core if finding.outcome is Outcome.MISSING]
        return joined(list(dict.fromkeys(missing)), "; ")


def judged(experiment: str, evidence: Evidence, rows: Rows) -> Judged:
    """What an experiment's rows say of a claim."""
    core = tuple(judge(statement, rows) for statement in evidence.core)
    limits = tuple(judge(statement, rows) for statement in evidence.limits)
    return Judged(experiment, evidence, core, limits, filled(evidence.answer, rows))


def filled(answer: Answer, rows: Rows) -> str:
    """An answer's sentence with its numbers; nothing where the rows lack one of them."""
    try:
        numbers = {name: estimate(quantity, rows) for name, quantity in answer.quantities.items()}
    except NotJudged:
        return ""
    return Said(answer.template, **numbers)
