"""How far a layer sees, in theory and in effect (slides "N сверточных слоев", "Нужно растить поле обзора быстрее!")."""

import dataclasses
import math

from cnn_models.papers import LUO_2016
from lab.declare import catalogue
from lab.declare.evidence import Answer, Evidence, Fact, Identity, Mean, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.run import Run

SIDE = 300  # pixels of the lecture's cat
FIELD, EFFECTIVE = "receptive_field_pixels", "effective_field_pixels"
CHANNELS = 8  # of every layer of a stack
LARGEST_EFFECTIVE = 400  # pixels; beyond, a stack's gradient is not measured
GROWTHS = {
    "plain": "3×3 after 3×3",
    "stride": "3×3 with stride 2 every time",
    "pooling": "3×3, then 2×2 pooling, every time",
    "dilation": "3×3, dilation doubling every time",
}
DEPTHS = {
    "plain": (1, 2, 3, 4, 5, 7, 8, 10, 20, 50, 100, 149, 150),
    "stride": tuple(range(1, 9)),
    "pooling": tuple(range(1, 9)),
    "dilation": tuple(range(1, 9)),
}
GAUSSIAN = "gaussian_field_pixels_2016"


def gaussian_side(depth: int) -> float:
    """The effective field of N layers of 3×3 with equal weights, as a side in pixels, by Luo et al. 2016, section 2.

    A unit's gradient is then a Gaussian with a variance of N·(3² − 1)/12 along each axis. It is above
    1 − 95.45 % of its middle in a circle of π·2·ln(1/0.0455) variances, whose root is the side of a square of as many
    pixels.
    """
    return math.sqrt(2 * math.pi * math.log(1 / 0.0455) * depth * (3**2 - 1) / 12)


