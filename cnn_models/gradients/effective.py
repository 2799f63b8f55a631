"""The effective receptive field: how strongly a position depends on each pixel (Luo et al. 2016)."""

import keras
import numpy as np
import tensorflow as tf

EFFECTIVE_SHARE = 1 - 0.9545  # of the largest gradient: two standard deviations of a Gaussian (Luo et al. 2016)


def gradient_of_centre(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """How strongly the middle position depends on each pixel: mean absolute gradient of the sum of its maps.

    Args:
        model: from pictures `(n, height, width, channels)` to maps `(n, rows, columns, maps)`.
        inputs: such pictures.

    Returns:
        `(height, width)`, non-negative.
    """
    pictures = tf.convert_to_tensor(inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        maps = model(pictures, training=False)
        centre = tf.reduce_sum(maps[:, maps.shape[1] // 2, maps.shape[2] // 2])
    gradient = tape.gradient(centre, pictures)
    return np.abs(gradient.numpy()).mean(axis=(0, 3))


def effective_side(gradient: np.ndarray) -> float:
    """Side of the square of as many pixels as have over `EFFECTIVE_SHARE` of the peak (Luo et al. 2016)."""
    peak = gradient.max()
    return float((gradient > EFFECTIVE_SHARE * peak).sum() ** 0.5) if peak > 0 else 0.0
