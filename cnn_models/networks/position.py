"""Two networks for digits anywhere on a canvas (slide "Не, так не работает!"): with a flatten or a global maximum.

On the suite's canvas of 56×56 pixels, both have as many parameters as the fully connected net 3136-64-10,
3137·64 + 65·10 = 201,418, to within 0.1 %. Their convolutions are equal; only the layers after them differ.
"""

import keras
from keras import layers


def pooled(*, name: str, input_shape: tuple[int, ...], classes: int, hidden: tuple[int, ...], head: str) -> keras.Model:
    """Three convolutions, then either a flatten or the maximum of each map, then dense layers.

    | layer | output for 56×56×1 | field, step | parameters |
    |---|---|---|---|
    | C1 convolution 5×5, stride 2 | 26×26×8 | 5, 2 | (25 + 1)·8 = 208 |
    | C2 convolution 3×3 | 24×24×16 | 9, 2 | (9·8 + 1)·16 = 1,168 |
    | S2 max pooling 2×2 | 12×12×16 | 11, 4 | 0 |
    | C3 convolution 5×5 | 8×8×32 | 27, 4 | (25·16 + 1)·32 = 12,832 |
    | sum | | | **14,208** |

    | head | parameters, including the convolutions |
    |---|---|
    | "flatten", `hidden=(91,)` | 14,208 + (8·8·32 + 1)·91 + (91 + 1)·10 = **201,587** |
    | "global_max", `hidden=(411, 411)` | 14,208 + (32 + 1)·411 + (411 + 1)·411 + (411 + 1)·10 = **201,223** |

    No convolution pads, so that only the border of the picture can reveal a position. A field of 27 pixels contains a
    whole digit. Because of stride and pooling, the global maximum is exactly invariant only to shifts by multiples of
    4 pixels.

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture, at least 27×27.
        classes: number of classes.
        hidden: number of units of each dense layer but the last.
        head: "flatten" or "global_max".

    Returns:
        A model from `(batch, *input_shape)` to logits `(batch, classes)`.
    """
    flat = {"flatten": layers.Flatten, "global_max": layers.GlobalMaxPooling2D}[head]
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(8, 5, strides=2, activation="relu", name="c1"),
            layers.Conv2D(16, 3, activation="relu", name="c2"),
            layers.MaxPooling2D(2, name="s2"),
            layers.Conv2D(32, 5, activation="relu", name="c3"),
            flat(name=head),
            *(layers.Dense(units, activation="relu", name=f"hidden{n}") for n, units in enumerate(hidden, start=1)),
            layers.Dense(classes, name="logits"),
        ],
        name=name,
    )
