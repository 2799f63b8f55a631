"""A kernel applied to pictures as a convolutional layer applies it."""

import keras
import numpy as np


def convolve(pictures: np.ndarray, kernel: np.ndarray, dtype: str) -> np.ndarray:
    """One kernel over each channel by itself, by Keras's Conv2D without padding.

    Args:
        pictures: `(n, height, width, channels)`.
        kernel: `(rows, columns)`. A convolutional layer sums over input channels, so the kernel of output
            channel c has these weights for input channel c and zeros for the others.
        dtype: the arithmetic, "float32" or "float64".

    Returns:
        `(n, height - rows + 1, width - columns + 1, channels)`.
    """
    channels = pictures.shape[-1]
    layer = keras.layers.Conv2D(channels, kernel.shape, use_bias=False, dtype=dtype)
    layer.build(pictures.shape)
    layer.set_weights([kernel[..., np.newaxis, np.newaxis] * np.eye(channels)])
    return keras.ops.convert_to_numpy(layer(pictures.astype(dtype)))
