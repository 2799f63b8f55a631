"""Gradients of shared weights and of pooling; softmax and cross-entropy, on paper and in floating point."""

import dataclasses
from typing import TYPE_CHECKING

from lab.declare.evidence import Evidence, FactAtLeast, FactAtMost, Part
from lab.declare.experiment import Experiment, Variant

if TYPE_CHECKING:
    pass

ROUNDING = 1e-12
ROUNDING_FLOAT32 = 1e-5
# The bound on adding the 2,704 uses of a weight, 676 in each of 4 digits: 1.6e-4. It replaced 1e-5, which took
# no account of how many are added, after 1.9e-5 was measured.
SUMMED_FLOAT32 = 2704 * 2**-24
DIFFERENCES = 1e-7  # central differences in float64, with steps of 1e-6


@dataclasses.dataclass(frozen=True)
class Shared:
    """A convolution beside a locally connected layer whose copies are equal, on real pictures.

    Attributes:
        rank: 2 for digits, 1 for the cat's rows of pixels.
    """

    rank: int


@dataclasses.dataclass(frozen=True)
class Pooling:
    """2×2 pooling of windows without equal values. `kind`: "max" or "average"."""

    kind: str


@dataclasses.dataclass(frozen=True)
class Ties:
    """The largest value of a window is there more than once. `layer`: a pooling layer of Keras."""

    layer: str


@dataclasses.dataclass(frozen=True)
class Softmax:
    """`how`: "keras", or "printed" for e^z/Σe^z step by step."""

    how: str


@dataclasses.dataclass(frozen=True)
class CrossEntropy:
    """`how`: "logits" or "probabilities", whichever Keras's loss is given, or "printed" for −log(e^z/Σe^z)."""

    how: str


def _at_most(variant: str, what: str, column: str, bound: float, unit: str = "") -> Part:
    return Part(what, FactAtMost(variant, column, bound, unit))


def _at_least(variant: str, what: str, column: str, bound: float, unit: str = "") -> Part:
    return Part(what, FactAtLeast(variant, column, bound, unit))


