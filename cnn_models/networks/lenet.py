"""The LeNets (slide "Соберем это все в сверточную сеть").

All take brightnesses x/255 - 0.5 and return logits; `cnn_models.zoo` gives the accepted pictures. "Connections" below
counts every use of a weight, including biases, as the papers do.
"""

from typing import Any

import keras
from keras import layers

from cnn_models.layers.lecun1998 import (
    FanInUniform,
    RBFOutput,
    Seeds,
    SparseConv2D,
    TrainableSubsampling2D,
    scaled_tanh,
)

# LeCun 1990, table 1: two separate halves, each reading two of the four maps of H2.
LENET1_H3 = [[0], [0, 1], [0, 1], [1], [0, 1], [0, 1], [2], [2, 3], [2, 3], [3], [2, 3], [2, 3]]

# A guess: the paper does not print this table. Three inputs per map give 262,306 connections, and the paper says
# "about 260,000".
LENET4_C3 = [[i, (i + 1) % 8, (i + 2) % 8] for i in range(8)] + [[i, (i + 2) % 8, (i + 5) % 8] for i in range(8)]

# LeCun 1998, table I: six maps read three neighbours, nine read four, the last reads all six.
LENET5_C3 = (
    [[i, (i + 1) % 6, (i + 2) % 6] for i in range(6)]
    + [[i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6] for i in range(6)]
    + [[i, (i + 1) % 6, (i + 3) % 6, (i + 4) % 6] for i in range(3)]
    + [list(range(6))]
)


