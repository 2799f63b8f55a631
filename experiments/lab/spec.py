"""Declarations: an experiment is a question and rows of variants; a run is one row with one seed.

Plain values without a framework. What is impossible is refused here, before anything starts.
"""

import collections
import dataclasses
import functools
import hashlib
import importlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cnn_models.search import known_options
from cnn_models.zoo import MODELS, Takes, unknown
from experiments.lab.claims import Evidence


class UsageError(ValueError):
    """What the user asked for cannot be done; the message says why and what to do. Exit code 2."""


class Unavailable(Exception):
    """A run needs what another experiment has yet to give; the message says which. It is skipped."""


FILE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")
TARGET_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_NAME = 100  # characters; a file's name may have 255, and a run's adds its data set, digest, seed and ending
# Other targets of the Makefile and the files that other commands write: an experiment of such a name would be one of
# two that answer to it.
TAKEN = (
    *("bench", "check", "clean", "demo", "help", "list", "lock", "ray", "report", "setup", "smoke", "tables", "test"),
    *("benchmark", "claims", "lab", "runs"),
)


@dataclasses.dataclass(frozen=True)
class Outline:
    """What is known of a data set before it is there.

    Attributes:
        name: the data set's name.
        shape: height, width and channels of one picture.
        classes: number of classes.
        size: pictures in the training split; None where only the files say it.
        stored: whether the training split stays in files, see `lab.stored`.
    """

    name: str
    shape: tuple[int, int, int]
    classes: int
    size: int | None
    stored: bool = False


@dataclasses.dataclass(frozen=True)
class Distortion:
    """Random affine distortion of each training picture, drawn anew each time it is shown.

    Attributes:
        rotation_degrees: largest rotation, either way.
        scale: largest relative change of size, each axis on its own (0.1: 0.9 to 1.1 times).
        shear: largest shear (0.1: a tenth of a pixel sideways for a pixel down).
        shift_pixels: largest shift along each axis.
    """

    rotation_degrees: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift_pixels: float = 0.0


POSITIONS = ("centre", "left", "everywhere")


@dataclasses.dataclass(frozen=True)
class Canvas:
    """A larger black canvas on which each picture lies somewhere, whole.

    Attributes:
        side: height and width of the canvas, pixels.
        positions: where pictures lie in training, validation and test: all in the "centre", in the
            "left" half (their middle is left of the canvas's, at any height), or "everywhere".
        moving: a training picture lies somewhere else each time it is shown; otherwise it keeps the
            one place that the run's seed drew for it. Validation and test pictures never move.
        object_side: pictures are scaled to this height and width first; None: they keep their size.
    """

    side: int = 56
    positions: str = "everywhere"
    moving: bool = False
    object_side: int | None = None

    def __post_init__(self) -> None:
        if self.positions not in POSITIONS:
            raise UsageError(unknown("positions", self.positions, dict.fromkeys(POSITIONS)))
        if not 0 < (self.object_side or 1) <= self.side:
            raise UsageError(f"A picture of {self.object_side} pixels does not fit on a canvas of {self.side}.")


