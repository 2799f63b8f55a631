"""What buys a larger field, and at what price (slide "Нужно растить поле обзора быстрее!")."""

from cnn_models.papers import SPRINGENBERG_2015, ZHANG_2019
from lab.declare.evidence import Answer, Difference, Evidence, Mean, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.rates import Rates
from lab.declare.recipe import Measures, Training

ERROR, CONSISTENCY, EFFECTIVE = "test_error_percent", "shift_consistency_percent", "effective_field_pixels"
# Arms, with the error that Springenberg et al. 2015 print for CIFAR-10 (base C, plain data).
ARMS: dict[str, float | None] = {
    "none": None,
    "max": 9.74,
    "average": None,
    "strided": 10.19,
    "conv-pool": 9.31,
    "all-conv": 9.08,
    "dilation": None,
    "blur-max": None,
    "blur-stride": None,
}
DATASETS = ("mnist", "fashion-mnist")
EPOCHS = 12
GRID = (0.003, 0.01, 0.03, 0.1)
RATE = 0.03  # that the grid chose for all rows but these, by arm and data set
RATES = {("conv-pool", "mnist"): 0.01, ("conv-pool", "fashion-mnist"): 0.01, ("all-conv", "fashion-mnist"): 0.01}
LABELS = {
    "none": "no reduction",
    "max": "max pooling",
    "average": "average pooling",
    "strided": "stride 2",
    "conv-pool": "extra layer, max pooling",
    "all-conv": "extra layer of stride 2",
    "dilation": "dilation",
    "blur-max": "max pooling, blurred",
    "blur-stride": "blur, then stride 2",
}
PUBLISHED = "cifar10_error_percent_2015"
REDUCERS = {"max": "max pooling", "strided": "a stride"}


def _row(arm: str) -> Variant:
    published = ARMS[arm]
    settings = Training(
        f"reduce-{arm}",
        epochs=EPOCHS,
        batch_size=32,
        learning_rate=RATE,
        examples=8_000,
        measures=Measures(consistency_shift=3, field_layer="last"),
    )
    # A blur is measured against what it blurs, dilation against no reduction, at as many multiply-accumulates.
    against = {"blur-max": "max", "blur-stride": "strided", "dilation": "none"}.get(arm)
    numbers = {} if published is None else {PUBLISHED: published}
    rates = {dataset: RATES[arm, dataset] for dataset in DATASETS if (arm, dataset) in RATES}
    return Variant(arm, settings, published=numbers, against=against, label=LABELS[arm], learning_rates=rates)


