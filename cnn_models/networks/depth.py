"""Layer after layer of 3×3, and a reading of each position by itself.

Slides "N сверточных слоев" and "Да и одного сверточного слоя мало!".
"""

from typing import Any

import keras
from keras import layers

GROWTHS = ("plain", "residual", "stride", "pooling")
EVERY = 4  # layers between two reductions


def stack(
    *,
    name: str,
    input_shape: tuple[int, ...],
    classes: int,
    depth: int,
    width: int,
    growth: str = "plain",
    normalised: bool = True,
) -> keras.Model:
    """`depth` convolutions of 3×3 with ReLU, then logits at each position, then their mean over positions.

    The mean knows no place, so what the network tells apart it must see within one field: 2·depth + 1 pixels
    with "plain" and "residual". With one channel in, w maps and c classes it has
    9·w + (depth − 1)·9·w² + depth·b + (w + 1)·c parameters, where b, a layer's biases or batch normalisation,
    is w, or 4·w of which half are trained.

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture.
        classes: number of classes.
        depth: number of 3×3 convolutions.
        width: maps of each.
        growth: "plain"; "residual" (after the first convolution, each two are bridged by a sum, He et al. 2016);
            "stride" or "pooling" (every fourth convolution, from the second on, has stride 2 or is followed
            by max pooling 2×2).
        normalised: batch normalisation after each convolution, as He et al. have it in plain and residual nets;
            else biases.

    Returns:
        A model from `(batch, *input_shape)` to logits `(batch, classes)`. Its layer "last" is the last
        convolution's ReLU.
    """
    if growth not in GROWTHS:
        raise ValueError(f"{name}: growth is one of {', '.join(GROWTHS)}, got '{growth}'.")
    inputs = keras.Input(input_shape)
    features, bridged = inputs, inputs
    for number in range(depth):
        reduces = number % EVERY == 1
        strides = 2 if growth == "stride" and reduces else 1
        found = _convolution(features, f"conv{number + 1}", width, strides, normalised)
        if growth == "residual" and number and number % 2 == 0:
            found = layers.Add(name=f"sum{number + 1}")([bridged, found])
        features = layers.ReLU(name="last" if number == depth - 1 else f"relu{number + 1}")(found)
        if number % 2 == 0:
            bridged = features
        if growth == "pooling" and reduces:
            features = layers.MaxPooling2D(2, name=f"pool{number + 1}")(features)
    logits = layers.Conv2D(classes, 1, name="logits_by_position")(features)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="mean")(logits), name=name)


def _convolution(features: Any, name: str, width: int, strides: int, normalised: bool) -> Any:
    found = layers.Conv2D(
        width,
        3,
        strides=strides,
        padding="same",
        use_bias=not normalised,
        kernel_initializer="he_normal",
        name=name,
    )(features)
    # A short memory: some hundred steps must be enough to know the mean and variance.
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(found) if normalised else found