@dataclasses.dataclass(frozen=True)
class Stack:
    """`depth` convolutions of 3×3 with ReLU, growing by one of `GROWTHS`."""

    growth: str
    depth: int


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network that another experiment trained as one of its variants, looked at in one of its layers."""

    trained_by: str
    trained_as: str
    trained_on: str
    layer: str

    def needs(self, run: Run) -> tuple[Run, ...]:
        """The run that trains it, with the recipe that its experiment declares: any other is another network."""
        declared = catalogue.find(self.trained_by).named[self.trained_as]
        return (
            Run(self.trained_by, self.trained_as, self.trained_on, declared.settings_on(self.trained_on), run.seed),
        )


@dataclasses.dataclass(frozen=True)
class Named:
    """A network by the name `cnn_models.open_model` knows it by, and the layer to look at."""

    name: str
    layer: str


DRAWN = ("growth", "depth", *(f"effective_field_pixels_{part}" for part in ("mean", "ci95_low", "ci95_high")))
LARGEST_HEAT_MAP = 130  # pixels
NETWORKS = {
    "lenet1": "h4",
    "lenet5": "s4",
    "keras.applications.VGG16": "block5_pool",
    "keras.applications.MobileNet": "conv_pw_13_relu",
    "keras.applications.ResNet50": "conv5_block3_out",
}
LENETS = {"lenet1": "LeNet-1", "lenet5": "LeNet-5"}

EXPERIMENT = Experiment(
    name="receptive-field",
    question="How many layers does it take to see 300×300 pixels, in theory and in effect?",
    expectation="N layers of 3×3 see 2N+1 pixels, so 300 need 150; stride and pooling need far fewer.",
    sources=(
        "slide: N сверточных слоев",
        "slide: Нужно растить поле обзора быстрее!",
        "Araujo, Norris, Sim 2019, Computing receptive fields of convolutional neural networks (Distill)",
        LUO_2016,
    ),
    variants=(
        *(
            Variant(
                f"{growth}-{depth}",
                Stack(growth, depth),
                GROWTHS[growth],
                published={GAUSSIAN: round(gaussian_side(depth), 1)} if growth == "plain" else {},
            )
            for growth, depths in DEPTHS.items()
            for depth in depths
        ),
        *(
            Variant(name.rsplit(".", 1)[-1], Named(name, layer), "network", label=LENETS.get(name, ""))
            for name, layer in NETWORKS.items()
        ),
        Variant("trained-lenet5-relu", Trained("lenet", "lenet5-relu", "mnist", "s4"), "LeNet-5, trained"),
    ),
    dataset="none",
    work="experiments.receptive_field.measure.FieldWork",
    reads_runs=True,
    figure="experiments.receptive_field.figure.draw",
    evidence=(
        Evidence(
            "rf-linear",
            Answer(
                "149 layers of 3×3 see {less}, 150 see {enough}; in effect, before training, 150 layers see "
                "{effective}.",
                less=Fact("plain-149", FIELD),
                enough=Fact("plain-150", FIELD),
                effective=Mean("plain-150", EFFECTIVE),
            ),
            checked="The receptive field of stacks of 1 to 150 layers, computed from the network's graph and compared "
            "with 2N + 1.",
            core=(
                Identity(
                    "N layers of 3×3 see 2N + 1 pixels",
                    *(Fact(f"plain-{depth}", FIELD).equals(2 * depth + 1) for depth in DEPTHS["plain"]),
                ),
                Identity(f"149 layers do not see {SIDE} pixels", Fact("plain-149", FIELD).below(SIDE)),
                Identity("150 layers do", Fact("plain-150", FIELD).at_least(SIDE)),
            ),
            limits=(
                Statement(
                    "Before training, 150 layers respond in effect only to a much smaller middle of the 300 pixels",
                    Mean("plain-150", EFFECTIVE).below(SIDE),
                ),
            ),
            literature_for="Araujo, Norris, Sim 2019: r = Σ (k − 1)·Π s + 1.",
            literature_against="Luo et al. 2016: the effective field is Gaussian and grows only with the square root "
            "of depth, so that 150 layers are a lower bound.",
        ),
        Evidence(
            "rf-faster",
            Answer(
                "To see 300 pixels takes 150 layers of 3×3 without stride or pooling, 8 with a stride of 2 (they see "
                "{stride}) and 7 with 2×2 pooling after each ({pooling}).",
                stride=Fact("stride-8", FIELD),
                pooling=Fact("pooling-7", FIELD),
            ),
            checked="The receptive field of stacks with strides and with pooling, computed from the network's graph.",
            core=(
                Identity("149 plain layers do not see 300 pixels", Fact("plain-149", FIELD).below(SIDE)),
                Identity("8 layers with a stride of 2 do", Fact("stride-8", FIELD).at_least(SIDE)),
                Identity("7 layers with 2×2 pooling do", Fact("pooling-7", FIELD).at_least(SIDE)),
            ),
            literature_for="Araujo, Norris, Sim 2019: strides multiply.",
        ),
    ),
    columns=(
        "variant",
        "params",
        "receptive_field_pixels",
        "effective_field_pixels_mean",
        GAUSSIAN,
        "stride_pixels",
        "seeds",
    ),
    reading="Count the pixels whose gradient, for the middle unit, is over 4.55 % of the largest: the effective field "
    "is the side of a square of so many pixels (Luo et al. 2016). It is measured before training, with one draw of the "
    "weights per seed; for the trained LeNet-5, on 500 validation digits. Beside it, and dashed in the figure, stands "
    "the Gaussian of Luo et al. for so many layers of 3×3 with equal weights, which grows with the square root of "
    "their number. The figure's maps show such gradients. Stride and dilation have equal fields in theory.",
    surprises="The effective fields of random stacks differ in width by at most a fifth from the Gaussian that equal "
    "weights would give: smaller for one layer, 8 to 10 % larger for five to ten, 5 to 11 % smaller from a hundred on "
    "(39.4 pixels beside 44.1 for 150). LeNet-5's second pooling, trained, sees in effect 15.3 of its 16 pixels.",
)
