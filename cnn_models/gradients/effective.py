"""The effective receptive field: how strongly a unit depends on each pixel (Luo et al. 2016)."""

import keras
import numpy as np
import tensorflow as tf

EFFECTIVE_SHARE = 1 - 0.9545  # share of the largest gradient, from two standard deviations (Luo et al. 2016)


def gradient_of_centre(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """The gradient of the units at the middle position with respect to each pixel.

    Args:
        model: a model from pictures `(n, height, width, channels)` to maps `(n, rows, columns, maps)`.
        inputs: pictures `(n, height, width, channels)`.

    Returns:
        The absolute gradient of the sum over the maps, averaged over pictures and channels, `(height, width)`.
    """
    pictures = tf.convert_to_tensor(inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        maps = model(pictures, training=False)
        centre = tf.reduce_sum(maps[:, maps.shape[1] // 2, maps.shape[2] // 2])
    gradient = tape.gradient(centre, pictures)
    return np.abs(gradient.numpy()).mean(axis=(0, 3))


def effective_side(gradient: np.ndarray) -> float:
    """The side of the effective field in pixels (Luo et al. 2016).

    Args:
        gradient: a result of `gradient_of_centre`.

    Returns:
        The square root of the number of pixels whose gradient exceeds `EFFECTIVE_SHARE` of the largest.
    """
    peak = gradient.max()
    return float((gradient > EFFECTIVE_SHARE * peak).sum() ** 0.5) if peak > 0 else 0.0
