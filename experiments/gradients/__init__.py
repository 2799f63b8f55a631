"""Gradients of shared weights and of pooling; softmax and cross-entropy, on paper and in floating point."""

import dataclasses

from lab.declare.evidence import Answer, Evidence, Fact, Identity, Statement
from lab.declare.experiment import Experiment, Variant

ROUNDING = 1e-12
ROUNDING_FLOAT32 = 1e-5
# The bound on adding the 2,704 uses of a weight, 676 in each of 4 digits: 1.6e-4. It replaced 1e-5, which took
# no account of how many are added, after 1.9e-5 was measured.
SUMMED_FLOAT32 = 2704 * 2**-24
FINITE = "extreme_finite_percent"
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


def _exact(variant: str, words: str, column: str, bound: float = ROUNDING) -> Identity:
    return Identity(words, Fact(variant, column).at_most(bound))


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
            Answer(
                "The gradient of a shared weight is the sum over its uses, up to rounding: {exact} in float64, "
                "{single} in float32.",
                exact=Fact("shared-2d", "gradient_deviation_float64"),
                single=Fact("shared-2d", "gradient_deviation_float32"),
            ),
            checked="A convolution's gradient beside the sum over the equal copies of a locally connected layer, and "
            "beside finite differences.",
            core=(
                _exact("shared-2d", "Conv2D's gradient is the sum", "gradient_deviation_float64"),
                _exact("shared-2d", "so it is in float32", "gradient_deviation_float32", SUMMED_FLOAT32),
                _exact("shared-2d", "finite differences agree", "finite_difference_deviation", DIFFERENCES),
                _exact("shared-1d", "Conv1D's gradient is the sum", "gradient_deviation_float64"),
                _exact("shared-1d", "finite differences agree in 1-D", "finite_difference_deviation", DIFFERENCES),
            ),
            rules="Set before the runs; the bound in float32 took no account of how many uses are added (1e-5), and "
            "was derived anew (1.6e-4) after 1.9e-5 had been measured.",
            literature_for="It is the chain rule; LeCun et al. 1989 train shared weights so.",
        ),
        Evidence(
            "pooling",
            Answer(
                "Keras's max pooling differs from each window's maximum by {maximum}, its average pooling from each "
                "window's mean by {mean}.",
                maximum=Fact("max-pool", "deviation_float64"),
                mean=Fact("average-pool", "deviation_float64"),
            ),
            checked="Keras's pooling layers beside NumPy, on real pictures and on the slide's numbers.",
            core=(
                _exact("max-pool", "max pooling gives each window's maximum", "deviation_float64", 0),
                _exact("max-pool", "it gives the slide's 8, 8 and 9", "printed_deviation", 0),
                _exact("average-pool", "average pooling gives each window's mean", "deviation_float64"),
                _exact("average-pool", "that is a convolution with 1/4", "as_convolution_deviation"),
                _exact("average-pool", "at a padded border it is the mean of the real pixels", "border_deviation"),
            ),
        ),
        Evidence(
            "pooling-gradient",
            Answer(
                "Keras's gradient differs from the slide's rule (1 for the largest input, 0 for the rest) by "
                "{deviation}. Where two inputs tie, MaxPooling2D gives {first} to the first, GlobalMaxPooling2D "
                "{tie} to each.",
                deviation=Fact("max-pool", "gradient_deviation_float64"),
                first=Fact("ties-max-pool", "tie_gradient_max"),
                tie=Fact("ties-global-max", "tie_gradient_max"),
            ),
            checked="Keras's gradient beside the slide's rule and finite differences, on windows with one largest "
            "input.",
            core=(
                _exact("max-pool", "the slide's example gives 0 1 0 0", "printed_gradient_deviation", 0),
                _exact("max-pool", "it is 1 for the largest input and 0 for the rest", "gradient_deviation_float64", 0),
                _exact("max-pool", "finite differences agree", "finite_difference_deviation", DIFFERENCES),
            ),
            limits=(
                Statement(
                    "Where inputs tie, as the slide says, there is no one gradient: MaxPooling2D gives 1 to the first, "
                    "GlobalMaxPooling2D shares it out",
                    Fact("ties-max-pool", "tie_gradient_max").equals(1),
                    Fact("ties-global-max", "tie_gradient_max").below(1),
                ),
            ),
            literature_against="The maximum is not differentiable at ties, as the slide says: any split that adds up "
            "to 1 is a subgradient.",
        ),
        Evidence(
            "softmax-logistic",
            Answer(
                "With two classes, softmax is the logistic function of the difference of the logits, up to rounding "
                "({deviation}).",
                deviation=Fact("softmax", "logistic_deviation_float64"),
            ),
            checked="Keras's softmax of two logits beside SciPy's logistic function of their difference, for logits "
            "from −30 to 30.",
            core=(_exact("softmax", "with two classes they are the same function", "logistic_deviation_float64"),),
            rules="Added after the other numbers had been seen: no claim covered this sentence of the slide.",
        ),
        Evidence(
            "softmax",
            Answer(
                "On random logits all values lie between 0 and 1, and they sum to 1 up to rounding ({deviation}).",
                deviation=Fact("softmax", "sum_deviation_float64"),
            ),
            checked="Keras's softmax on random logits, in float64 and float32.",
            core=(
                Identity("no value is below 0", Fact("softmax", "lowest").at_least(0)),
                Identity("none is above 1", Fact("softmax", "highest").at_most(1)),
                _exact("softmax", "they sum to 1 in float64", "sum_deviation_float64"),
                _exact("softmax", "they sum to 1 in float32", "sum_deviation_float32", ROUNDING_FLOAT32),
            ),
            limits=(
                Statement(
                    "At logits of ±1000 the formula as printed overflows, and Keras's does not",
                    Fact("softmax-printed", FINITE).below(100),
                    Fact("softmax", FINITE).equals(100),
                ),
            ),
            literature_against="e^z overflows beyond 88.7 in float32 and 709.8 in float64; libraries subtract the "
            "largest logit first.",
        ),
        Evidence(
            "cross-entropy",
            Answer(
                "Keras's loss is −log p of the true class and its gradient p − y, up to rounding ({loss} and "
                "{gradient}).",
                loss=Fact("cross-entropy", "deviation_float64"),
                gradient=Fact("cross-entropy", "gradient_deviation_float64"),
            ),
            checked="Keras's loss of logits beside the slide's formula in NumPy, its gradient beside p − y and finite "
            "differences.",
            core=(
                _exact("cross-entropy", "Keras's loss is −log p of the true class", "deviation_float64"),
                _exact("cross-entropy", "its gradient is p − y", "gradient_deviation_float64"),
                _exact("cross-entropy", "finite differences agree", "finite_difference_deviation", DIFFERENCES),
            ),
            limits=(
                Statement(
                    "Given probabilities instead of logits, Keras clips the loss: at logits of ±1000 it is far from "
                    "the 2,000 that it should be",
                    Fact("cross-entropy-p", "extreme_deviation").above(0.01),
                    Fact("cross-entropy", "extreme_deviation").at_most(0.01),
                ),
            ),
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
        "blank_windows_percent",
        "tied_windows_percent",
        "cat_tied_windows_percent",
        "extreme_finite_percent",
        "extreme_deviation",
    ),
    figure="experiments.gradients.figure.draw",
    reading="TensorFlow's gradients of Keras's layers are compared with sums over the copies of a locally connected "
    "layer with equal weights, with the slide's rules, and with finite differences in float64. In the figure L is "
    "half the sum of squared outputs.",
    surprises="Two layers that both take a maximum disagree where inputs tie: MaxPooling2D gives 1 to the first, "
    "GlobalMaxPooling2D shares it out. Of the 2×2 windows of these digits, which are enlarged from 8×8 pixels, 60.5 % "
    "are blank, where a tie means nothing; 6.8 % of the others have a tie, and 13.4 % of the windows of the cat's "
    "photograph. The printed formulas are right on paper. In floating point e^z overflows, and a loss computed from "
    "probabilities is clipped at 16.1 and leaves no gradient to learn from: give Keras logits.",
)
