"""26 parameters against 8.1×10⁹ (slide "В сверточном слое меньше параметров")."""

import dataclasses

from lab.declare.evidence import Answer, Evidence, Fact, Identity
from lab.declare.experiment import Experiment, Variant

SIDE = 300  # pixels of the lecture's picture
LAYER = "300×300 pixels to 300×300 units"
# The networks of 1998 and their present forms; what others cost stands in the tables of their own experiments.
NETWORKS = {
    "linear": "linear",
    "fc-300": "FC 300",
    "fc-1000": "FC 1000",
    "fc-300-100": "FC 300-100",
    "fc-500-150": "FC 500-150",
    "fc-relu": "FC 512-512, ReLU",
    "fc-matched": "FC 78, ReLU",
    "lenet1": "LeNet-1",
    "lenet4": "LeNet-4",
    "lenet5-1998": "LeNet-5 as printed in 1998",
    "lenet5": "LeNet-5, tanh",
    "lenet5-relu": "LeNet-5, ReLU",
}
KERNELS, CHANNELS = (1, 2, 3, 5, 7), (1, 3, 8)


@dataclasses.dataclass(frozen=True)
class Counting:
    """What is counted.

    Attributes:
        what: "convolution" or "dense" (one layer from 300×300 to 300×300), "grid" (many small
            convolutions), or "network".
        model: name in the zoo, for a network.
        kernel: side of the convolution's kernel, pixels.
    """

    what: str
    model: str = ""
    kernel: int = 0


EXPERIMENT = Experiment(
    name="parameters",
    question="How many parameters and multiply-accumulates does a layer or a network have?",
    expectation="From 300×300 to 300×300 a 5×5 convolution has 26 parameters, a fully connected layer 8.1×10⁹.",
    sources=("slide: В сверточном слое меньше параметров", "slide: Одного фильтра мало!"),
    variants=(
        Variant("fully-connected-300", Counting("dense"), LAYER, label="fully connected layer, 300×300"),
        Variant("convolution-5x5-300", Counting("convolution", kernel=5), LAYER, label="5×5 convolution, 300×300"),
        Variant("formula-grid", Counting("grid"), "convolutions of 25 kernel shapes and 9 pairs of channels"),
        *(Variant(name, Counting("network", model=name), "zoo", label=label) for name, label in NETWORKS.items()),
    ),
    dataset="none",
    seeds=1,
    work="experiments.parameters.measure.CountingWork",
    figure="experiments.parameters.figure.draw",
    evidence=(
        Evidence(
            "parameters",
            Answer(
                "From 300×300 to 300×300 pixels a 5×5 convolution has {convolution} parameters, a fully connected "
                "layer {connected} weights.",
                convolution=Fact("convolution-5x5-300", "params"),
                connected=Fact("fully-connected-300", "weights"),
            ),
            checked="Keras itself counts both layers (the slide's 8.1×10⁹ leaves the 90,000 biases out).",
            core=(
                Identity("a 5×5 convolution has 26 parameters", Fact("convolution-5x5-300", "params").equals(26)),
                Identity(
                    "a fully connected layer has 8.1×10⁹ weights", Fact("fully-connected-300", "weights").equals(8.1e9)
                ),
            ),
        ),
        Evidence(
            "formula",
            Answer(
                "In {cases} convolutions of different shapes the formula and Keras's own count disagree "
                "{mismatches} times.",
                mismatches=Fact("formula-grid", "grid_mismatches"),
                cases=Fact("formula-grid", "grid_cases"),
            ),
            checked="Keras counts the parameters of convolutions of 25 kernel shapes and 9 pairs of channels.",
            core=(
                Identity("Keras and the formula agree everywhere", Fact("formula-grid", "grid_mismatches").equals(0)),
            ),
        ),
    ),
    columns=("variant", "params", "weights", "macs", "float32_bytes", "peak_memory_megabytes_mean"),
    reading="The two layers turn 300×300 pixels into 300×300 numbers. The networks read digits; numbers after FC "
    "(fully connected) are units of their hidden layers. Keras itself counts, without creating a single weight "
    '(StatelessScope). "Peak memory" is how far the process\'s memory rose while it counted the layer of 32.4 GB.',
)
