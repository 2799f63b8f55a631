"""The model zoo: each network is one row, which names a builder and its options.

The rows are plain data, so that names can be listed and checked in milliseconds, without importing Keras.
`tests/cnn_models/test_zoo.py` states the exact parameter count of every row with its arithmetic; a row without one
fails the tests.
"""

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
from cnn_models.names import unknown
from cnn_models.papers import HE_2016, LECUN_1990, LECUN_1998, SPRINGENBERG_2015, ZHANG_2019


@dataclasses.dataclass(frozen=True)
class Takes:
    """The pictures and classes that a network accepts. Others are refused before anything is built.

    Attributes:
        least: smallest height and width, in pixels.
        side: the only accepted height and width, in pixels; None: any.
        channels: the only accepted number of channels; None: any.
        classes: the only accepted number of classes; None: any.
        why: the reason, for the message.
    """

    least: int = 1
    side: int | None = None
    channels: int | None = None
    classes: int | None = None
    why: str = ""

    def refusal(self, name: str, shape: tuple[int | None, ...], classes: int) -> str | None:
        """Says why a network does not accept these pictures and classes; None if it does.

        Args:
            name: name of the network, for the message.
            shape: height, width and channels of a picture; None: not known, and not checked.
            classes: number of classes.
        """
        height, width, channels = shape
        sides = [side for side in (height, width) if side is not None]  # a size that is not known is not checked
        if self.side is not None and (height, width) != (self.side, self.side):
            reason = f"takes pictures of {self.side}×{self.side} pixels, not {height}×{width}"
        elif min(sides, default=self.least) < self.least:
            reason = f"needs pictures of at least {self.least}×{self.least} pixels, not {height}×{width}"
        elif self.channels is not None and channels != self.channels:
            reason = f"takes pictures of {self.channels} channel{'s' if self.channels > 1 else ''}, not {channels}"
        elif self.classes is not None and classes != self.classes:
            reason = f"tells {self.classes} classes apart, not {classes}"
        else:
            return None
        return f"{name} {reason}{f', {self.why}' if self.why else ''}"


@dataclasses.dataclass(frozen=True)
class Field:
    """The receptive field of a network's last layer with rows and columns.

    Attributes:
        layer: name of that layer; None: there is none, as the first layer is fully connected.
        pixels: side of the receptive field, as `cnn_models.analysis` computes it (compared in
            `tests/cnn_models/test_zoo.py`); it may exceed the picture. None: the whole picture of any size.
    """

    layer: str | None
    pixels: int | None


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One network of the zoo.

    Attributes:
        builder: `module.function` in `cnn_models.networks`; called with `name`, `input_shape`, `classes` and `options`.
        source: the origin of the network (paper and section, or slide).
        options: further keyword arguments of the builder.
        takes: the accepted pictures and classes.
        field: its receptive field; None: not known.
    """

    builder: str
    source: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    takes: Takes = Takes()
    field: Field | None = None


OF_ITS_PAPER = Takes(side=28, why="as in its paper")
TEN_BITMAPS = dataclasses.replace(OF_ITS_PAPER, classes=10, why="as in its paper, which draws ten bitmaps")
TWO_CONVOLUTIONS = Takes(least=12)  # two 5×5 convolutions, the first padded, each followed by 2×2 pooling
ON_A_CANVAS = Takes(least=27)
TWO_BLURS = Takes(least=3)  # each blur mirrors one pixel at each border and halves the sides
TWO_WINDOWS = Takes(least=13)  # two 5×5 windows with stride 2
WHOLE = Field(None, None)
S4 = Field("s4", 16)  # 5×5, halved, 5×5, halved
ON_A_CANVAS_C3 = Field("c3", 27)
TWO_WINDOWS_FIELD = Field("hidden2", 13)
DEPTH_FIELDS = {
    **{("stride", depth): pixels for depth, pixels in ((4, 13), (8, 37), (16, 181))},
    **{("pooling", depth): pixels for depth, pixels in ((4, 14), (8, 40), (16, 196))},
}


def _seen_by_depth(growth: str, depth: int) -> Field:
    """The field of a stack's last convolution: each convolution adds two pixels, unless there are reductions."""
    return Field("last", DEPTH_FIELDS.get((growth, depth), 2 * depth + 1))