def lenet1(*, name: str, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """LeNet-1 of LeCun et al. 1990.

    | layer | output | parameters | connections |
    |---|---|---|---|
    | H1 convolution 5×5 | 24×24×4 | (25 + 1)·4 = 104 | 576·104 = 59,904 |
    | H2 subsampling | 12×12×4 | 2·4 = 8 | 144·4·5 = 2,880 |
    | H3 sparse convolution 5×5 | 8×8×12 | 20·25 + 12 = 512 | 64·512 = 32,768 |
    | H4 subsampling | 4×4×12 | 2·12 = 24 | 16·12·5 = 960 |
    | output | 10 | (192 + 1)·10 = 1,930 | 1,930 |
    | sum | | **2,578** | **98,442**, both as printed in 1990 |

    Deviations: softmax and cross-entropy instead of squared error; digits fill 20×20 of the 28×28
    pixels, where the paper's fill 16×16.

    Returns:
        A model from `(batch, 28, 28, 1)` to logits `(batch, classes)`.
    """
    seed = Seeds()
    return keras.Sequential(
        [
            keras.Input(input_shape),
            *_convolution("h1", 4, input_shape, seed),
            *_subsampling("h2"),
            SparseConv2D(LENET1_H3, 5, seed, name="h3"),
            layers.Activation(scaled_tanh, name="h3_squash"),
            *_subsampling("h4"),
            layers.Flatten(name="flatten"),
            layers.Dense(classes, kernel_initializer=FanInUniform(seed=seed), name="output"),
        ],
        name=name,
    )


def lenet4(*, name: str, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """LeNet-4 of LeCun 1998, III.C.8, whose text leaves the connections of C3 open.

    | layer | output | parameters |
    |---|---|---|
    | C1 convolution 5×5 of the 32×32 picture | 28×28×4 | (25 + 1)·4 = 104 |
    | S2 subsampling, each map of C1 twice | 14×14×8 | 2·8 = 16 |
    | C3 sparse convolution 5×5 | 10×10×16 | 48·25 + 16 = 1,216 |
    | S4 subsampling | 5×5×16 | 2·16 = 32 |
    | F5 fully connected | 120 | (400 + 1)·120 = 48,120 |
    | output | 10 | (120 + 1)·10 = 1,210 |
    | sum | | **50,698** |

    Deviations and guesses: each map of C3 reads three maps (`LENET4_C3`); softmax and cross-entropy. The paper says
    "about 17,000 free parameters", which contradicts its own description: F5 alone has 48,120. It also says "about
    260,000 multiply-adds", which agrees with this network's 262,306 connections. So the description is followed.

    Returns:
        A model from `(batch, 28, 28, 1)` to logits `(batch, classes)`.
    """
    seed = Seeds()
    return keras.Sequential(
        [
            keras.Input(input_shape),
            *_padding_1998(),
            *_convolution("c1", 4, input_shape, seed),
            *_subsampling("s2", depth_multiplier=2),
            SparseConv2D(LENET4_C3, 5, seed, name="c3"),
            layers.Activation(scaled_tanh, name="c3_squash"),
            *_subsampling("s4"),
            layers.Flatten(name="flatten"),
            layers.Dense(120, activation=scaled_tanh, kernel_initializer=FanInUniform(seed=seed), name="f5"),
            layers.Dense(classes, kernel_initializer=FanInUniform(seed=seed), name="output"),
        ],
        name=name,
    )


def lenet5_1998(*, name: str, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """LeNet-5 as printed in LeCun 1998, II.B.

    | layer | output | trainable parameters | connections |
    |---|---|---|---|
    | C1 convolution 5×5 of the 32×32 picture | 28×28×6 | (25 + 1)·6 = 156 | 784·156 = 122,304 |
    | S2 subsampling | 14×14×6 | 2·6 = 12 | 196·6·5 = 5,880 |
    | C3 sparse convolution 5×5, table I | 10×10×16 | 60·25 + 16 = 1,516 | 100·1,516 = 151,600 |
    | S4 subsampling | 5×5×16 | 2·16 = 32 | 25·16·5 = 2,000 |
    | C5 convolution 5×5 | 1×1×120 | (400 + 1)·120 = 48,120 | 48,120 |
    | F6 fully connected | 84 | (120 + 1)·84 = 10,164 | 10,164 |
    | output: RBF, 7×12 bitmaps, fixed | 10 | 0 (of 840) | 840 |
    | sum | | **60,000** | **340,908** |

    Train it with `cnn_models.layers.losses.MapCriterion`: the prototypes are so far apart that plain
    cross-entropy becomes small long before a picture's code is near its prototype.

    Deviations: the 7×12 bitmaps are redrawn by hand after figure 3; the biases start at zero; the
    optimizer is the suite's, not the paper's stochastic diagonal Levenberg-Marquardt.

    Returns:
        A model from `(batch, 28, 28, 1)` to logits `(batch, 10)`, the negative RBF penalties.

    Raises:
        ValueError: `classes` is not 10, as there are ten bitmaps.
    """
    if classes != 10:
        raise ValueError(f"{name} has ten bitmaps in its output layer; it cannot tell {classes} classes apart.")
    seed = Seeds()
    return keras.Sequential(
        [
            keras.Input(input_shape),
            *_padding_1998(),
            *_convolution("c1", 6, input_shape, seed),
            *_subsampling("s2"),
            SparseConv2D(LENET5_C3, 5, seed, name="c3"),
            layers.Activation(scaled_tanh, name="c3_squash"),
            *_subsampling("s4"),
            layers.Conv2D(120, 5, activation=scaled_tanh, kernel_initializer=FanInUniform(seed=seed), name="c5"),
            layers.Flatten(name="flatten"),
            layers.Dense(84, activation=scaled_tanh, kernel_initializer=FanInUniform(seed=seed), name="f6"),
            RBFOutput(name="output"),
        ],
        name=name,
    )


def lenet5(
    *,
    name: str,
    input_shape: tuple[int, ...],
    classes: int,
    activation: str = "tanh",
    pooling: str = "average",
    width: float = 1.0,
) -> keras.Model:
    """LeNet-5 as it is usually built today: C3 complete, pooling without parameters, plain softmax.

    | layer | output | parameters |
    |---|---|---|
    | C1 convolution 5×5, same padding | 28×28×6 | (25 + 1)·6 = 156 |
    | S2 pooling 2×2 | 14×14×6 | 0 |
    | C3 convolution 5×5 | 10×10×16 | (25·6 + 1)·16 = 2,416 |
    | S4 pooling 2×2 | 5×5×16 | 0 |
    | C5 fully connected | 120 | (400 + 1)·120 = 48,120 |
    | F6 fully connected | 84 | (120 + 1)·84 = 10,164 |
    | output | 10 | (84 + 1)·10 = 850 |
    | sum | | **61,706** |

    Deviations from 1998: a complete C3, pooling, softmax, Keras's initialisers, and padding by zeros, which is grey for
    x/255 - 0.5 and not white as in the paper.

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture, at least 12×12.
        classes: number of classes.
        activation: activation function of the convolutions and fully connected layers.
        pooling: "average" or "max".
        width: factor for the number of maps and units of each hidden layer; the result is rounded.

    Returns:
        A model from `(batch, *input_shape)` to logits `(batch, classes)`.
    """
    pool = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}[pooling]
    c1, c3, c5, f6 = (round(width * count) for count in (6, 16, 120, 84))
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(c1, 5, padding="same", activation=activation, name="c1"),
            pool(2, name="s2"),
            layers.Conv2D(c3, 5, activation=activation, name="c3"),
            pool(2, name="s4"),
            layers.Flatten(name="flatten"),
            layers.Dense(c5, activation=activation, name="c5"),
            layers.Dense(f6, activation=activation, name="f6"),
            layers.Dense(classes, name="output"),
        ],
        name=name,
    )


def _padding_1998() -> list[keras.Layer]:
    """Layers that turn x/255 - 0.5 on 28×28 into the paper's input: 32×32, background -0.1, ink 1.175.

    The picture is padded while the background is 0, so that the border becomes background and not grey.
    """
    return [
        layers.Rescaling(1.0, offset=0.5, name="paper_at_zero"),
        layers.ZeroPadding2D(2, name="pad"),
        layers.Rescaling(1.275, offset=-0.1, name="normalise_1998"),
    ]


def _convolution(name: str, filters: int, input_shape: tuple[int, ...], seed: Seeds) -> list[keras.Layer]:
    draw = FanInUniform(25 * input_shape[-1] + 1, seed=seed)
    return [layers.Conv2D(filters, 5, activation=scaled_tanh, kernel_initializer=draw, name=name)]


def _subsampling(name: str, **options: Any) -> list[keras.Layer]:
    return [TrainableSubsampling2D(name=name, **options), layers.Activation(scaled_tanh, name=f"{name}_squash")]
