"""Networks in which every neuron sees every pixel (slide "Нейрон поверх всех пикселей?")."""

from collections.abc import Sequence

import keras


def perceptron(
    *,
    name: str,
    input_shape: tuple[int, ...],
    classes: int,
    hidden: Sequence[int],
    activation: str = "tanh",
    dropout: float = 0.0,
    black_at_zero: bool = False,
) -> keras.Model:
    """A stack of fully connected layers; with `hidden=()`, the linear classifier.

    Parameters: a layer from n to m units has (n + 1)·m. So 784-300-10 has 785·300 + 301·10 = 238,510, and the linear
    classifier has 785·10 = 7,850.

    Deviations from LeCun 1998: softmax and cross-entropy instead of ten sigmoid-like units and squared error; plain
    tanh; pictures of 28×28 (for some nets the paper pads the same digits to 32×32).

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture.
        classes: number of classes.
        hidden: number of units of each hidden layer.
        activation: activation function of the hidden layers.
        dropout: share of hidden units dropped in training (0: none).
        black_at_zero: add 0.5 to the picture first. On a canvas, thousands of pixels are black, -0.5. Each step of an
            adaptive optimizer changes their weights by the same amount, and the changes add up in a hidden unit's
            sum until its ReLU is always 0. With black at 0 they do not.

    Returns:
        A model from `(batch, *input_shape)` to logits `(batch, classes)`.
    """
    layers: list[keras.Layer] = [keras.Input(input_shape)]
    if black_at_zero:
        layers.append(keras.layers.Rescaling(1.0, offset=0.5, name="black_at_zero"))
    layers.append(keras.layers.Flatten(name="flatten"))
    for depth, units in enumerate(hidden, start=1):
        layers.append(keras.layers.Dense(units, activation=activation, name=f"hidden{depth}"))
        if dropout:
            layers.append(keras.layers.Dropout(dropout, name=f"dropout{depth}"))
    layers.append(keras.layers.Dense(classes, name="logits"))
    return keras.Sequential(layers, name=name)