SPLITS = ("search", "final")
PRECISIONS = ("float32", "float64", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True)
class Training:
    """How a network of the zoo is trained and what is measured of it.

    Attributes:
        model: name in `cnn_models.MODELS`.
        epochs: passes over the training split.
        batch_size: pictures a step, over all devices together.
        learning_rate: the peak of a one-cycle schedule (linear warm-up, cosine down to zero).
        warmup: share of all steps spent warming up.
        weight_decay: of AdamW, on kernels only.
        distortion: random distortion of training pictures, or None.
        rubbish_penalty: None for cross-entropy; else the constant j of LeCun 1998, equation 9, see
            `cnn_models.losses.MapCriterion`.
        test_shifts: also measure accuracy on the test set with every picture shifted by a fixed
            random offset of up to this many pixels along each axis.
        consistency_shift: also measure how often two random shifts of a test picture, of up to this
            many pixels along each axis, get the same class (shift consistency, Zhang 2019).
        examples: learn from this many pictures only: a stratified choice by the run's seed, of which
            a smaller one is a part; None: from all.
        steps_per_epoch: optimizer steps an epoch, in which pictures come again in a new order when
            all were shown; None: one pass.
        canvas: put each picture on a larger canvas, or None.
        field_layer: name of the layer whose receptive field is also given: as the graph says, and in effect
            after training (Luo et al. 2016), on validation pictures.
        gradient_norms: also record the norm of the loss's gradient in each kernel, before and after training.
        position_grid: also measure, on a canvas, accuracy everywhere on it and by position, on a grid of this
            many places along each axis (see `lab.maps`).
        shuffled_pixels: show all pictures with their pixels in one random order, drawn by the seed.
        random_labels: learn the training pictures with each other's classes, in one random order drawn by
            the seed; validation and test keep their own.
        merged_channels: show every channel of a picture as the brightest of all its channels.
        map_at: also measure mean average precision at this rank: a test picture counts 1/r where its
            class is the r-th likeliest, and nothing beyond the rank.
        mistakes: keep which class was taken for which on the test split, and so many of the mistakes
            that were made with the most confidence.
        precision: None for float32; "float64": all in that, to compare two ways of computing the same;
            "mixed_bfloat16" or "mixed_float16": layers compute in that, weights and loss stay in float32,
            and for float16 the loss is scaled.
        options: keyword arguments of the network's builder, beside those of its row in the zoo.
        splits: None: learn from the training split, validate after each epoch, and read the test split
            once; "search": the same, but the test split is never read; "final": learn from training and
            validation split together, and read the test split once.
    """

    model: str
    epochs: int = 15
    batch_size: int = 128
    learning_rate: float = 6e-3
    warmup: float = 0.2
    weight_decay: float = 0.05
    distortion: Distortion | None = None
    rubbish_penalty: float | None = None
    test_shifts: tuple[int, ...] = ()
    consistency_shift: int | None = None
    examples: int | None = None
    steps_per_epoch: int | None = None
    canvas: Canvas | None = None
    shuffled_pixels: bool | None = None
    precision: str | None = None
    position_grid: int | None = None
    field_layer: str | None = None
    gradient_norms: bool | None = None
    random_labels: bool | None = None
    merged_channels: bool | None = None
    map_at: int | None = None
    mistakes: int | None = None
    options: Mapping[str, Any] | None = None
    splits: str | None = None

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise UsageError(unknown("model", self.model, MODELS))
        for name in ("epochs", "batch_size", "learning_rate", "examples", "steps_per_epoch", "consistency_shift"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} must be more than 0, got {getattr(self, name)}.")
        if self.precision == PRECISIONS[0]:  # one way to say it, so that equal recipes have equal names
            object.__setattr__(self, "precision", None)
        elif self.precision is not None and self.precision not in PRECISIONS:
            raise UsageError(unknown("precision", self.precision, dict.fromkeys(PRECISIONS)))
        for option in self.options or ():
            known = known_options(self.model)
            if option not in known:
                raise UsageError(unknown(f"option of {self.model}", option, known))
        if self.splits not in (None, *SPLITS):
            raise UsageError(unknown("splits", str(self.splits), dict.fromkeys(SPLITS)))
        if self.splits == "final" and self.field_layer:
            raise UsageError("field_layer looks at validation pictures, which a final run learns from.")
        if self.position_grid and not self.canvas:
            raise UsageError("position_grid asks where on a canvas pictures may lie, so it needs a canvas.")
        if not 0 <= self.warmup < 1:
            raise UsageError(f"warmup is a share of all steps, 0 or more and below 1, got {self.warmup}.")


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row of an experiment.

    Attributes:
        name: unique within the experiment.
        settings: what is done and how: a frozen dataclass of plain values.
        published: numbers from the literature to stand beside ours, by column name.
        about: what this row is, in a few words.
        against: the variant it is compared with, paired by seed, where that is not the experiment's baseline.
        dataset: the one data set this row is on, where that is not the experiment's.
    """

    name: str
    settings: Any
    about: str = ""
    published: Mapping[str, float] = dataclasses.field(default_factory=dict)
    against: str | None = None
    dataset: str | None = None


ANYTHING = Takes()
TRIAL = "trial"  # the variant that all trials of searches are, and no declared one


@dataclasses.dataclass(frozen=True)
class Tuning:
    """A search that finds the recipes of an experiment's rows before they are run, see `lab.search`.

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
            `lab.tables.Derive`; or nothing.
        evidence: how its table bears on the lecture's claims.
        work: `module.Class` of the `lab.worker.Work` that does a run.
        columns: columns of the printed table, in order; none: see `lab.tables.shown`.
        figure: `module.function` that draws it, see `lab.figures.draw`.
        figure_options: its keyword arguments.
        reading: how to read its table and figure: what was measured of what.
        takes: what pictures and classes its work can take, beside what its rows' networks and recipes say.
        in_memory: whether its work needs the training pictures as arrays, so that it takes no data set of any size.
        takes_pairs: whether it also takes a folder of a user's own pairs of pictures, see `lab.pairs`.
        reads_runs: whether its runs read what other runs left beside their records, so that all have to be here.
        surprises: what surprised in our own runs, kept in results/reference, and what came of looking into it.
        search: a search that finds recipes for its rows; None: its rows are run as they are declared.
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
    work: str = "experiments.lab.training.TrainingWork"
    columns: tuple[str, ...] = ()
    figure: str = "experiments.lab.figures.error_by_variant"
    figure_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    takes: Takes = ANYTHING
    in_memory: bool = False
    takes_pairs: bool = False
    reads_runs: bool = False
    reading: str = ""
    surprises: str = ""
    search: Tuning | None = None

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

    def select(self, names: list[str] | None) -> tuple[Variant, ...]:
        """The variants with these names, in the order of the declaration; all where none are named.

        What a search has yet to find may be named too, and is left out.
        """
        known = dict.fromkeys(self.rows)
        for name in names or ():
            if name not in known:
                raise UsageError(unknown(f"variant of {self.name}", name, known))
        return tuple(variant for variant in self.variants if not names or variant.name in names)