EXPERIMENT = Experiment(
    name="gradients",
    question="Are the lecture's gradients, softmax and cross-entropy what Keras computes?",
    expectation="A shared weight's gradient is the sum over its uses, max pooling's is 1 for the winner, "
    "cross-entropy's is p − y; the printed formulas overflow at large logits.",
    sources=(
        "slide: Как считать градиенты",
        "slide: Пулинг слой",
        "slide: Как считать градиент для пулинга",
        "slide: Softmax",
        "slide: Log loss (cross-entropy)",
    ),
    variants=(
        Variant("shared-2d", Shared(2), "Conv2D and LocallyConnected2D, on digits"),
        Variant("shared-1d", Shared(1), "Conv1D and LocallyConnected1D, on rows of the cat"),
        Variant("max-pool", Pooling("max")),
        Variant("average-pool", Pooling("average")),
        Variant("ties-max-pool", Ties("MaxPooling2D"), "equal values in one window"),
        Variant("ties-global-max", Ties("GlobalMaxPooling2D"), "equal values in one window"),
        Variant("softmax", Softmax("keras")),
        Variant("softmax-printed", Softmax("printed"), "e^z/Σe^z, step by step"),
        Variant("cross-entropy", CrossEntropy("logits"), "from_logits=True"),
        Variant("cross-entropy-p", CrossEntropy("probabilities"), "from_logits=False"),
        Variant("cross-entropy-printed", CrossEntropy("printed"), "−log(e^z/Σe^z), step by step"),
    ),
    dataset="cat-and-digits",
    seeds=1,
    work="experiments.gradients.measure.GradientsWork",
    evidence=(
        Evidence(
            "shared-gradient",
            parts=(
                _at_most("shared-2d", "Conv2D's gradient is the sum", "gradient_deviation_float64", ROUNDING),
                _at_most("shared-2d", "in float32 too", "gradient_deviation_float32", SUMMED_FLOAT32),
                _at_most("shared-2d", "as finite differences say", "finite_difference_deviation", DIFFERENCES),
                _at_most("shared-1d", "Conv1D's gradient is the sum", "gradient_deviation_float64", ROUNDING),
                _at_most("shared-1d", "as finite differences say", "finite_difference_deviation", DIFFERENCES),
            ),
            reproduced_if="in one and two dimensions the gradients of equal untied copies add up to the shared "
            "weight's gradient, to rounding, and both agree with finite differences",
            contradicted_if="none of this is so",
            literature_for="It is the chain rule; LeCun et al. 1989 train shared weights so.",
        ),
        Evidence(
            "pooling",
            parts=(
                _at_most("max-pool", "max pooling gives each window's maximum", "deviation_float64", 0),
                _at_most("max-pool", "and the slide's 8, 8 and 9", "printed_deviation", 0),
                _at_most("average-pool", "average pooling gives each window's mean", "deviation_float64", ROUNDING),
                _at_most("average-pool", "which is a convolution with 1/4", "as_convolution_deviation", ROUNDING),
                _at_most("average-pool", "also of what is real at a padded border", "border_deviation", ROUNDING),
            ),
            reproduced_if="Keras's layers give NumPy's maximum and mean of every window, also at a padded border",
            contradicted_if="none of this is so",
        ),
        Evidence(
            "pooling-gradient",
            parts=(
                _at_most("max-pool", "the slide's example gives 0 1 0 0", "printed_gradient_deviation", 0),
                _at_most("max-pool", "1 for the largest and 0 for the rest", "gradient_deviation_float64", 0),
                _at_most("max-pool", "as finite differences say", "finite_difference_deviation", DIFFERENCES),
                _at_least("ties-max-pool", "at a tie MaxPooling2D gives 1 to a largest", "tie_gradient_max", 1),
                _at_least("ties-global-max", "and so does GlobalMaxPooling2D", "tie_gradient_max", 1),
            ),
            reproduced_if="the gradient is 1 for the largest input of a window and 0 for the rest, where one is "
            "largest and at ties",
            contradicted_if="none of this is so",
            literature_against="The maximum is not differentiable at ties, as the slide says: any split that adds up "
            "to 1 is a subgradient.",
        ),
        Evidence(
            "softmax",
            parts=(
                _at_least("softmax", "no value is below 0", "lowest", 0),
                _at_most("softmax", "none is above 1", "highest", 1),
                _at_most("softmax", "they sum to 1 in float64", "sum_deviation_float64", ROUNDING),
                _at_most("softmax", "and in float32", "sum_deviation_float32", ROUNDING_FLOAT32),
                _at_least("softmax", "they are finite at logits of ±1000", "extreme_finite_percent", 100, " %"),
                _at_least("softmax-printed", "so is the slide's formula", "extreme_finite_percent", 100, " %"),
            ),
            reproduced_if="all values are in [0, 1] and sum to 1, also at logits of ±1000, by Keras and by the formula "
            "as printed",
            contradicted_if="none of this is so",
            literature_against="e^z overflows beyond 88.7 in float32 and 709.8 in float64; libraries subtract the "
            "largest logit first.",
        ),
        Evidence(
            "cross-entropy",
            parts=(
                _at_most("cross-entropy", "Keras's loss is −log p of the true class", "deviation_float64", ROUNDING),
                _at_most("cross-entropy", "its gradient is p − y", "gradient_deviation_float64", ROUNDING),
                _at_most("cross-entropy", "as finite differences say", "finite_difference_deviation", DIFFERENCES),
                _at_most("cross-entropy", "from logits of ±1000 it is 2000", "extreme_deviation", 0.01),
                _at_most("cross-entropy-p", "so it is from their probabilities", "extreme_deviation", 0.01),
            ),
            reproduced_if="Keras's loss is −Σ log p_k [y=k] and its gradient p − y, to rounding, also at logits of "
            "±1000, whether it gets logits or probabilities",
            contradicted_if="none of this is so",
            literature_against="Keras clips probabilities to 1e-7 from either end, and so a loss to 16.1.",
        ),
    ),
    columns=(
        "variant",
        "deviation_float64",
        "deviation_float32",
        "gradient_deviation_float64",
        "gradient_deviation_float32",
        "finite_difference_deviation",
        "tie_winners",
        "tie_gradient_max",
        "extreme_finite_percent",
        "extreme_deviation",
    ),
    figure="experiments.gradients.figure.draw",
    reading="Gradients are TensorFlow's, of Keras's layers, against sums over the copies of a locally connected layer "
    "with equal weights, against the slide's rules, and against finite differences in float64. In the figure L "
    "is half the sum of squared outputs.",
    surprises="Two layers that both take a maximum disagree at ties, which real pictures are full of: 63 % of the 2×2 "
    "windows of these digits have one. MaxPooling2D gives 1 to the first, GlobalMaxPooling2D shares it out. "
    "The printed formulas are right on paper; in floating point e^z overflows, and a loss that is given "
    "probabilities is clipped at 16.1, with no gradient left to learn from: give Keras logits.",
)
