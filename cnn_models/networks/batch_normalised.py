"""Convolutions of 3×3 with batch normalisation, for pictures of 28×28 pixels or more."""

from collections.abc import Sequence

import keras
from keras import layers


def pairs(*, name: str, input_shape: tuple[int, ...], classes: int, widths: Sequence[int]) -> keras.Model:
    """Pairs of 3×3 convolutions, each with batch normalisation and ReLU; 2×2 pooling between pairs, a mean at the end.

    | layer of `bn-6` on 28×28×1 | output | parameters | receptive field |
    |---|---|---|---|
    | conv1, norm1, relu1 | 28×28×8 | 9·1·8 + 4·8 = 104 | 3 |
    | conv2, norm2, relu2, pool2 | 28×28×8, 14×14×8 | 9·8·8 + 4·8 = 608 | 5, 6 |
    | conv3, norm3, relu3 | 14×14×16 | 9·8·16 + 4·16 = 1,216 | 10 |
    | conv4, norm4, relu4, pool4 | 14×14×16, 7×7×16 | 9·16·16 + 4·16 = 2,368 | 14, 16 |
    | conv5, norm5, relu5 | 7×7×32 | 9·16·32 + 4·32 = 4,736 | 24 |
    | conv6, norm6, relu6 | 7×7×32 | 9·32·32 + 4·32 = 9,344 | 32 |
    | mean, output | 10 | (32 + 1)·10 = 330 | |
    | sum | | **18,706**, of them 224 moving statistics | |

    The convolutions have no bias, because the normalisation has one.

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture.
        classes: number of classes.
        widths: number of maps of each convolution; an even number of convolutions.

    Returns:
        A model from `(batch, *input_shape)` to logits `(batch, classes)`.

    Raises:
        ValueError: an odd number of widths, or pictures too small for the pooling between pairs.
    """
    if len(widths) % 2:
        raise ValueError(f"{name} is made of pairs of convolutions; {len(widths)} widths are not pairs.")
    least = 2 ** (len(widths) // 2 - 1)
    if min(input_shape[:2]) < least:
        height, width = input_shape[:2]
        raise ValueError(f"{name} needs pictures of at least {least}×{least} pixels, got {height}×{width}.")
    stack: list[keras.Layer] = [keras.Input(input_shape)]
    for number, width in enumerate(widths, start=1):
        stack += [
            layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv{number}"),
            layers.BatchNormalization(name=f"norm{number}"),
            layers.ReLU(name=f"relu{number}"),
        ]
        if number % 2 == 0 and number < len(widths):
            stack.append(layers.MaxPooling2D(2, name=f"pool{number}"))
    return keras.Sequential(
        [*stack, layers.GlobalAveragePooling2D(name="mean"), layers.Dense(classes, name="output")], name=name
    )
