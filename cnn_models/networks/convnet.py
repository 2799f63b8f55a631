"""Convolutions of 3×3 with batch normalisation for small photographs, as those of CIFAR-10."""

from collections.abc import Iterator, Sequence

import keras
from keras import layers

WIDTHS = (1, 2, 3, 5, 6, 8)  # maps of each convolution, in multiples of the first one's
POOLED = (2, 3, 5)  # the convolutions whose maps are pooled


def convnet(*, name: str, input_shape: tuple[int, ...], classes: int, width: int, head: str) -> keras.Model:
    """Six 3×3 convolutions, three of them pooled, then the maximum of each map, and logits.

    | layer | output for 32×32×3, width w = 16 | parameters, with 4 numbers a map of the normalisation |
    |---|---|---|
    | conv1, w maps | 32×32×16 | 27·16 + 4·16 = 496 |
    | conv2, 2·w maps, pooling 2×2 | 16×16×32 | 9·16·32 + 4·32 = 4,736 |
    | conv3, 3·w maps, pooling 2×2 | 8×8×48 | 9·32·48 + 4·48 = 14,016 |
    | conv4, 5·w maps | 8×8×80 | 9·48·80 + 4·80 = 34,880 |
    | conv5, 6·w maps, pooling 2×2 | 4×4×96 | 9·80·96 + 4·96 = 69,504 |
    | conv6, 8·w maps | 4×4×128 | 9·96·128 + 4·128 = 111,104 |
    | maximum of each map, logits | 10 | (128 + 1)·10 = 1,290 |
    | sum | | **236,026** |

    Normalisation and ReLU come after the pooling, where they have a quarter of the values (as in KellerJordan's
    cifar10-airbench); the convolutions have no bias, because the normalisation has one.

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture, at least 8×8.
        classes: number of classes.
        width: number of maps of the first convolution.
        head: "max"; or "flatten", where the logits read each position of the last maps by weights of its own.

    Returns:
        A model from `(batch, *input_shape)` to logits `(batch, classes)`.
    """
    return keras.Sequential(
        [
            keras.Input(input_shape),
            *_convolutions([width * times for times in WIDTHS]),
            {"max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}[head](name=head),
            layers.Dense(classes, name="output"),
        ],
        name=name,
    )


def _convolutions(widths: Sequence[int]) -> Iterator[keras.Layer]:
    for number, width in enumerate(widths, start=1):
        yield layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv{number}")
        if number in POOLED:
            yield layers.MaxPooling2D(2, name=f"pool{number}")
        yield layers.BatchNormalization(name=f"norm{number}")
        yield layers.ReLU(name=f"relu{number}")