EXPERIMENT = Experiment(
    name="stride-vs-pooling",
    question="What buys a larger receptive field, stride or pooling, and at what price?",
    expectation="Both see more than no reduction at a fraction of its cost, and misread less. Springenberg et al. "
    "order the errors strided > max pooling > conv-pool > all-conv. A blur makes either steadier under shift.",
    sources=(
        "slide: Нужно растить поле обзора быстрее!",
        "slide: Пулинг слой",
        SPRINGENBERG_2015,
        ZHANG_2019,
    ),
    variants=tuple(_row(arm) for arm in ARMS),
    also_on=DATASETS[1:],
    baseline="max",
    rates=Rates(GRID),
    compared=(ERROR, CONSISTENCY, "effective_field_pixels", "train_seconds", "inference_seconds"),
    evidence=(
        Evidence(
            "rf-faster",
            Answer(
                "After training, the last of five layers sees in effect {plain} without any reduction, {pooled} with "
                "max pooling and {strided} with strides; the errors are {plain_error}, {pooled_error} and "
                "{strided_error}.",
                plain=Mean("none", EFFECTIVE),
                pooled=Mean("max", EFFECTIVE),
                strided=Mean("strided", EFFECTIVE),
                plain_error=Mean("none", ERROR),
                pooled_error=Mean("max", ERROR),
                strided_error=Mean("strided", ERROR),
            ),
            checked="One network of five 3×3 convolutions learns from 8,000 digits; only what reduces its maps "
            "differs. The field decides here, not the error.",
            core=tuple(
                Statement(
                    f"in effect the last layer sees more with {words}",
                    Difference(arm, "none", EFFECTIVE).above(0),
                )
                for arm, words in REDUCERS.items()
            ),
            limits=(
                Statement(
                    "Strides make the network less steady under shift than max pooling on Fashion-MNIST",
                    Difference("strided on fashion-mnist", "max on fashion-mnist", CONSISTENCY).below(0),
                ),
            ),
            rules="The statements were set before the first runs; those on the test error, which the slide does not "
            "make, were taken out afterwards, and the limit was added. Those runs had three passes and were withdrawn "
            "as evidence: the recipe was made four times as long, with a grid of rates for each arm and data set, "
            "before any run with it. The grid got its largest rate, 0.1, on validation pictures, as most rows were "
            "best at 0.03, the largest until then.",
            literature_for="Springenberg et al. 2015: both work; Araujo, Norris and Sim 2019: the field grows by the "
            "product of strides.",
            literature_against="Luo et al. 2016: the effective field is a fraction of the theoretical one. "
            "Springenberg et al. 2015: a strided network errs more than a pooled one (10.19 and "
            "9.74 % on CIFAR-10) unless it gets the convolution's parameters.",
        ),
    ),
    columns=(
        "variant",
        "dataset",
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
        "train_seconds_mean",
        "inference_seconds_mean",
        "seeds",
        "diverged",
    ),
    figure="experiments.stride_vs_pooling.figure.draw",
    reading="All rows are one network of five 3×3 convolutions that learns from 8,000 pictures; only what reduces its "
    "maps, twice, differs, and the learning rate, which is that of a grid that served the row best. conv-pool and "
    "all-conv have an extra convolution in each block. Consistency is the share of test pictures of which two random "
    "shifts of up to 3 pixels get the same class. The field is that of the last convolution's middle position: in "
    "effect after training (dots, over 200 validation pictures) and in theory (diamonds). Blurred rows are compared "
    "with what they blur, dilation with no reduction, all others with max pooling. Inference seconds are for the "
    "10,000 test pictures.",
    surprises="Every way to a larger field misreads fewer pictures than none: without reduction 2.4 % of the digits "
    "and 17.6 % of the clothes are misread, by the other eight rows 1.2 to 1.8 and 12.8 to 14.5 %. The cleanest "
    "comparison is dilation beside no reduction, as both cost the same multiply-accumulates and drop no position: it "
    "sees 19 to 20 pixels in effect where the other sees 10, and misreads 1.2 points fewer digits (0.9 to 1.4) and 4.3 "
    "points fewer clothes (3.3 to 5.3). Springenberg's order, strided > max pooling > conv-pool > all-conv, is not "
    "found. A stride in the place of pooling does cost 0.4 points on digits (0.2 to 0.7) and 1.1 on clothes (0.4 to "
    "1.8), each by itself, but with all comparisons counted in that is undecided (p 0.12 and 0.13). An extra layer "
    "gains 0.3 points on digits where a stride follows (0.2 to 0.5, by itself), as there, and nothing elsewhere. That "
    "a blur makes networks more accurate, as Zhang found in all seven, is not seen here with twelve passes either, so "
    "the budget of three was not the reason: by itself it gains 0.3 points on digits after a stride (0.0 to 0.6), "
    "undecided with all comparisons counted in, and elsewhere nothing. On clothes a blur makes rows steadier: two "
    "shifts of a picture get the same class 8.2 points more often after a stride (2.1 to 14.4) and 2.6 points after "
    "pooling (1.3 to 3.8), which with all comparisons counted in is undecided too (p 0.22 and 0.07). That a stride is "
    "less steady there than pooling is not: 67.6 and 76.1 % (p 0.04). Withdrawn: that dilation gains 5.0 points on "
    "either data set, and that without reduction 7.9 % of the digits are misread. Those runs had three passes, six of "
    "nine learning rates lay at the edge of their grid, and validation was still improving in most rows; now no row is "
    "marked.",
)
