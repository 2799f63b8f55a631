"""LeNet-5 reads digits (slide "Соберем это все в сверточную сеть")."""

from experiments.lab.spec import Distortion, Experiment, Training, Variant

LECUN_1998 = "LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition"

EXPERIMENT = Experiment(
    name="lenet",
    question="How well do the LeNets of 1990-1998, and LeNet-5 as it is built today, read handwritten digits?",
    expectation="LeNet-5 misreads 0.95 % of the test digits, 0.8 % when trained with distortions (LeCun 1998).",
    sources=("slide: Соберем это все в сверточную сеть", f"{LECUN_1998}, figure 9"),
    variants=(
        Variant("lenet1", Training("lenet1"), "1990, 2,578 parameters", {"error_percent_1998": 1.7}),
        Variant("lenet4", Training("lenet4"), "1998, C3 guessed", {"error_percent_1998": 1.1}),
        Variant("lenet5-1998", Training("lenet5-1998"), "as printed", {"error_percent_1998": 0.95}),
        Variant("lenet5", Training("lenet5"), "as built today: tanh, average pooling", {"error_percent_1998": 0.95}),
        Variant("lenet5-relu", Training("lenet5-relu"), "ReLU, max pooling", {"error_percent_1998": 0.95}),
        Variant(
            "lenet5-relu-distorted",
            Training("lenet5-relu", epochs=20, distortion=Distortion(10, 0.1, 0.1, 1)),
            "ReLU, max pooling, random affine distortions",
            {"error_percent_1998": 0.8},
        ),
    ),
    columns=(
        "variant",
        "params",
        "macs",
        "test_error_percent_mean",
        "error_percent_1998",
        "seeds",
        "train_seconds_mean",
    ),
    figure_options={"measures": {"test_error_percent": "this suite"}},
)
