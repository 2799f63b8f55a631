"""A training: how a network of the zoo is trained, what view of the pictures it is shown, what is measured of it."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from cnn_models.names import unknown
from cnn_models.search_space import known_options
from cnn_models.zoo import MODELS
from lab.errors import UsageError


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


HANDWRITING = Distortion(rotation_degrees=10, scale=0.1, shear=0.1, shift_pixels=2)  # what digits and drawings bear


@dataclasses.dataclass(frozen=True)
class RandomCrop:
    """Another frame for each training picture, drawn anew each time it is shown.

    Attributes:
        shift_pixels: largest shift along each axis, whole pixels; what enters is the picture mirrored at its border.
        flip: half of the pictures are mirrored left to right.
    """

    shift_pixels: int = 0
    flip: bool = False


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


def _refuse_unless_positive(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise UsageError(f"{name} must be more than 0, got {value}.")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network of the zoo is trained.

    Attributes:
        model: name in `cnn_models.MODELS`.
        epochs: passes over the training split.
        batch_size: pictures a step, over all devices together.
        learning_rate: the peak of a one-cycle schedule (linear warm-up, cosine down to zero).
        warmup: share of all steps spent warming up.
        weight_decay: of AdamW, on kernels only.
        distortion: random distortion of training pictures, or None.
        random_crop: random shifts by whole pixels and mirrored pictures in training, or None.
        rubbish_penalty: None for cross-entropy; else the constant j of LeCun 1998, equation 9, see
            `cnn_models.layers.losses.MapCriterion`.
        examples: learn from this many pictures only: a stratified choice by the run's seed, of which
            a smaller one is a part; None: from all.
        steps_per_epoch: optimizer steps an epoch, in which pictures come again in a new order when
            all were shown; None: one pass.
        random_labels: learn the training pictures with each other's classes, in one random order drawn by
            the seed; validation and test keep their own.
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
    random_crop: RandomCrop | None = None
    rubbish_penalty: float | None = None
    examples: int | None = None
    steps_per_epoch: int | None = None
    random_labels: bool | None = None
    precision: str | None = None
    options: Mapping[str, Any] | None = None
    splits: str | None = None

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise UsageError(unknown("model", self.model, MODELS))
        for name in ("epochs", "batch_size", "learning_rate", "examples", "steps_per_epoch"):
            _refuse_unless_positive(name, getattr(self, name))
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
        if not 0 <= self.warmup < 1:
            raise UsageError(f"warmup is a share of all steps, 0 or more and below 1, got {self.warmup}.")


# What can be done to a picture without changing its size, see `lab.learn.alterations`.
ALTERATIONS = ("grey", "permuted_channels", "blocks16", "blocks8", "blocks4", "edges", "two_tones")


def block_side(alteration: str) -> int | None:
    """The height and width of the blocks, in pixels, that an alteration shuffles; None where it shuffles none."""
    return int(alteration.removeprefix("blocks")) if alteration.startswith("blocks") else None


def _refuse_unknown_alterations(*names: str | None) -> None:
    for name in names:
        if name is not None and name not in ALTERATIONS:
            raise UsageError(unknown("alteration", name, dict.fromkeys(ALTERATIONS)))


@dataclasses.dataclass(frozen=True)
class View:
    """How pictures of all splits are shown to the network; as they are, where nothing is said.

    Attributes:
        alteration: one of `ALTERATIONS`, drawn anew each time a training picture is shown, where it is random.
        grey: a picture has one channel, its luminance.
        canvas: each picture lies on a larger canvas.
        merged_channels: every channel of a picture is the brightest of all its channels.
        shuffled_pixels: the pixels of all pictures are in one random order, drawn by the seed.
    """

    canvas: Canvas | None = None
    merged_channels: bool = False
    shuffled_pixels: bool = False
    alteration: str | None = None
    grey: bool = False

    def __post_init__(self) -> None:
        _refuse_unknown_alterations(self.alteration)


@dataclasses.dataclass(frozen=True)
class Measures:
    """What is measured of a trained network beside its accuracy.

    Attributes:
        test_shifts: accuracy on the test set with every picture shifted by a fixed random offset of up to
            this many pixels along each axis.
        consistency_shift: how often two random shifts of a test picture, of up to this many pixels along
            each axis, get the same class (shift consistency, Zhang 2019).
        field_layer: name of the layer whose receptive field is given: as the graph says, and in effect
            after training (Luo et al. 2016), on validation pictures.
        gradient_norms: the norm of the loss's gradient in each kernel, before and after training.
        position_grid: accuracy everywhere on a canvas and by position, on a grid of this many places along
            each axis (see `lab.learn.measuring.maps`).
        map_at: mean average precision at this rank: a test picture counts 1/r where its class is the r-th
            likeliest, and nothing beyond the rank.
        mistakes: which class was taken for which on the test split, and so many of the mistakes that were
            made with the most confidence.
        test_alterations: accuracy on the test pictures after each of these `ALTERATIONS`, in the place of the view's.
        error_of: name of a class whose own error is given too, wherever the test pictures are read.
    """

    test_shifts: tuple[int, ...] = ()
    consistency_shift: int | None = None
    field_layer: str | None = None
    gradient_norms: bool = False
    position_grid: int | None = None
    map_at: int | None = None
    mistakes: int | None = None
    test_alterations: tuple[str, ...] = ()
    error_of: str | None = None

    def __post_init__(self) -> None:
        _refuse_unknown_alterations(*self.test_alterations)
        _refuse_unless_positive("consistency_shift", self.consistency_shift)


@dataclasses.dataclass(frozen=True)
class Training(Recipe):
    """A recipe, the view of the pictures that the network is shown, and what is measured of it.

    Attributes:
        view: how pictures are shown.
        measures: what is measured beside accuracy.
    """

    view: View = View()
    measures: Measures = Measures()

    PARTS: ClassVar = ("view", "measures")  # see `lab.declare.run.flat`

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.splits == "final" and self.measures.field_layer:
            raise UsageError("field_layer looks at validation pictures, which a final run learns from.")
        if self.measures.position_grid and not self.view.canvas:
            raise UsageError("position_grid asks where on a canvas pictures may lie, so it needs a canvas.")


def with_options(settings: Any, **options: Any) -> Any:
    """Settings as a call's options change them.

    Args:
        settings: of a run; a frozen dataclass.
        options: values by the setting's name. None, or a setting that these do not have, changes nothing.
    """
    known = {field.name for field in dataclasses.fields(settings)}
    said = {name: value for name, value in options.items() if value is not None and name in known}
    return dataclasses.replace(settings, **said)
