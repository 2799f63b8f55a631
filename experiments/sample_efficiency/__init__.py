"""How many examples a fully connected net needs, and how many LeNet-5 does (slide "Не, так не работает!")."""

from lab.declare.evidence import Answer, Evidence, Mean, Ratio, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.rates import Rates
from lab.declare.recipe import Training

LENET = "lenet5-relu"
NETS = (LENET, "fc-matched", "fc-524")
# The learning rates that the grid chose on validation pictures, in the order of `SIZES`.
GRID = (0.001, 0.003, 0.01, 0.03, 0.1)  # 0.1 was added when a row had been seen to be best at 0.03, then an edge
RATES = {
    (LENET, "mnist"): (0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.03),
    ("fc-matched", "mnist"): (0.03, 0.001, 0.01, 0.01, 0.01, 0.01, 0.01),
    ("fc-524", "mnist"): (0.001, 0.001, 0.01, 0.01, 0.01, 0.01, 0.003),
    (LENET, "fashion-mnist"): (0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01),
    ("fc-matched", "fashion-mnist"): (0.003, 0.01, 0.003, 0.01, 0.01, 0.01, 0.01),
    ("fc-524", "fashion-mnist"): (0.001, 0.001, 0.003, 0.003, 0.01, 0.003, 0.003),
}
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
    position = list(SIZES).index(examples)
    rates = {dataset: RATES[net, dataset][position] for dataset in WANTED}
    settings = Training(
        net,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=rates[DATASETS[0]],
        examples=examples,
        steps_per_epoch=steps,
    )
    against = None if net == LENET else row_name(LENET, examples)
    name = row_name(net, examples)
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
                f"For {100 * WANTED['mnist']:g} % of MNIST's test digits "
                "LeNet-5 needs {lenet} and a fully connected network with as many parameters {fc}; "
                f"for {100 * WANTED['fashion-mnist']:g} % of the pictures of clothes "
                "{lenet_clothes} and {fc_clothes}.",
                fc=Mean(row_name("fc-matched", max(SIZES)), NEEDED),
                lenet=Mean(row_name(LENET, max(SIZES)), NEEDED),
                fc_clothes=Mean(f"{row_name('fc-matched', max(SIZES))} on fashion-mnist", NEEDED),
                lenet_clothes=Mean(f"{row_name(LENET, max(SIZES))} on fashion-mnist", NEEDED),
            ),
            checked="Each network learns from 100 to 55,000 examples; where its curve of test accuracy first reaches "
            "95 % (MNIST) or 85 % (Fashion-MNIST), it has the examples it needs. Each network has its own learning "
            "rate for each number of examples and data set, chosen on validation pictures.",
            core=tuple(_needs_more(net, dataset, 2) for dataset in WANTED for net in ("fc-matched", "fc-524")),
            rules="The bounds were set before the runs. The first runs were then found to be too short, and were "
            "withdrawn; epochs and a grid of rates for each row were set before any run with them. On validation "
            "pictures a row was seen to be best at the grid's largest rate, and a larger one was added.",
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
    surprises="For 95 % of the digits the fully connected networks need 7 and 13 times as many examples as LeNet-5, "
    "for 85 % of the pictures of clothes 2.1 and 2.9 times; the one with as many parameters as LeNet-5 needs most. "
    "How many times depends on what is wanted: for 80 % of the clothes it is 1.3 and 1.4 times, for 75 % as many as "
    "LeNet-5 needs. More examples do not close the gap here: after all 55,000 it is 1.0 and 1.6 points on MNIST, 2.0 "
    "and 2.7 on Fashion-MNIST. With few pictures of clothes no gap is found: from a hundred the fully connected "
    "networks even misread 1.8 and 2.1 points fewer, but with the number of comparisons counted in that is undecided "
    "(p 0.12 and 0.05). Withdrawn: that LeNet-5 needs 836 digits and the fully connected networks 7,195 and 11,756. "
    "Those runs had two to six epochs and one learning rate for all sizes and both data sets, and validation still "
    "improved when most of them ended (in 26 of 42 rows). The order stayed, and roughly the size of the gap. "
    "`fc-matched` misread 3.07 % after 55,000 digits then, and 2.46 % after the same digits in the `compare-fc` of "
    "the time; now it is 2.30 %, and 2.08 % there, where it has 15 epochs. On Fashion-MNIST ours still misread more "
    "than the README of that data set lists: the convolutional network 8.8 % (listed: 7.5), the fully connected ones "
    "11.5 and 10.8 % (listed: 10.0). The networks are others, and ten epochs may be too few.",
)
