"""One network with its first two layers fully connected, locally connected, or convolutional.

Slides "Не, так не работает!" and "В сверточном слое меньше параметров".
"""

import math

import keras

from cnn_models.layers.local import LocallyConnected2D

MAPS = (8, 16)
KERNEL, STRIDE = 5, 2


def ladder(*, name: str, input_shape: tuple[int, ...], classes: int, connection: str) -> keras.Model:
    """Two hidden layers and an output layer; the hidden layers have the same numbers of units for each connection.

    For 28×28×1 the hidden layers have 12×12×8 = 1,152 and 4×4×16 = 256 units. "local" and "convolution" read the same
    windows, 5×5 with stride 2.

    | connection | first layer | second layer | output | parameters |
    |---|---|---|---|---|
    | "full" | (784 + 1)·1,152 | (1,152 + 1)·256 | (256 + 1)·10 | **1,202,058** |
    | "local" | (25 + 1)·1,152 | (25·8 + 1)·256 | 2,570 | **83,978** |
    | "convolution" | (25 + 1)·8 | (25·8 + 1)·16 | 2,570 | **5,994** |

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture, at least 13×13.
        classes: number of classes.
        connection: "full", "local" (windows with separate weights) or "convolution" (windows with shared weights).

    Returns:
        A model from `(batch, *input_shape)` to logits `(batch, classes)`.
    """
    layers: list[keras.Layer] = [keras.Input(input_shape)]
    if connection == "full":
        layers.append(keras.layers.Flatten())
    shape = input_shape[:2]
    for depth, maps in enumerate(MAPS, start=1):
        shape = tuple((side - KERNEL) // STRIDE + 1 for side in shape)
        if min(shape) < 1:
            raise ValueError(f"{name} needs pictures of at least 13×13 pixels, got {input_shape[0]}×{input_shape[1]}.")
        layers.append(_hidden(f"hidden{depth}", connection, (*shape, maps)))
    if connection != "full":
        layers.append(keras.layers.Flatten())
    layers.append(keras.layers.Dense(classes, name="logits"))
    return keras.Sequential(layers, name=name)


def _hidden(name: str, connection: str, shape: tuple[int, ...]) -> keras.Layer:
    """A hidden layer with as many units as maps of this shape."""
    if connection == "full":
        return keras.layers.Dense(math.prod(shape), activation="relu", name=name)
    window = {"local": LocallyConnected2D, "convolution": keras.layers.Conv2D}[connection]
    return window(shape[-1], KERNEL, strides=STRIDE, activation="relu", name=name)
