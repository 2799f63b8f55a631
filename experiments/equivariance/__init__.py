"""Does convolution commute with shift, and what do borders, strides and pooling make of it?"""

import dataclasses

from cnn_models.papers import ZHANG_2019
from lab.declare.evidence import Answer, Evidence, Fact, Identity, Statement
from lab.declare.experiment import Experiment, Variant

MNIST = "mnist"  # whose digits are moved under subsampling
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


def _exact(variant: str, words: str, column: str = "deviation_float64", bound: float = ROUNDING) -> Identity:
    return Identity(words, Fact(variant, column).at_most(bound))


def _breaks(variant: str, words: str, column: str = "any_shift_deviation") -> Statement:
    return Statement(words, Fact(variant, column).above(ROUNDING))


def _moving(name: str, subsampling: str, about: str) -> Variant:
    return Variant(f"digits-{name}", Invariance(subsampling), about, dataset=MNIST)


EXPERIMENT = Experiment(
    name="equivariance",
    question="Does convolution commute with shift, and what do borders, strides and pooling change?",
    expectation="Away from borders and at stride 1, conv(shift(x)) = shift(conv(x)) to rounding. With zeros around "
    "the picture, at stride 2 and in pooling it does not hold.",
    sources=(
        "slide: Свертка и сдвиг коммутативны",
        "slide: Давайте вспомним инвариантность к сдвигу!",
        ZHANG_2019,
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
        _moving("none", "none", "the pixels themselves"),
        _moving("stride", "stride", "every second pixel, twice"),
        _moving("average", "average pooling", "2×2, twice"),
        _moving("max", "max pooling", "2×2, twice"),
        _moving("blur", "blur", "blur and stride, twice"),
        _moving("max-blur", "max pooling, blur", "Zhang 2019, twice"),
    ),
    dataset="cat-and-digits",
    seeds=1,
    work="experiments.equivariance.measure.EquivarianceWork",
    evidence=(
        Evidence(
            "equivariance",
            Answer(
                "Shifting before or after a convolution makes a difference of {convolution}; with a stride of 2 it "
                "makes up to {stride} of the range of responses, with 2×2 max pooling up to {pooling}.",
                convolution=Fact("conv-valid", "deviation_float64"),
                stride=Fact("conv-stride2", "any_shift_deviation"),
                pooling=Fact("max-pool", "any_shift_deviation"),
            ),
            checked="The cat and 60 digits move by all 81 shifts of up to 4 pixels; real pixels enter the frame. Away "
            "from the border, responses are compared number by number.",
            core=(
                _exact("conv-valid", "a convolution commutes with every shift to float64 rounding"),
                _exact("conv-valid", "so it does to float32 rounding", "deviation_float32", ROUNDING_FLOAT32),
                _exact("conv-relu-conv", "two convolutions with a ReLU between commute too"),
            ),
            limits=(
                _breaks("conv-same", "At the border, zeros around the picture break it", "border_deviation"),
                _breaks("conv-stride2", "A stride of 2 breaks it for some shifts"),
                _breaks("max-pool", "2×2 max pooling breaks it for some shifts"),
            ),
            literature_for="Convolution on the whole plane commutes with translation, by its definition.",
            literature_against="Azulay and Weiss 2019, Zhang 2019: strides and pooling break it for all shifts but "
            "multiples of the stride.",
        ),
        Evidence(
            "max-invariance",
            Answer(
                "The largest response in the slide's example is {slide} at all nine positions; for digits that move "
                "within the frame it changes by {digits} of the range of responses, and after a stride of 2 by up to "
                "{stride}.",
                slide=Fact("worked-4x4", "max_least"),
                digits=Fact("conv-valid", "max_change_digits"),
                stride=Fact("conv-stride2", "max_change_digits"),
            ),
            checked="The slide's 4×4 picture at all nine positions, and digits that move within the frame.",
            core=(
                Identity(
                    "the slide's maximum is 2 at every position",
                    Fact("worked-4x4", "max_least").equals(2),
                    Fact("worked-4x4", "max_largest").equals(2),
                ),
                _exact(
                    "conv-valid",
                    "the largest response to a digit that moves within the frame stays",
                    "max_change_digits",
                ),
            ),
            limits=(
                _breaks("conv-stride2", "Behind a stride of 2 the largest response changes", "max_change_digits"),
                _breaks("conv-valid", "Where the cat moves out of the frame it changes", "max_change_cat"),
                Statement(
                    "Max pooling (2×2, twice) is not invariant: when a digit moves by one pixel, its output changes by "
                    "over half of the way to another digit's",
                    Fact("digits-max", "change_1_pixel_percent").above(50),
                ),
            ),
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
    reading="The cat and 60 digits move by all 81 shifts of up to 4 pixels. Real pixels enter the frame, as they would "
    "for a camera. Deviations are shares of the range of responses. In the last six rows the first 1,000 test digits "
    "of MNIST move under subsampling by 4. The 60 digits are 8×8 pictures enlarged: what commutes does so on any "
    "picture.",
    surprises="Away from borders a convolution commutes to the last bit, in float32 as in float64. With zeros around "
    "the picture, with a stride of 2 and in pooling, the two orders differ by a third of the range or more. Withdrawn: "
    "that max pooling is less steady than a stride alone. On enlarged digits of 8×8 pixels, which this was measured on "
    "first, a shift by one pixel took the output of max pooling 68 % of the way to another digit's and that of a "
    "stride 59 %. On MNIST's digits it is 43 and 52 %, so the limit on max pooling, over half of the way, does not "
    "hold. A blur before the stride leaves 29 to 30 %, average pooling 32 %.",
)
