"""LeNet-5 reads digits (slide "Соберем это все в сверточную сеть").

The grid has chosen the learning rate of each row, on MNIST's validation split, with seeds 100 to 102, which are in no
table. Before the grid these were tried with one such seed: batches of 128 and 32; for lenet5-1998 plain cross-entropy
0.982, the paper's MAP criterion with j = 1, 10, 40: 0.986, 0.988, 0.984 (batch 128), and 0.992 with j = 10 and batches
of 32; for vgg-6-distorted the rates 0.004, 0.01 and 0.025 (validation accuracy 0.9970, 0.9956, 0.9954).
"""

from cnn_models.papers import LECUN_1998
from lab.declare.evidence import Answer, Difference, Evidence, Mean, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.rates import Rates
from lab.declare.recipe import HANDWRITING, Training

ERROR = "test_error_percent"


def _errs_at_most(variant: str, network: str, percent: float) -> Statement:
    return Statement(
        f"{network} misreads at most {percent} % of the test digits", Mean(variant, ERROR).at_most(percent)
    )


EXPERIMENT = Experiment(
    name="lenet",
    question="How well do the LeNets of 1990 to 1998, LeNet-5 as it is built today, and a small network of today read "
    "handwritten digits?",
    expectation="LeNet-5 misreads 0.95 % of the test digits, 0.8 % when trained with distortions (LeCun 1998).",
    sources=("slide: Соберем это все в сверточную сеть", f"{LECUN_1998}, figure 9"),
    variants=(
        Variant(
            "lenet1",
            Training("lenet1", epochs=15, learning_rate=3e-2, weight_decay=0.01),
            "1990, 2,578 parameters",
            {"error_percent_1998": 1.7},
            label="LeNet-1",
        ),
        Variant(
            "lenet4",
            Training("lenet4", epochs=15, batch_size=32, learning_rate=5e-3, weight_decay=0.02),
            "C3 guessed",
            {"error_percent_1998": 1.1},
            label="LeNet-4",
        ),
        Variant(
            "lenet5-1998",
            Training(
                "lenet5-1998", epochs=20, batch_size=32, learning_rate=5e-3, weight_decay=0.02, rubbish_penalty=10.0
            ),
            "as printed",
            {"error_percent_1998": 0.95},
            label="LeNet-5 as printed in 1998",
        ),
        Variant(
            "lenet5-1998-cross-entropy",
            Training("lenet5-1998", epochs=20, batch_size=32, learning_rate=1.2e-2, weight_decay=0.02),
            "as printed, but today's loss",
            label="LeNet-5 as printed, cross-entropy",
        ),
        Variant(
            "lenet5-small-batches",
            Training("lenet5", epochs=20, batch_size=32, learning_rate=2e-3, weight_decay=0.02),
            "as built today, with the batches and epochs of the network as printed",
            label="LeNet-5, tanh, batches of 32",
        ),
        Variant(
            "lenet5",
            Training("lenet5", epochs=15, learning_rate=1.2e-2),
            "as built today: tanh, average pooling",
            {"error_percent_1998": 0.95},
            label="LeNet-5, tanh, average pooling",
        ),
        Variant(
            "lenet5-relu",
            Training("lenet5-relu", epochs=15, learning_rate=1.2e-2),
            "ReLU, max pooling",
            {"error_percent_1998": 0.95},
            label="LeNet-5, ReLU, max pooling",
        ),
        Variant(
            "lenet5-relu-distorted",
            Training("lenet5-relu", epochs=60, learning_rate=1.2e-2, distortion=HANDWRITING),
            "ReLU, max pooling, random affine distortions",
            {"error_percent_1998": 0.8},
            label="LeNet-5, ReLU, distorted digits",
        ),
        Variant(
            "vgg-6-distorted",
            Training("vgg-6", epochs=20, learning_rate=2e-3, distortion=HANDWRITING),
            "six convolutions of 3×3, 77,562 parameters, random affine distortions",
            label="six convolutions, distorted digits",
        ),
    ),
    baseline="lenet5",
    rates=Rates((0.002, 0.005, 0.012, 0.03)),
    evidence=(
        Evidence(
            "lenet",
            Answer(
                "LeNet-5 as printed in 1998 misreads {printed:pictures} of the test digits, where 0.95 % was printed; "
                "as it is usually built today, with tanh, it misreads {today}.",
                printed=Mean("lenet5-1998", ERROR),
                today=Mean("lenet5", ERROR),
            ),
            checked="Each network learns from 55,000 digits of MNIST and reads the 10,000 test digits once. It "
            "recognises digits where it errs no more than was printed in 1998.",
            core=(_errs_at_most("lenet5-1998", "LeNet-5 as printed in 1998", 0.95),),
            limits=(
                Statement(
                    "As usually built today, with tanh and average pooling, LeNet-5 misreads more than the 0.95 % "
                    "printed in 1998",
                    Mean("lenet5", ERROR).above(0.95),
                ),
                Statement(
                    "Some of what the network as printed gains over today's with tanh is its recipe: with batches of "
                    "32 and 20 epochs today's misreads less too",
                    Difference("lenet5", "lenet5-small-batches", ERROR).above(0),
                ),
                Statement(
                    "Part of what the network as printed gains over today's with tanh is its layers: with the same "
                    "batches, epochs and loss it misreads less",
                    Difference("lenet5-small-batches", "lenet5-1998-cross-entropy", ERROR).above(0),
                ),
                Statement(
                    "Part of what the network as printed gains over today's with tanh is its loss: by cross-entropy "
                    "it misreads more",
                    Difference("lenet5-1998-cross-entropy", "lenet5-1998", ERROR).above(0),
                ),
                _errs_at_most(
                    "vgg-6-distorted", "A small network of today, which learned from distorted digits,", 0.35
                ),
            ),
            rules="The bound of 0.95 % was set before the runs. After the numbers had been seen, the network as "
            "printed became the core statement, and the simplified one a limit. The statements on what batches, loss "
            "and layers each do were set before their runs. So was the one on a small network of today, when one seed "
            "had misread 0.30 to 0.46 % of the validation digits at three rates. All rows then got rates chosen by a "
            "grid, and `lenet5-relu-distorted` 60 epochs instead of 30, after its 0.52 % had been seen.",
            literature_for="LeCun 1998, figure 9: 0.95 %, and 0.8 % with distortions. PyTorch's example of a "
            "(larger) convolutional network reaches 0.8 to 1.1 %.",
        ),
    ),
    columns=(
        "variant",
        "params",
        "macs",
        "test_error_percent_mean",
        "error_percent_1998",
        "test_error_percent_minus_baseline_mean",
        "test_error_percent_minus_baseline_p_value_holm",
        "test_error_percent_minus_baseline_detectable",
        "comparison",
        "seeds",
        "train_seconds_mean",
    ),
    figure_options={
        "title": "How many of MNIST's test digits each network misreads",
        "published": ("error_percent_1998", "printed in 1998"),
    },
    reading='"Error 1998", the hollow diamonds, is what LeCun et al. printed for the network of that name. '
    '"Δ to lenet5" is the difference from lenet5, seed by seed. Beside it stands the difference that a paired test of '
    "as many seeds would find with a power of 0.8. Rows of twenty seeds are compared over the five that both have (n "
    "in the comparison), so that their difference is not that of the two means.",
    surprises="LeNet-5 as printed in 1998, with its sparse third layer and bitmaps as outputs, misreads fewer digits "
    "than LeNet-5 as it is usually built today, with tanh and average pooling: 0.81 and 1.21 %, 0.40 points apart "
    "(0.31 to 0.50). Part of that is the recipe: with batches of 32, twenty epochs and a learning rate chosen for them "
    "today's tanh network misreads 1.05 %, 0.16 points less (0.02 to 0.30; with all comparisons of the table counted "
    "in undecided, p 0.06). Its layers alone do not help: by cross-entropy the network as printed misreads 1.39 %, "
    "0.34 points more than today's tanh network with the same batches and epochs (0.16 to 0.51). With the paper's "
    "loss, for which the bitmaps were made, it misreads 0.58 points less than by cross-entropy (0.46 to 0.70). Whether "
    "that loss would help today's layers was not tried. Withdrawn: that the smaller batches are worth about 0.3 "
    "points, which one seed had shown. LeNet-5 with ReLU and max pooling misreads 0.71 %, and with distorted digits "
    "0.49 % over twenty seeds (0.47 to 0.51), with sixty epochs and a rate chosen by the grid; with thirty epochs and "
    "half that rate it was 0.52 % over five. Six 3×3 convolutions of 77,562 parameters, with the same distortions and "
    "a third of the epochs, misread 0.34 % over twenty seeds (0.32 to 0.36); whether they misread at most 0.35 % is "
    "undecided. Three of the chosen rates lie at an edge of the grid, and none of them is better than the next by more "
    "than the standard error: LeNet-1's (the largest), and those of the tanh network with batches of 32 and of the six "
    "convolutions (the least; for these the rates up to 0.012 do alike on validation digits, 0.45 to 0.48 %). "
    "Withdrawn as well: lenet5's interval of ± 0.02 over five seeds, which was narrow by luck; at the rate that the "
    "grid chose it is ± 0.06.",
)
