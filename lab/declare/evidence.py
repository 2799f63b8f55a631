"""Evidence: the statements that decide a claim, as plain data, and the sentence that answers it.

A statement bounds a quantity of the experiment's table. *Core* statements are what the slide itself
says, and they alone decide the verdict. *Limits* say where the claim stops holding; they are reported
beside it. An *identity* cannot come out otherwise, unless the code is wrong: it is checked, not measured.
`lab.report.answers.judge` judges all of them.
"""

import dataclasses
from collections.abc import Mapping

MIN_SEEDS = 3  # fewer runs than this are shown, but neither tested nor judged
NOT_JUDGED = "not judged"  # attribute of a table of judged rows: why others are not among them, by name
COMPARED = "paired"  # how a row's `comparison` begins where it was compared with its baseline


class Quantity:
    """A number of an experiment's table, which a statement bounds and an answer quotes.

    Attributes:
        variant: name of the row; "VARIANT on DATASET" where the data set is not the row's first.
        measure: what is read of it, without the ending of its columns.
    """

    variant: str
    measure: str

    def at_most(self, value: float) -> "Bound":
        """It is no more than this."""
        return Bound(self, "<=", value)

    def at_least(self, value: float) -> "Bound":
        """It is no less than this."""
        return Bound(self, ">=", value)

    def below(self, value: float) -> "Bound":
        """It is less than this."""
        return Bound(self, "<", value)

    def above(self, value: float) -> "Bound":
        """It is more than this."""
        return Bound(self, ">", value)

    def equals(self, value: float) -> "Bound":
        """It is exactly this."""
        return Bound(self, "==", value)


@dataclasses.dataclass(frozen=True)
class Fact(Quantity):
    """A measure that is the same for every seed, so one run is enough and there is no interval."""

    variant: str
    measure: str


@dataclasses.dataclass(frozen=True)
class Mean(Quantity):
    """The mean of a measure over seeds."""

    variant: str
    measure: str


@dataclasses.dataclass(frozen=True)
class Comparison(Quantity):
    """A measure of a row beside that of another, `than`, each seed with itself."""

    variant: str
    than: str
    measure: str


class Difference(Comparison):
    """The mean over seeds of `variant` minus `than`."""


class Ratio(Comparison):
    """The mean over seeds of `variant` divided by `than`."""


@dataclasses.dataclass(frozen=True)
class Bound:
    """A quantity compared with a value. `relation`: one of <, <=, ==, >=, >."""

    of: Quantity
    relation: str
    value: float


@dataclasses.dataclass(frozen=True, init=False)
class Statement:
    """Something that the table decides: it holds where all its bounds hold.

    Attributes:
        words: what should be so, a sentence that can stand alone.
        bounds: one or more.
    """

    words: str
    bounds: tuple[Bound, ...]

    def __init__(self, words: str, *bounds: Bound) -> None:
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "bounds", bounds)


class Identity(Statement):
    """A statement that is true by construction: the table checks it against an independent computation."""


@dataclasses.dataclass(frozen=True, init=False)
class Answer:
    """The claim's answer: a sentence with places for quantities, `str.format`'s `{name}`.

    `{name}` becomes the value with its unit and interval, `{name:value}` the value with its unit, and
    `{name:pictures}` the value with two intervals: over seeds, and over seeds and test pictures.
    The sentence says numbers, not whether they are good: it has to be true however they come out.
    """

    template: str
    quantities: Mapping[str, Quantity]

    def __init__(self, template: str, **quantities: Quantity) -> None:
        object.__setattr__(self, "template", template)
        object.__setattr__(self, "quantities", quantities)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """How an experiment bears on a claim.

    Attributes:
        claim: the claim's name, see `lab.declare.claims`.
        answer: the sentence that answers it.
        checked: how it was checked, in a sentence or two.
        core: the statements that decide: what the slide says.
        limits: where the claim stops holding, each a statement that holds where the limit is found.
        rules: when these statements were set, and what was changed after numbers had been seen.
        literature_for, literature_against: what others found.
    """

    claim: str
    answer: Answer
    checked: str
    core: tuple[Statement, ...]
    limits: tuple[Statement, ...] = ()
    rules: str = (
        "Bounds were set before the runs. Which statements decide and which are limits, and that networks are compared "
        "seed by seed, was decided after the results had been seen."
    )
    literature_for: str = ""
    literature_against: str = ""
