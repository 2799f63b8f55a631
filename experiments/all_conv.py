"""Strides or pooling on photographs, Springenberg's networks smaller (slide "Нужно растить поле обзора быстрее!")."""

from cnn_models.papers import SPRINGENBERG_2015, ZHANG_2019
from cnn_models.zoo import Takes
from lab.declare.evidence import Answer, Difference, Evidence, Mean, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.rates import Rates
from lab.declare.recipe import Measures, Training

ERROR, CONSISTENCY, EFFECTIVE = "test_error_percent", "shift_consistency_percent", "effective_field_pixels"
PUBLISHED = "cifar10_error_percent_2015"
# Arms: what figures call them, what they are compared with, and the error that the paper's table 3
# has for base C without augmentation.
ARMS: dict[str, tuple[str, str | None, float | None]] = {
    "max": ("max pooling", None, 9.74),
    "strided": ("stride 2", None, 10.19),
    "conv-pool": ("extra layer, max pooling", None, 9.31),
    "all-conv": ("extra layer of stride 2", None, 9.08),
    "blur-max": ("max pooling, blurred", "max", None),
    "blur-stride": ("blur, then stride 2", "strided", None),
}
# The learning rates that the grid chose, by row (`make all-conv RATES=1`).
RATES = dict.fromkeys(ARMS, 0.01) | {"conv-pool": 0.003}


def _row(arm: str) -> Variant:
    label, against, published = ARMS[arm]
    settings = Training(
        f"reduce-{arm}",
        epochs=8,
        batch_size=64,
        learning_rate=RATES[arm],
        options={"width": 24},
        measures=Measures(consistency_shift=3, field_layer="last"),
    )
    numbers = {} if published is None else {PUBLISHED: published}
    return Variant(arm, settings, published=numbers, against=against, label=label)


EXPERIMENT = Experiment(
    name="all-conv",
    question="On photographs, does a stride do as well as max pooling, and what does a blur change?",
    expectation="Springenberg et al. order the errors strided > max pooling > conv-pool > all-conv on CIFAR-10. Zhang "
    "finds that a blur makes strides and pooling steadier under shift, and never less accurate.",
    sources=("slide: Нужно растить поле обзора быстрее!", "slide: Пулинг слой", SPRINGENBERG_2015, ZHANG_2019),
    dataset="cifar-10",
    seeds=1,
    variants=tuple(_row(arm) for arm in ARMS),
    takes=Takes(channels=3, why="as a photograph has"),
    baseline="max",
    compared=(ERROR, CONSISTENCY, EFFECTIVE),
    rates=Rates((0.003, 0.01, 0.03, 0.1)),
    evidence=(
        Evidence(
            "rf-faster",
            Answer(
                "On photographs a network misreads {pooled} with max pooling and {strided} with strides; with an extra "
                "layer it misreads {conv_pool} with max pooling and {all_conv} with strides.",
                pooled=Mean("max", ERROR),
                strided=Mean("strided", ERROR),
                conv_pool=Mean("conv-pool", ERROR),
                all_conv=Mean("all-conv", ERROR),
            ),
            checked="Springenberg's networks on CIFAR-10, with a sixteenth of base C's multiply-accumulates (6 % for "
            "max pooling) and eight passes instead of 350.",
            core=(
                Statement(
                    "a stride works as pooling does: the strided network misreads at most 5 points more",
                    Difference("strided", "max", ERROR).below(5),
                ),
            ),
            limits=(
                Statement(
                    "A stride that takes the place of pooling costs accuracy, as in the paper",
                    Difference("strided", "max", ERROR).above(0),
                ),
                Statement(
                    "Where both have an extra layer, strides do better than pooling, as in the paper",
                    Difference("all-conv", "conv-pool", ERROR).below(0),
                ),
                Statement(
                    "An extra layer does better than none, whatever follows it, as in the paper",
                    Difference("conv-pool", "max", ERROR).below(0),
                ),
                Statement(
                    "A blur makes strides steadier under shift, as Zhang found",
                    Difference("blur-stride", "strided", CONSISTENCY).above(0),
                ),
                Statement(
                    "A blur makes max pooling steadier under shift, as Zhang found",
                    Difference("blur-max", "max", CONSISTENCY).above(0),
                ),
            ),
            rules="All bounds were set before the runs. The grid of learning rates was 0.01, 0.03 and 0.1 at first, by "
            "what `stride-vs-pooling` had chosen for such networks; as every row did best at 0.01 on validation "
            "photographs, 0.003 was added for all.",
            literature_for="Springenberg et al. 2015, table 3, base C without augmentation: strided 10.19, max pooling "
            "9.74, conv-pool 9.31, all-conv 9.08 %. Zhang 2019: consistency rises by 1.7 to 4.3 points in all seven "
            "networks on ImageNet.",
            literature_against="Springenberg et al. 2015: a stride in the place of pooling errs more than pooling.",
        ),
    ),
    columns=(
        "variant",
        "params",
        "macs",
        "receptive_field_pixels",
        "effective_field_pixels_mean",
        "learning_rate",
        "test_error_percent_mean",
        "test_error_percent_minus_baseline_mean",
        "shift_consistency_percent_mean",
        "shift_consistency_percent_minus_baseline_mean",
        "comparison",
        PUBLISHED,
        "seeds",
        "train_seconds_mean",
    ),
    figure_options={
        "title": "How many of CIFAR-10's test photographs are misread, by what reduces the maps",
        "published": (PUBLISHED, "printed in 2015"),
    },
    reading="All rows are one network of five 3×3 convolutions of 24 and 48 maps that learns from CIFAR-10's 45,000 "
    "photographs without augmentation; only what reduces its maps, twice, differs, and the learning rate, which is "
    "that of a grid that served the row best. conv-pool and all-conv have an extra convolution in each block. "
    "Consistency is the share of test pictures of which two random shifts of up to 3 pixels get the same class. "
    "Blurred rows are compared with what they blur, all others with max pooling. The hollow diamonds are the errors "
    "that Springenberg et al. printed for base C, which has sixteen times the multiply-accumulates and learned for 350 "
    "passes: the order is to be compared, not the numbers. One seed takes about a quarter of an hour on two cores; a "
    "verdict needs at least three (SEEDS=3).",
    surprises="As in the paper, a stride in the place of pooling costs accuracy: 3.8 points (3.1 to 4.5). Against the "
    "paper, an extra layer costs accuracy, too, where there is pooling: 1.0 points (0.5 to 1.6). All-conv, the paper's "
    "best, comes last but one here, 1.8 points behind conv-pool and 2.8 behind max pooling. The networks with an extra "
    "layer also misread more of the photographs that they learned from, 16.6 and 16.3 %, than max pooling does (14.7 "
    "%), though they have half as many parameters again: in eight passes they learned less of them, and what they "
    "would do after 350 is not known. A blur of the strided network takes off 2.6 points of error (2.2 to 3.1), most "
    "of what the stride had cost, and adds 7.8 points of consistency; but its convolutions are at every pixel again, "
    "so that it has twice the strided network's multiply-accumulates, as many as max pooling. Max pooling, blurred, is "
    "the best row: 4.4 points steadier than without the blur, and 1.0 points of error better (0.0 to 1.9). All 72 runs "
    "that chose learning rates, and three of the thirty others, were made on one GPU.",
)