MODELS: dict[str, Architecture] = {
    # Fully connected nets: lecture slide "Нейрон поверх всех пикселей?"; LeCun 1998, section III.C.
    "linear": Architecture("fully_connected.perceptron", f"{LECUN_1998}, III.C.1", {"hidden": ()}, field=WHOLE),
    "fc-300": Architecture("fully_connected.perceptron", f"{LECUN_1998}, III.C.5", {"hidden": (300,)}, field=WHOLE),
    "fc-1000": Architecture("fully_connected.perceptron", f"{LECUN_1998}, III.C.5", {"hidden": (1000,)}, field=WHOLE),
    "fc-300-100": Architecture(
        "fully_connected.perceptron", f"{LECUN_1998}, III.C.6", {"hidden": (300, 100)}, field=WHOLE
    ),
    "fc-500-150": Architecture(
        "fully_connected.perceptron", f"{LECUN_1998}, III.C.6", {"hidden": (500, 150)}, field=WHOLE
    ),
    "fc-relu": Architecture(
        "fully_connected.perceptron",
        "Keras example mnist_mlp",
        {"hidden": (512, 512), "activation": "relu", "dropout": 0.2},
        field=WHOLE,
    ),
    "fc-matched": Architecture(
        "fully_connected.perceptron",
        "this suite: one hidden layer, as many parameters as lenet5",
        {"hidden": (78,), "activation": "relu"},
        field=WHOLE,
    ),
    # The LeNets: lecture slide "Соберем это все в сверточную сеть"; LeCun 1998, sections II.B and III.C.
    "lenet1": Architecture("lenet.lenet1", LECUN_1990, takes=OF_ITS_PAPER, field=Field("h4", 16)),
    "lenet4": Architecture("lenet.lenet4", f"{LECUN_1998}, III.C.8", takes=OF_ITS_PAPER, field=S4),
    "lenet5-1998": Architecture("lenet.lenet5_1998", f"{LECUN_1998}, II.B", takes=TEN_BITMAPS, field=S4),
    "lenet5": Architecture(
        "lenet.lenet5", f"{LECUN_1998}, II.B, as usually built today", takes=TWO_CONVOLUTIONS, field=S4
    ),
    "lenet5-relu": Architecture(
        "lenet.lenet5",
        f"{LECUN_1998}, II.B, as usually built today",
        {"activation": "relu", "pooling": "max"},
        TWO_CONVOLUTIONS,
        S4,
    ),
    # On a canvas of 56×56 these three have 201,000 parameters each: lecture slide "Не, так не работает!".
    "fc-64": Architecture(
        "fully_connected.perceptron",
        "this suite",
        {"hidden": (64,), "activation": "relu", "black_at_zero": True},
        field=WHOLE,
    ),
    "conv-flatten": Architecture(
        "position.pooled", "this suite", {"hidden": (91,), "head": "flatten"}, ON_A_CANVAS, ON_A_CANVAS_C3
    ),
    "conv-global-max": Architecture(
        "position.pooled", "this suite", {"hidden": (411, 411), "head": "global_max"}, ON_A_CANVAS, ON_A_CANVAS_C3
    ),
    # One network, three ways to connect it: lecture slides "Не, так не работает!" and "В сверточном слое …".
    "ladder-full": Architecture("sharing.ladder", "this suite", {"connection": "full"}, TWO_WINDOWS, WHOLE),
    "ladder-local": Architecture(
        "sharing.ladder", "this suite", {"connection": "local"}, TWO_WINDOWS, TWO_WINDOWS_FIELD
    ),
    "ladder-convolution": Architecture(
        "sharing.ladder", "this suite", {"connection": "convolution"}, TWO_WINDOWS, TWO_WINDOWS_FIELD
    ),
    "fc-524": Architecture(
        "fully_connected.perceptron",
        "this suite: one hidden layer, as many multiply-accumulates as lenet5",
        {"hidden": (524,), "activation": "relu"},
        field=WHOLE,
    ),
    # One network, nine ways to reduce: lecture slide "Нужно растить поле обзора быстрее!".
    **{
        f"reduce-{reduction}": Architecture(
            "downsampling.reduced",
            source,
            {"reduction": reduction},
            TWO_BLURS if reduction.startswith("blur") else Takes(),
            Field("last", pixels),
        )
        for reduction, pixels, source in (
            ("none", 11, "this suite"),
            ("max", 27, f"{SPRINGENBERG_2015}, table 1"),
            ("average", 27, f"{SPRINGENBERG_2015}, table 1"),
            ("strided", 21, f"{SPRINGENBERG_2015}, table 1"),
            ("conv-pool", 33, f"{SPRINGENBERG_2015}, table 1"),
            ("all-conv", 27, f"{SPRINGENBERG_2015}, table 1"),
            ("dilation", 21, "Yu and Koltun 2016, Multi-scale context aggregation by dilated convolutions"),
            ("blur-max", 33, f"{ZHANG_2019}, section 3.2"),
            ("blur-stride", 27, f"{ZHANG_2019}, section 3.2"),
        )
    },
    # Stacks of 3×3 convolutions: lecture slides "N сверточных слоев" and "Да и одного сверточного слоя мало!".
    **{
        f"deep-{growth}-{depth}": Architecture(
            "depth.stack",
            source,
            {"depth": depth, "width": 8, "growth": growth},
            Takes(least=2 ** -(-depth // 4)) if growth == "pooling" else Takes(),  # a 2×2 pooling every four layers
            _seen_by_depth(growth, depth),
        )
        for growth, source, depths in (
            ("plain", f"{HE_2016}, section 3.3, much smaller", (1, 2, 3, 4, 6, 8, 12, 16)),
            ("residual", f"{HE_2016}, section 3.3, much smaller", (8, 16)),
            ("stride", "this suite", (4, 8, 16)),
            ("pooling", "this suite", (4, 8, 16)),
        )
        for depth in depths
    },
    **{
        f"deep-unnormalised-{depth}": Architecture(
            "depth.stack",
            "this suite",
            {"depth": depth, "width": 8, "normalised": False},
            field=_seen_by_depth("plain", depth),
        )
        for depth in (8, 16)
    },
    # About as many parameters as deep-plain-16, in fewer layers.
    **{
        f"wide-{depth}": Architecture(
            "depth.stack", "this suite", {"depth": depth, "width": width}, field=_seen_by_depth("plain", depth)
        )
        for depth, width in ((2, 30), (4, 18), (8, 12))
    },
    # Deeper, with batch normalisation: a network of `make features`.
    "bn-6": Architecture(
        "batch_normalised.pairs",
        "this suite: pairs of 3×3 convolutions as in VGG (Simonyan and Zisserman 2015), normalised (Ioffe and "
        "Szegedy 2015)",
        {"widths": (8, 8, 16, 16, 32, 32)},
        Takes(least=4),  # two poolings of 2×2
        Field("relu6", 32),
    ),
    # For photographs: lecture slide "Цветная картинка".
    **{
        f"convnet-{width}": Architecture(
            "convnet.convnet",
            "this suite, after Springenberg et al. 2015 (convolutions of 3×3 and no dense layer) and KellerJordan's "
            "cifar10-airbench (pooling, then normalisation; the maximum of each map)",
            {"width": width, "head": "max"},
            Takes(least=8),  # three poolings of 2×2
            Field("relu6", 48),
        )
        for width in (8, 16)
    },
    # Deeper: lecture slide "Да и одного сверточного слоя мало!".
    "vgg-6": Architecture(
        "vgg.vgg",
        "Simonyan, Zisserman 2015, Very deep convolutional networks, section 2: its pattern, at the size of LeNet-5",
        {"filters": (16, 32, 64), "dropout": 0.3},
        Takes(least=8),  # three poolings of 2×2
        Field("pool3", 36),
    ),
}


def build(name: str, input_shape: tuple[int, ...] = (28, 28, 1), classes: int = 10, **options: Any) -> "keras.Model":
    """Builds an uncompiled network of the zoo with random weights.

    Args:
        name: a key of `MODELS`.
        input_shape: height, width and channels of a picture. The network expects brightnesses
            x/255 - 0.5, as on the lecture's slide "Как компьютер видит картинку".
        classes: number of classes.
        options: keyword arguments of the builder. They override the options of the row.

    Returns:
        A `keras.Model` from pictures `(batch, *input_shape)` to logits `(batch, classes)`.

    Raises:
        ValueError: there is no such name (the message gives similar ones), the network does not accept such
            pictures or classes, or its builder does not accept the options.
    """
    if name not in MODELS:
        raise ValueError(unknown("model", name, MODELS))
    architecture = MODELS[name]
    if refusal := architecture.takes.refusal(name, input_shape, classes):
        raise ValueError(f"{refusal}.")
    arguments = {"name": name, "input_shape": input_shape, "classes": classes, **architecture.options, **options}
    return _builder(name, architecture, arguments)(**arguments)


def _builder(name: str, architecture: Architecture, arguments: Mapping[str, Any]) -> "Callable[..., keras.Model]":
    """Returns the function that builds a network.

    Raises:
        ValueError: there is no such function, or it does not accept these arguments.
    """
    module, _, function = architecture.builder.partition(".")
    try:
        builder: Callable[..., keras.Model] = getattr(
            importlib.import_module(f"cnn_models.networks.{module}"), function
        )
        inspect.signature(builder).bind(**arguments)
    except (AttributeError, ModuleNotFoundError) as error:
        raise ValueError(
            f"{name}'s builder cnn_models.networks.{architecture.builder} does not exist: {error}."
        ) from error
    except TypeError as error:
        taken = ", ".join(arguments)
        raise ValueError(
            f"{name}'s builder cnn_models.networks.{architecture.builder} must take {taken}: {error}."
        ) from error
    return builder
