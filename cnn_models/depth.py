"""Layer after layer of 3×3, and a reading of each position by itself (slides "N сверточных слоев", "Да и одного …")."""

from typing import Any

import keras
from keras import layers

GROWTHS = ("plain", "residual", "stride", "pooling")
EVERY = 4  # layers between two reductions


def stack(
    *, name: str, input_shape: tuple[int, ...], classes: int, depth: int, width: int, growth: str = "plain"
) -> keras.Model:
    """`depth` convolutions of 3×3 with ReLU, then logits at each position, then their mean over positions.

    The mean knows no place, so what the network tells apart it must see within one field: 2·depth + 1 pixels
    with "plain" and "residual". With one channel in, w maps and c classes it has
    10·w + (depth − 1)·(9·w + 1)·w + (w + 1)·c parameters, whatever the growth.

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture.
        classes: number of classes.
        depth: number of 3×3 convolutions.
        width: maps of each.
        growth: "plain"; "residual" (each convolution but the first adds to what it reads, He et al. 2016);
            "stride" or "pooling" (every fourth convolution, from the second on, has stride 2 or is followed
            by max pooling 2×2).

    Returns:
        A model from `(batch, *input_shape)` to logits `(batch, classes)`. The last convolution is "last".
    """
    if growth not in GROWTHS:
        raise ValueError(f"{name}: growth is one of {', '.join(GROWTHS)}, got '{growth}'.")
    inputs = keras.Input(input_shape)
    features = inputs
    for number in range(depth):
        features = _grown(features, number, "last" if number == depth - 1 else f"conv{number + 1}", width, growth)
    logits = layers.Conv2D(classes, 1, name="logits_by_position")(features)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="mean")(logits), name=name)


def _grown(features: Any, number: int, name: str, width: int, growth: str) -> Any:
    reduces = number % EVERY == 1
    strides = 2 if growth == "stride" and reduces else 1
    convolution = layers.Conv2D(
        width, 3, strides=strides, padding="same", activation="relu", kernel_initializer="he_normal", name=name
    )
    found = convolution(features)
    if growth == "residual" and number:
        found = layers.Add(name=f"{name}_sum")([features, found])
    if growth == "pooling" and reduces:
        found = layers.MaxPooling2D(2, name=f"{name}_pool")(found)
    return found
