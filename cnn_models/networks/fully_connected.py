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
    """A stack of fully connected layers.

    Parameters: a layer from n to m units has (n + 1)·m, so 784-300-10 has
    785·300 + 301·10 = 238,510; with `hidden=()` it is the linear classifier, 785·10 = 7,850.

    Deviations from LeCun 1998: softmax and cross-entropy instead of ten sigmoid-like units and squared
    error; plain tanh; pictures of 28×28 (the paper pads the same digits to 32×32 for some of its nets).

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture.
        classes: number of classes.
        hidden: units of each hidden layer, first to last.
        activation: of the hidden layers.
        dropout: share of hidden units dropped while training (0: none).
        black_at_zero: add 0.5 to the picture first. On a canvas most pixels are black, -0.5; each step of an
            adaptive optimizer then moves a hidden unit's sum by the same small change thousands of times
            over, until its ReLU answers nothing any more.

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
