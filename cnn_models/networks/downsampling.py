"""Nine ways of downsampling in the same network.

Slide "Нужно растить поле обзора быстрее!".

"max", "strided", "conv-pool" and "all-conv" follow Springenberg et al. 2015 (Striving for simplicity, table 1, base C),
"blur-max" and "blur-stride" follow Zhang 2019 (section 3.2), on a smaller network.
"""

from typing import Any

import keras
from keras import layers

from cnn_models.layers.blur import BlurPool2D

WIDTH = 8


def reduced(
    *, name: str, input_shape: tuple[int, ...], classes: int, reduction: str, width: int = WIDTH
) -> keras.Model:
    """Two blocks of two 3×3 convolutions and a reduction, a last convolution, the mean over positions, and logits.

    | reduction | after each block's convolutions | parameters for one channel in, ten classes |
    |---|---|---|
    | "none", "dilation" | nothing; with "dilation" the next convolutions have dilation 2, then 4 | **6,642** |
    | "max", "average" | pooling 3×3, stride 2 | **6,642** |
    | "strided" | nothing; the block's second convolution has stride 2 | **6,642** |
    | "conv-pool" | a third convolution, then max pooling | **9,546** |
    | "all-conv" | a third convolution, with stride 2 | **9,546** |
    | "blur-max" | max pooling 3×3 with stride 1, then a blur with stride 2 | **6,642** |
    | "blur-stride" | a blur with stride 2 | **6,642** |

    6,642 = (9 + 1)·8 + (9·8 + 1)·8 + (9·8 + 1)·16 + 2·(9·16 + 1)·16 + (16 + 1)·10; a third convolution in
    each block adds (9·8 + 1)·8 + (9·16 + 1)·16 = 2,904.

    Args:
        name: name of the model.
        input_shape: height, width, channels of a picture.
        classes: number of classes.
        reduction: one of the names in the table.
        width: number of maps of the first block; the second has twice as many. The table's counts are for 8.

    Returns:
        A model from `(batch, *input_shape)` to logits `(batch, classes)`. Its layer "last" is the last
        convolution.
    """
    sequence: list[Any] = [keras.Input(input_shape)]
    widths = (width, 2 * width)
    for block, maps in enumerate(widths, start=1):
        dilation = 2 ** (block - 1) if reduction == "dilation" else 1
        sequence.append(_convolution(f"block{block}a", maps, dilation))
        stride = 2 if reduction == "strided" else 1
        sequence.append(_convolution(f"block{block}b", maps, dilation, stride))
        sequence += _reduction(f"reduction{block}", maps, reduction)
    sequence.append(_convolution("last", widths[-1], 2 ** len(widths) if reduction == "dilation" else 1))
    sequence += [layers.GlobalAveragePooling2D(name="mean"), layers.Dense(classes, name="logits")]
    return keras.Sequential(sequence, name=name)


def _reduction(name: str, width: int, reduction: str) -> list[keras.Layer]:
    pool = {"pool_size": 3, "strides": 2, "padding": "same"}
    match reduction:
        case "none" | "dilation" | "strided":
            return []
        case "max":
            return [layers.MaxPooling2D(**pool, name=name)]
        case "average":
            return [layers.AveragePooling2D(**pool, name=name)]
        case "conv-pool":
            return [_convolution(f"{name}_convolution", width), layers.MaxPooling2D(**pool, name=name)]
        case "all-conv":
            return [_convolution(name, width, strides=2)]
        case "blur-max":
            return [layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_max"), BlurPool2D(name=name)]
        case "blur-stride":
            return [BlurPool2D(name=name)]
        case _:
            raise ValueError(f"{name}: no such reduction, '{reduction}'.")


def _convolution(name: str, width: int, dilation: int = 1, strides: int = 1) -> keras.Layer:
    return layers.Conv2D(
        width,
        3,
        strides=strides,
        dilation_rate=dilation,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )
