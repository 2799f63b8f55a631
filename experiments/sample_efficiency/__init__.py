"""How many examples a fully connected net needs, and how many LeNet-5 does (slide "Не, так не работает!")."""

from lab.declare.evidence import Answer, Evidence, Mean, Ratio, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.rates import Rates
from lab.declare.recipe import Training

LENET = "lenet5-relu"
NETS = (LENET, "fc-matched", "fc-524")
# Each row's own learning rate on each data set, by the grid, once it has been chosen; and that of rows without one.
GRID = (0.001, 0.003, 0.01, 0.03, 0.1)  # 0.1 was added when a row had been seen to be best at 0.03, then an edge
RATES: dict[tuple[str, str], float] = {}
FIRST_RATE = 0.01
LABELS = {LENET: "LeNet-5", "fc-matched": "FC, as many parameters", "fc-524": "FC, as many MACs"}
# Examples learned from: batch size, epochs, and optimizer steps an epoch where these are more than one pass.
SIZES: dict[int, tuple[int, int, int | None]] = {
    100: (32, 10, 30),
    300: (32, 10, 40),
    1_000: (32, 10, 60),
    3_000: (64, 10, 60),
    10_000: (128, 10, None),
    30_000: (128, 10, None),
    55_000: (128, 10, None),  # all but the 5,000 of the validation split
}
# Wanted accuracy by data set: chosen before the runs, within reach of all three nets.
WANTED = {"mnist": 0.95, "fashion-mnist": 0.85}
DATASETS = tuple(WANTED)
# What the authors of Fashion-MNIST list for networks of such a kind that learned from all of its pictures.
LISTED = "fashion_mnist_readme_error_percent"
LIKE_IT = {LENET: 7.5, "fc-matched": 10.0, "fc-524": 10.0}
MEASURE, NEEDED = "test_accuracy", "examples_needed"
PARTS = ("mean", "ci95_low", "ci95_high")


def _row(net: str, examples: int) -> Variant:
    batch_size, epochs, steps = SIZES[examples]
    settings = Training(
        net,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=FIRST_RATE,
        examples=examples,
        steps_per_epoch=steps,
    )
    against = None if net == LENET else row_name(LENET, examples)
    name = row_name(net, examples)
    rates = {dataset: RATES[name, dataset] for dataset in WANTED if (name, dataset) in RATES}
    listed = {"fashion-mnist": {LISTED: LIKE_IT[net]}} if examples == max(SIZES) else {}
    return Variant(name, settings, LABELS[net], against=against, learning_rates=rates, published_on=listed)


def row_name(net: str, examples: int) -> str:
    """The name of a net's row with so many examples."""
    return f"{net}-{examples}"


def _needs_more(net: str, dataset: str, times: float) -> Statement:
    on = f" on {dataset}" if dataset != DATASETS[0] else ""
    ours, theirs = (row_name(name, max(SIZES)) + on for name in (net, LENET))
    like = LABELS[net].removeprefix("FC, ")
    return Statement(
        f"for {100 * WANTED[dataset]:g} % on {dataset} the fully connected network with {like} needs over {times:g} "
        "times the examples of LeNet-5",
        Ratio(ours, theirs, NEEDED).above(times),
    )


EXPERIMENT = Experiment(
    name="sample-efficiency",
    question="How many examples does a fully connected network need, and how many does LeNet-5?",
    expectation="For the same accuracy the fully connected network needs several times as many examples.",
    sources=(
        "slide: Не, так не работает!",
        "Xiao, Rasul and Vollgraf 2017, Fashion-MNIST: the table of submitted results in its README",
        "d'Ascoli et al. 2019; Li, Zhang and Arora 2021, Why are convolutional nets more sample-efficient",
    ),
    variants=tuple(_row(net, examples) for net in NETS for examples in SIZES),
    dataset=DATASETS[0],
    also_on=DATASETS[1:],
    compared=("test_error_percent",),
    rates=Rates(GRID),
    derived="experiments.sample_efficiency.measure.derive",
    evidence=(
        Evidence(
            "fc-wastes-examples",
            Answer(
                f"To read {100 * WANTED['mnist']:g} % of MNIST's test digits, "
                "LeNet-5 needs {lenet} and a fully connected network with as many parameters {fc}.",
                fc=Mean(row_name("fc-matched", max(SIZES)), NEEDED),
                lenet=Mean(row_name(LENET, max(SIZES)), NEEDED),
            ),
            checked="Each network learns from 100 to 55,000 examples; where its curve of test accuracy first reaches "
            "95 % (MNIST) or 85 % (Fashion-MNIST), it has the examples it needs. Each network has its own learning "
            "rate for each number of examples and data set, chosen on validation pictures.",
            core=tuple(_needs_more(net, dataset, 2) for dataset in WANTED for net in ("fc-matched", "fc-524")),
            literature_for="Li, Zhang and Arora 2021: a task on which a convolutional network needs O(1) examples and "
            "a fully connected network, trained as usual, a number that grows with the square of the picture's size.",
            literature_against="Tolstikhin et al. 2021 (MLP-Mixer), Bachmann et al. 2023 (Scaling MLPs): with "
            "enough data the gap closes.",
        ),
    ),
    columns=(
        "variant",
        "dataset",
        "params",
        "examples",
        "learning_rate",
        "test_error_percent_mean",
        "test_error_percent_minus_baseline_mean",
        "test_error_percent_minus_baseline_p_value_holm",
        "examples_needed_mean",
        "times_lenet5_examples_mean",
        LISTED,
        "seeds",
        "train_seconds_mean",
    ),
    figure="experiments.sample_efficiency.figure.draw",
    reading="A run learns from a random choice of the training split, stratified by class. A seed's smaller choice is "
    "part of its larger one, and all networks get the same. 5,000 of the 60,000 pictures are the validation split, so "
    "the most is 55,000. All networks have the same recipe but for the learning rate. The examples needed are where a "
    "seed's own curve of test accuracy first reaches 95 % (MNIST) or 85 % (Fashion-MNIST), on a straight line over the "
    "logarithm of examples between two sizes. They stand in the row of the most examples, beside their ratio to "
    "LeNet-5's, seed by seed. A curve that never gets there counts as needing 55,000, one that begins there as 100; "
    "both are bounds. Beside ours stands what the README of Fashion-MNIST lists for two convolutions of under 100,000 "
    "parameters (7.5 %), and for fully connected layers of 256, 128 and 64 units (10.0 %).",
    surprises="Withdrawn: that LeNet-5 needs 836 digits and the fully connected networks 7,195 and 11,756. Those runs "
    "had two to six epochs and one learning rate for all sizes and both data sets, chosen at 10,000 digits. Validation "
    "still improved when most of them ended: of 42 rows 26 did, and the same network on the same 55,000 digits misread "
    "3.07 % here and 2.46 % in the `compare-fc` of the time, which trained it for 15 epochs. On Fashion-MNIST the "
    "fully connected networks read 87.1 % and LeNet-5 90.2 %, where the data set's authors list 90.0 % for such a "
    "network and 92.5 % for two convolutions. The order of the networks may well stay, but the numbers of examples are "
    "not judged until the recipe that is declared now has been run: ten epochs, and a grid of learning rates for each "
    "row.",
)
