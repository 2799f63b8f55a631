"""Stacks of 3×3 convolutions that classify each position separately and average the logits.

Slides "N сверточных слоев" and "Да и одного сверточного слоя мало!".
"""

from typing import Any

import keras
from keras import layers

GROWTHS = ("plain", "residual", "stride", "pooling")
EVERY = 4  # convolutions from one reduction to the next


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
    """`depth` 3×3 convolutions with ReLU, then logits at each position, then the mean of the logits over positions.

    The mean contains no position, so the network can distinguish only what it sees within one receptive field:
    2·depth + 1 pixels with "plain" and "residual". With one input channel, w maps and c classes it has
    9·w + (depth − 1)·9·w² + depth·b + (w + 1)·c parameters. Here b is w for biases, or 4·w for batch normalisation, of
    which half are trained.

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture.
        classes: number of classes.
        depth: number of 3×3 convolutions.
        width: number of maps of each convolution.
        growth: "plain"; "residual" (after the first convolution, a sum bridges every two convolutions, He et al. 2016);
            "stride" or "pooling" (every fourth convolution, from the second on, has stride 2 or is followed by 2×2 max
            pooling).
        normalised: True: batch normalisation after each convolution, as in the nets of He et al.; False: biases.

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
    # A small momentum, so that a few hundred steps suffice for the moving mean and variance.
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(found) if normalised else found
