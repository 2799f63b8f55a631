"""Pairs of 3×3 convolutions with pooling between, as in VGG (slide "Нужно растить поле обзора быстрее!")."""

from collections.abc import Sequence

import keras
from keras import layers


def vgg(
    *, name: str, input_shape: tuple[int, ...], classes: int, filters: Sequence[int], dropout: float = 0.0
) -> keras.Model:
    """Blocks of two 3×3 convolutions with ReLU and a 2×2 max pooling, then one fully connected layer.

    Parameters: a convolution from n to m maps has (9n + 1)·m. With filters 16, 32, 64 on 28×28×1:
    160 + 2,320 + 4,640 + 9,248 + 18,496 + 36,928, and (3·3·64 + 1)·10 = 5,770: 77,562.

    Deviations from the paper: three blocks of two instead of five of two to four, one fully connected
    layer instead of three.

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture; each side 8 or more with three blocks.
        classes: number of classes.
        filters: number of maps of each block.
        dropout: share of the last maps' values dropped in training (0: none).

    Returns:
        A model from `(batch, *input_shape)` to logits `(batch, classes)`.
    """
    stack: list[keras.Layer] = [keras.Input(input_shape)]
    for block, maps in enumerate(filters, start=1):
        for number in (1, 2):
            stack.append(
                layers.Conv2D(
                    maps,
                    3,
                    padding="same",
                    activation="relu",
                    kernel_initializer="he_normal",
                    name=f"conv{block}_{number}",
                )
            )
        stack.append(layers.MaxPooling2D(2, name=f"pool{block}"))
    stack.append(layers.Flatten(name="flatten"))
    if dropout:
        stack.append(layers.Dropout(dropout, name="dropout"))
    stack.append(layers.Dense(classes, name="logits"))
    return keras.Sequential(stack, name=name)
