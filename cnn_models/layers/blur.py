"""Blurred subsampling (Zhang 2019, Making convolutional networks shift-invariant again).

A stride keeps only every second value, so that fine structure appears as coarse structure (aliasing). A blur before
the stride removes the structure that is too fine. Written from the text of the paper.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from cnn_models.layers.lecun1998 import refuse_what_does_not_fit
from cnn_models.layers.registry import register

PADDINGS = ("reflect", "valid")


def binomial(size: int) -> np.ndarray:
    """A row of Pascal's triangle scaled to sum 1, float64 `(size,)`: [1 1]/2, [1 2 1]/4, [1 4 6 4 1]/16."""
    row = np.array([math.comb(size - 1, place) for place in range(size)], "float64")
    return row / row.sum()


@register
class BlurPool2D(keras.layers.Layer):
    """A fixed binomial blur of each channel, followed by a stride (Zhang 2019, section 3.2). It has no weights.

    Zhang's anti-aliased max pooling is `MaxPooling2D(2, strides=1)` followed by this layer.

    Args:
        size: side of the blur in pixels: 2 (rectangle), 3 (triangle, the default), 5 (binomial), or another number.
        strides: step along both axes, in pixels.
        padding: "reflect" (the picture is mirrored at its border, so that the border is not darkened) or "valid".

    Shapes: `(batch, h, w, channels)` → `(batch, ⌈h/strides⌉, ⌈w/strides⌉, channels)` with "reflect",
    `(batch, (h - size)//strides + 1, (w - size)//strides + 1, channels)` with "valid". A picture must have at least
    size//2 + 1 pixels along each axis with "reflect", and `size` pixels with "valid".

    Raises:
        ValueError: size or strides are less than 1, the padding is unknown, or a picture is too small.
    """

    data_format = "channels_last"  # read by `cnn_models.analysis`

    def __init__(self, size: int = 3, strides: int = 2, padding: str = "reflect", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if size < 1 or strides < 1:
            raise ValueError(f"{self.name}: size and strides are 1 or more, got {size} and {strides}.")
        if padding not in PADDINGS:
            raise ValueError(f"{self.name}: padding is one of {', '.join(PADDINGS)}, got {padding!r}.")
        self.size = size
        self.strides = strides
        self.padding = padding

    def build(self, input_shape: Sequence[int | None]) -> None:
        refuse_what_does_not_fit(self.name, self.smallest, input_shape)
        weights = binomial(self.size)
        channels = int(input_shape[-1] or 0)
        self._blur = np.tile(np.outer(weights, weights)[..., np.newaxis, np.newaxis], (1, 1, channels, 1))

    def call(self, inputs: Any) -> Any:
        if self.padding == "reflect":
            inputs = ops.pad(inputs, [(0, 0), self.borders, self.borders, (0, 0)], mode="reflect")
        blur = ops.convert_to_tensor(self._blur, dtype=inputs.dtype)
        return ops.depthwise_conv(inputs, blur, strides=self.strides, padding="valid")

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        refuse_what_does_not_fit(self.name, self.smallest, input_shape)
        batch, *sides, channels = input_shape
        lost = self.size - 1 if self.padding == "valid" else 0
        return (batch, *(side and (side - lost - 1) // self.strides + 1 for side in sides), channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "strides": self.strides, "padding": self.padding}

    @property
    def borders(self) -> tuple[int, int]:
        """Number of mirrored pixels before and after each axis."""
        if self.padding == "valid":
            return 0, 0
        before = (self.size - 1) // 2
        return before, self.size - 1 - before

    @property
    def smallest(self) -> int:
        """Side of the smallest picture that can be blurred. A mirrored border copies pixels beside the border."""
        return self.size if self.padding == "valid" else max(self.borders) + 1
