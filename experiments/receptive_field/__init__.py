"""How far a layer sees, in theory and in effect (slides "N сверточных слоев", "Нужно растить поле обзора быстрее!")."""

import dataclasses
from typing import TYPE_CHECKING

from lab.declare import catalogue
from lab.declare.evidence import AtLeast, Equals, Evidence, Finding, Outcome, Part
from lab.declare.experiment import Experiment, Variant
from lab.declare.run import Run

if TYPE_CHECKING:
    import pandas as pd


SIDE = 300  # pixels of the lecture's cat
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
        return (Run(self.trained_by, self.trained_as, self.trained_on, declared.settings, run.seed),)


@dataclasses.dataclass(frozen=True)
class Named:
    """A network by the name `cnn_models.open_model` knows it by, and the layer to look at."""

    name: str
    layer: str


def _grows_linearly(table: "pd.DataFrame") -> Finding:
    """Every plain stack's field against 2N + 1."""
    rows = table[table["growth"] == "plain"] if "growth" in table else table
    if rows.empty:
        return Finding(Outcome.MISSING, "no plain stack was run")
    wrong = rows[rows["receptive_field_pixels"] != 2 * rows["depth"] + 1]
    outcome = Outcome.FAILS if len(wrong) else Outcome.HOLDS
    span = f"from {rows['depth'].min():.0f} to {rows['depth'].max():.0f}"
    return Finding(outcome, f"{len(rows) - len(wrong)} of {len(rows)} depths {span}")


def _needs_fewer(growth: str) -> Part:
    """The smallest depth whose field reaches 300, against the plain stack's."""

    def judge(table: "pd.DataFrame") -> Finding:
        needed = {name: layers_needed(table, name) for name in ("plain", growth)}
        if None in needed.values():
            return Finding(Outcome.MISSING, f"no stack reaches {SIDE} in this table")
        outcome = Outcome.HOLDS if needed[growth] < needed["plain"] else Outcome.FAILS  # type: ignore[operator]
        return Finding(outcome, f"{needed[growth]} layers, plain {needed['plain']}")

    return Part(f"{GROWTHS[growth]}: fewer layers reach 300", judge)


def layers_needed(table: "pd.DataFrame", growth: str) -> int | None:
    """The smallest measured depth of this growth whose theoretical field reaches 300 pixels."""
    if "growth" not in table:
        return None
    depths = table.loc[(table["growth"] == growth) & (table["reaches_300"] == 1), "depth"]
    return None if depths.empty else int(depths.min())


DRAWN = ("growth", "depth", *(f"effective_field_pixels_{part}" for part in ("mean", "ci95_low", "ci95_high")))
LARGEST_HEAT_MAP = 130  # pixels
NETWORKS = {
    "lenet1": "h4",
    "lenet5": "s4",
    "keras.applications.VGG16": "block5_pool",
    "keras.applications.MobileNet": "conv_pw_13_relu",
    "keras.applications.ResNet50": "conv5_block3_out",
}

EXPERIMENT = Experiment(
    name="receptive-field",
    question="How many layers does it take to see 300×300 pixels, in theory and in effect?",
    expectation="N layers of 3×3 see 2N+1 pixels, so 300 need 150; stride and pooling need far fewer.",
    sources=(
        "slide: N сверточных слоев",
        "slide: Нужно растить поле обзора быстрее!",
        "Araujo, Norris, Sim 2019, Computing receptive fields of convolutional neural networks (Distill)",
        "Luo et al. 2016, Understanding the effective receptive field in deep convolutional neural networks",
    ),
    variants=(
        *(
            Variant(f"{growth}-{depth}", Stack(growth, depth), GROWTHS[growth])
            for growth, depths in DEPTHS.items()
            for depth in depths
        ),
        *(Variant(name.rsplit(".", 1)[-1], Named(name, layer), "network") for name, layer in NETWORKS.items()),
        Variant("trained-lenet5-relu", Trained("lenet", "lenet5-relu", "mnist", "s4"), "LeNet-5, trained"),
    ),
    dataset="none",
    work="experiments.receptive_field.measure.FieldWork",
    reads_runs=True,
    figure="experiments.receptive_field.figure.draw",
    evidence=(
        Evidence(
            "rf-linear",
            parts=(
                Part("N layers of 3×3 see 2N+1 pixels", _grows_linearly),
                Part("149 layers do not reach 300", Equals("plain-149", "receptive_field_pixels", 299)),
                Part("150 layers do", Equals("plain-150", "receptive_field_pixels", 301)),
                Part("what 150 layers see in effect is 300 too", AtLeast("plain-150", "effective_field_pixels", 300)),
            ),
            reproduced_if="the field is 2N+1 at every depth, 150 layers are the first to reach 300, and they do so in "
            "effect as well",
            contradicted_if="none of this is so",
            literature_for="Araujo, Norris, Sim 2019: r = Σ (k − 1)·Π s + 1.",
            literature_against="Luo et al. 2016: the effective field is Gaussian and grows only with the square root "
            "of depth, so that 150 layers are a lower bound.",
        ),
        Evidence(
            "rf-faster",
            parts=(_needs_fewer("stride"), _needs_fewer("pooling")),
            reproduced_if="stacks with stride, and with pooling, reach 300 pixels with fewer layers than plain ones",
            contradicted_if="neither does",
            literature_for="Araujo, Norris, Sim 2019: strides multiply.",
        ),
    ),
    columns=(
        "variant",
        "params",
        "receptive_field_pixels",
        "effective_field_pixels_mean",
        "stride_pixels",
        "seeds",
    ),
    reading="The effective field is the side of the square of as many pixels as have more than 4.55 % of the largest "
    "gradient of the middle unit (Luo et al. 2016), at initialisation, one draw of the weights a seed; of the trained "
    "LeNet-5, on 500 validation digits.",
)