@dataclasses.dataclass(frozen=True)
class Run:
    """One variant with one seed on one data set: the unit of work and of record."""

    experiment: str
    variant: str
    dataset: str
    settings: Any
    seed: int

    @property
    def needs(self) -> tuple["Run", ...]:
        """The runs whose networks this one reads, with the very recipe that each must have; its settings say which."""
        needs = getattr(self.settings, "needs", None)
        return tuple(needs(self)) if needs else ()

    def specification(self) -> dict[str, Any]:
        """Everything that decides the outcome, as JSON knows it.

        What is absent (None, or empty) is left out, so that a setting invented later, and absent
        from earlier runs, leaves their specification as it was.
        """
        settings = {key: value for key, value in dataclasses.asdict(self.settings).items() if value not in (None, ())}
        return json.loads(json.dumps(dataclasses.asdict(self) | {"settings": settings}))

    @functools.cached_property
    def key(self) -> str:
        """The run's name among the records: equal if and only if the specification is equal."""
        return key(self.specification())


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


def resolve(dotted: str) -> Any:
    """The object that `package.module.name` names; declarations name heavy code, so that it loads late."""
    module, name = dotted.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def key(specification: Mapping[str, Any]) -> str:
    """The name of the run that has this specification, see `Run.specification`.

    What follows a colon in a data set's name may be long, or no file's name; the digest tells it apart.
    """
    dataset = specification["dataset"].partition(":")[0]
    return f"{specification['variant']}.{dataset}.{digest(specification)}.seed{specification['seed']}"


def digest(specification: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that name a specification, whatever its seed."""
    seedless = {key: value for key, value in specification.items() if key != "seed"}
    return hashlib.sha256(canonical(seedless)).hexdigest()[:12]


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no insignificant space, NaN refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
