"""Does convolution commute with shift, and what do borders, strides and pooling make of it?"""

import dataclasses
from typing import TYPE_CHECKING

from lab.declare.evidence import Evidence, FactAtLeast, FactAtMost, Part
from lab.declare.experiment import Experiment, Variant

if TYPE_CHECKING:
    pass

ROUNDING = 1e-12  # of the range of answers: float64 adds a few thousand numbers with less
ROUNDING_FLOAT32 = 1e-5


@dataclasses.dataclass(frozen=True)
class Commuting:
    """A layer whose answer to shifted pictures is laid on its answer to the pictures.

    Attributes:
        layer: "convolution" (3×3), "two convolutions" (with ReLU between), "max pooling" (2×2), "average
            pooling" (2×2), "blur" (3×3) or "max pooling, blur" (the first with stride 1).
        padding: "valid" or "same".
        stride: in pixels, along both axes.
    """

    layer: str
    padding: str = "valid"
    stride: int = 1


@dataclasses.dataclass(frozen=True)
class Worked:
    """The slide's 4×4 picture of \\, at every position."""


@dataclasses.dataclass(frozen=True)
class Invariance:
    """How much the answer to a digit changes when the digit moves.

    Attributes:
        subsampling: what is done twice, each time halving both sides: "none" (nothing at all), "stride"
            (every second pixel), "max pooling", "average pooling", "blur" or "max pooling, blur".
    """

    subsampling: str


def _exact(variant: str, what: str, column: str = "deviation_float64", bound: float = ROUNDING) -> Part:
    return Part(what, FactAtMost(variant, column, bound, " of the range"))


def _keeps_maximum(variant: str, what: str, column: str = "max_change_digits") -> Part:
    return Part(what, FactAtMost(variant, column, ROUNDING, " of the range"))


EXPERIMENT = Experiment(
    name="equivariance",
    question="Does convolution commute with shift, and what do borders, strides and pooling make of it?",
    expectation="conv(shift(x)) = shift(conv(x)) to rounding away from borders at stride 1; not so with zeros around, "
    "at stride 2, or in pooling.",
    sources=(
        "slide: Свертка и сдвиг коммутативны",
        "slide: Давайте вспомним инвариантность к сдвигу!",
        "Zhang 2019, Making convolutional networks shift-invariant again",
        "Azulay, Weiss 2019, Why do deep convolutional networks generalize so poorly to small image transformations?",
    ),
    variants=(
        Variant("conv-valid", Commuting("convolution")),
        Variant("conv-relu-conv", Commuting("two convolutions"), "ReLU between"),
        Variant("conv-same", Commuting("convolution", "same"), "zeros around the picture"),
        Variant("conv-stride2", Commuting("convolution", stride=2)),
        Variant("max-pool-stride1", Commuting("max pooling")),
        Variant("max-pool", Commuting("max pooling", stride=2)),
        Variant("average-pool", Commuting("average pooling", stride=2)),
        Variant("blur-pool", Commuting("blur", stride=2), "Zhang 2019"),
        Variant("max-blur-pool", Commuting("max pooling, blur", stride=2), "Zhang 2019"),
        Variant("worked-4x4", Worked(), "the slide's picture and template"),
        Variant("digits-none", Invariance("none"), "the pixels themselves"),
        Variant("digits-stride", Invariance("stride"), "every second pixel, twice"),
        Variant("digits-average", Invariance("average pooling"), "2×2, twice"),
        Variant("digits-max", Invariance("max pooling"), "2×2, twice"),
        Variant("digits-blur", Invariance("blur"), "blur and stride, twice"),
        Variant("digits-max-blur", Invariance("max pooling, blur"), "Zhang 2019, twice"),
    ),
    dataset="cat-and-digits",
    seeds=1,
    work="experiments.equivariance.measure.EquivarianceWork",
    evidence=(
        Evidence(
            "equivariance",
            parts=(
                _exact("conv-valid", "a convolution commutes with all shifts to float64 rounding"),
                _exact("conv-valid", "and in float32", "deviation_float32", ROUNDING_FLOAT32),
                _exact("conv-relu-conv", "so do two with ReLU between"),
                _exact("conv-same", "so does one with zeros around, away from the border"),
                _exact("conv-same", "and at the border", "border_deviation"),
                _exact("conv-stride2", "so does one of stride 2, for shifts of whole strides"),
                _exact("conv-stride2", "and for all shifts", "any_shift_deviation"),
                _exact("max-pool", "so does 2×2 max pooling, for all shifts", "any_shift_deviation"),
            ),
            reproduced_if="on a photograph and on digits every layer's answer to the shifted picture is its shifted "
            "answer to the picture, to rounding: inside and at the border, at stride 1 and 2, and in pooling",
            contradicted_if="none of them, not even a convolution of stride 1 away from borders, does so",
            literature_for="Convolution on the whole plane commutes with translation, by its definition.",
            literature_against="Azulay and Weiss 2019, Zhang 2019: strides and pooling break it for all shifts but "
            "multiples of the stride.",
        ),
        Evidence(
            "max-invariance",
            parts=(
                Part("the slide's maximum is 2 at every position", FactAtLeast("worked-4x4", "max_least", 2)),
                Part("and never more", FactAtMost("worked-4x4", "max_largest", 2)),
                _keeps_maximum("conv-valid", "the largest response to a digit that moves within the frame stays"),
                _keeps_maximum("max-pool", "it survives 2×2 max pooling"),
                _keeps_maximum("conv-stride2", "it survives a stride of 2"),
                _keeps_maximum("conv-valid", "it stays where the cat moves out of the frame", "max_change_cat"),
                Part(
                    "max pooling (2×2, twice) changes by at most 5 % of the way to another digit, for one pixel",
                    FactAtMost("digits-max", "change_1_pixel_percent", 5, " %"),
                ),
            ),
            reproduced_if="the largest response stays, to rounding, for the slide's picture and for real ones, within "
            "the frame and across it, also at stride 2, and local maxima change little for a pixel",
            contradicted_if="none of this is so, not even for the slide's own picture",
            literature_against="Zhang 2019: max pooling of stride 2 is not invariant to a shift of one pixel, and "
            "blurring before the stride mends most of it.",
        ),
    ),
    columns=(
        "variant",
        "deviation_float64",
        "deviation_float32",
        "border_deviation",
        "any_shift_deviation",
        "max_change_digits",
        "max_change_cat",
        "max_least",
        "max_largest",
        "change_1_pixel_percent",
        "change_1_pixel_percent_of_itself",
        "half_changed_pixels",
    ),
    figure="experiments.equivariance.figure.draw",
    reading="The cat and 60 digits are moved by all 81 shifts of up to 4 pixels; what enters the frame is real, as it "
    "would be for a camera. Deviations are shares of the range of answers. The last six rows move all 360 test "
    "digits under subsampling by 4. These digits are 8×8 pictures enlarged, so they are smoother than MNIST's.",
    surprises="Away from borders a convolution commutes to the last bit, in float32 as in float64. Zeros around the "
    "picture, a stride of 2, and pooling do not, by a third of the range or more. By its own size the answer "
    "of max pooling changes less than that of a stride alone, but it also makes digits more alike, so that a "
    "move of one pixel takes it two thirds of the way to another digit; blurring before the stride takes a "
    "third off that.",
)
