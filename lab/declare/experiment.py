"""Declarations: an experiment is a question and rows of variants; a run is one row with one seed.

Plain values without a framework. What is impossible is refused here, before anything starts.
"""

import collections
import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cnn_models.names import unknown
from cnn_models.zoo import Takes
from lab.declare.evidence import Evidence
from lab.declare.rates import Rates
from lab.errors import UsageError

FILE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")
TARGET_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_NAME = 100  # characters; a file's name may have 255, and a run's adds its data set, digest, seed and ending
# Other targets of the Makefile and the files that other commands write: an experiment of such a name would be one of
# two that answer to it.
TAKEN = (
    *(
        "bench",
        "check",
        "clean",
        "demo",
        "help",
        "list",
        "lock",
        "quick",
        "ray",
        "report",
        "setup",
        "smoke",
        "summary",
        "tables",
        "test",
    ),
    *("benchmark", "claims", "lab", "minutes", "rates", "runs", "seeds", "statements", "summary"),
)


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row of an experiment.

    Attributes:
        name: unique within the experiment.
        settings: what is done and how: a frozen dataclass of plain values.
        published: numbers from the literature to stand beside ours, by column name, on the experiment's own data set.
        published_on: the same by other data sets' names.
        about: what this row is, in a few words.
        against: the variant it is compared with, paired by seed, where that is not the experiment's baseline.
        dataset: the one data set this row is on, where that is not the experiment's.
        label: what figures call this row; "": its name.
        learning_rates: by data set, where it is not that of its settings.
    """

    name: str
    settings: Any
    about: str = ""
    published: Mapping[str, float] = dataclasses.field(default_factory=dict)
    against: str | None = None
    dataset: str | None = None
    label: str = ""
    learning_rates: Mapping[str, float] = dataclasses.field(default_factory=dict)
    published_on: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)

    def settings_on(self, dataset: str) -> Any:
        """Its settings on a data set."""
        rate = self.learning_rates.get(dataset)
        return self.settings if rate is None else dataclasses.replace(self.settings, learning_rate=rate)


ANYTHING = Takes()
TRIAL = "trial"  # the variant that all trials of searches are, and no declared one


@dataclasses.dataclass(frozen=True)
class Tuning:
    """A search that finds the recipes of an experiment's rows before they are run, see `lab.declare.search`.

    Attributes:
        start: name of the row it sets out from, with which what it finds is compared.
        found: names of the rows that the best recipes become, best first.
        epochs: the most passes over the training split that a trial may take.
        seeds: runs a trial.
    """

    start: str
    found: tuple[str, ...]
    epochs: int
    seeds: int = 1


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A question, how it is asked, and what is expected.

    Attributes:
        name: the one name of its target, module, table, figure and test.
        question: in one sentence.
        expectation: what the lecture or the literature says should come out.
        sources: papers and slides.
        variants: the rows.
        dataset: name of the data set, unless the user names another; or, of an experiment that trains
            nothing, a word for what it looks at.
        also_on: further data sets, each with all the rows. In claims, a row on one of these is called
            "VARIANT on DATASET".
        seeds: how many runs a row has, unless the user says otherwise.
        baseline: the variant that others are compared with, paired by seed, on the same data; or None.
        compared: the measures that are compared.
        derived: `module.function` that computes further measures of a row, by seed, from several rows' records, see
            `lab.report.table.tables.Derive`; or nothing.
        evidence: how its table bears on the lecture's claims.
        work: `module.Class` of the `lab.declare.work.Work` that does a run.
        columns: columns of the printed table, in order; none: see `lab.report.table.tables.shown`.
        figure: `module.function` that draws it, see `lab.report.draw.figures.draw`.
        figure_options: its keyword arguments.
        reading: how to read its table and figure: what was measured of what.
        takes: what pictures and classes its work can take, beside what its rows' networks and recipes say.
        in_memory: whether its work needs the training pictures as arrays, so that it takes no data set of any size.
        takes_pairs: whether it also takes a folder of a user's own pairs of pictures, see `lab.data.pairs`.
        reads_runs: whether its runs read what other runs left beside their records, so that all have to be here.
        surprises: what surprised in our own runs, kept in results/reference, and what came of looking into it.
        search: a search that finds recipes for its rows; None: its rows are run as they are declared.
        budget: whether how much training it takes is the question, so that rows are evidence though more training
            would improve them.
        rates: the grid of learning rates from which each row's was chosen on validation pictures; None: none was.
    """

    name: str
    question: str
    expectation: str
    sources: tuple[str, ...]
    variants: tuple[Variant, ...]
    dataset: str = "mnist"
    also_on: tuple[str, ...] = ()
    seeds: int = 5
    baseline: str | None = None
    compared: tuple[str, ...] = ("test_error_percent",)
    derived: str = ""
    evidence: tuple[Evidence, ...] = ()
    work: str = "lab.learn.training.TrainingWork"
    columns: tuple[str, ...] = ()
    figure: str = "lab.report.draw.figures.error_by_variant"
    figure_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    takes: Takes = ANYTHING
    in_memory: bool = False
    takes_pairs: bool = False
    reads_runs: bool = False
    reading: str = ""
    surprises: str = ""
    search: Tuning | None = None
    rates: Rates | None = None
    budget: bool = False

    def __post_init__(self) -> None:
        self._refuse_single_words()
        _refuse_experiment_name(self.name)
        names = collections.Counter(variant.name for variant in self.variants)
        if twice := {name for name, count in names.items() if count > 1}:
            raise UsageError(f"{self.name}: variant names must be unique, these are not: {', '.join(sorted(twice))}.")
        _refuse_row_names(self.name, self.rows)
        for dataset in self.datasets:
            _refuse_as_file_name(f"{self.name}: the data set", dataset.partition(":")[0])
        for baseline in (self.baseline, *(variant.against for variant in self.variants)):
            if baseline is not None and baseline not in names:
                raise UsageError(f"{self.name}: its baseline '{baseline}' is none of its variants.")
        for name in self.rates.named if self.rates else ():
            if name not in names:
                raise UsageError(f"{self.name}: its learning rates name '{name}', which is none of its variants.")
        if self.dataset in self.also_on or len(set(self.also_on)) < len(self.also_on):
            raise UsageError(f"{self.name}: a data set is named twice: {', '.join((self.dataset, *self.also_on))}.")

    def _refuse_single_words(self) -> None:
        """`("mnist")` is a word and no tuple, and would be taken letter by letter."""
        for field in ("sources", "variants", "also_on", "compared", "evidence", "columns"):
            if not isinstance(value := getattr(self, field), tuple):
                raise UsageError(
                    f"{self.name}: {field} is a tuple, so that one alone has a comma after it; got {value!r}."
                )

    @property
    def trains(self) -> bool:
        """Whether any of its rows trains a network."""
        return bool(self.search) or any(hasattr(variant.settings, "epochs") for variant in self.variants)

    @property
    def datasets(self) -> tuple[str, ...]:
        """All the data sets its rows are declared on, the first being the one without a name in claims."""
        own = (variant.dataset for variant in self.variants if variant.dataset)
        return tuple(dict.fromkeys((self.dataset, *self.also_on, *own)))

    @functools.cached_property
    def named(self) -> dict[str, Variant]:
        """The declared variants by name."""
        return {variant.name: variant for variant in self.variants}

    def datasets_of(self, name: str) -> tuple[str, ...]:
        """The data sets a variant is declared on, the first being the one without a name in claims."""
        own = self.named.get(name)
        return (own.dataset,) if own and own.dataset else (self.dataset, *self.also_on)

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of its rows, in order: those that are declared, and those that its search will find."""
        found = self.search.found if self.search else ()
        return tuple(dict.fromkeys([*(variant.name for variant in self.variants), *found]))

    def baseline_of(self, name: str) -> str | None:
        """The variant that this one is compared with; None where there is none, or it is that variant itself."""
        own = self.named.get(name)
        baseline = (own and own.against) or self.baseline
        return None if baseline == name else baseline

    def select(self, names: Sequence[str] | None) -> tuple[Variant, ...]:
        """The variants with these names, in the order of the declaration; all where none are named.

        What a search has yet to find may be named too, and is left out.
        """
        known = dict.fromkeys(self.rows)
        for name in names or ():
            if name not in known:
                raise UsageError(unknown(f"variant of {self.name}", name, known))
        return tuple(variant for variant in self.variants if not names or variant.name in names)


def _refuse_experiment_name(name: str) -> None:
    if not isinstance(name, str) or not TARGET_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UsageError(
            f"The experiment's name {name!r} must be a target of make: words of a to z and 0 to 9 with a hyphen "
            f"between them, at most {LONGEST_NAME} characters, as 'my-question'."
        )
    if name in TAKEN:
        raise UsageError(f"An experiment cannot be called '{name}': another target or file has this name.")


def _refuse_row_names(experiment: str, names: Iterable[str]) -> None:
    """Raises a UsageError where a row's name cannot begin the name of a file, on any disk."""
    seen: dict[str, str] = {}
    for name in names:
        _refuse_as_file_name(f"{experiment}: the variant", name)
        if name.lower() == TRIAL:
            raise UsageError(f"{experiment}: a variant cannot be called '{name}': trials of searches are.")
        if name.lower() in seen:
            raise UsageError(
                f"{experiment}: the variants '{seen[name.lower()]}' and '{name}' differ in capitals alone, and so "
                "share their files on some disks; name one of them otherwise."
            )
        seen[name.lower()] = name


def _refuse_as_file_name(what: str, name: str) -> None:
    if not isinstance(name, str) or not FILE_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UsageError(
            f"{what} {name!r} names files, so its name must be of letters a to z and A to Z, digits and - _ + . with "
            f"a letter or digit first, no dot last, and at most {LONGEST_NAME} characters."
        )
