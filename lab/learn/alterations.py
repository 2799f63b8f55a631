"""Alterations: pictures without their colours, with their blocks shuffled, or of edges alone; of the same size."""

import numpy as np
import tensorflow as tf

from cnn_models.brightness import LUMINANCE
from lab.declare.recipe import block_side

CHUNK = 1000  # pictures of a split that are altered at once
SOBEL = ((1.0, 2.0, 1.0), (0.0, 0.0, 0.0), (-1.0, -2.0, -1.0))
ORDERS = ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))  # of three channels, all but their own


def alter(images: tf.Tensor, name: str, draws: tf.Tensor) -> tf.Tensor:
    """Pictures after an alteration.

    - "grey": every channel is the luminance;
    - "permuted_channels": each picture's three channels are in another order;
    - "blocks16", "blocks8", "blocks4": each picture's blocks of so many pixels along each axis are in random order;
    - "edges": every channel is the length of the luminance's gradient (Sobel), white on black;
    - "two_tones": white where the luminance is above the picture's mean, black elsewhere.

    Args:
        images: `(n, height, width, channels)`, brightnesses 0…255; of pictures that the alteration is for, see
            `lab.declare.fits`.
        name: one of `lab.declare.recipe.ALTERATIONS`.
        draws: uniform random numbers 0…1, `(n, draws_of(name, shape))`, one row a picture.

    Returns:
        Pictures of the same shape, float32, whole numbers 0…255.
    """
    images = tf.cast(images, tf.float32)
    if side := block_side(name):
        return _shuffled(images, side, draws)
    if name == "permuted_channels":
        orders = tf.gather(tf.constant(ORDERS), tf.cast(draws[:, 0] * len(ORDERS), tf.int32))
        return tf.gather(images, orders, axis=3, batch_dims=1)
    single = {"grey": luminance, "edges": _edges, "two_tones": _two_tones}[name](images)
    return tf.repeat(single, images.shape[3], axis=3)


def draws_of(name: str, shape: tuple[int, ...]) -> int:
    """How many random numbers a picture of this height and width needs for an alteration; 1 where it needs none."""
    side = block_side(name)
    return (shape[0] // side) * (shape[1] // side) if side else 1


def altered(images: np.ndarray, name: str, seed: int) -> np.ndarray:
    """A whole split after an alteration, which a seed draws where it is random.

    Args:
        images: uint8 `(n, height, width, channels)`.
        name: see `alter`.
        seed: decides the orders of blocks and channels.

    Returns:
        uint8, of the same shape.
    """
    draws = np.random.default_rng([seed, 5]).random((len(images), draws_of(name, images.shape[1:])), "float32")
    starts = range(0, len(images), CHUNK)
    parts = [alter(images[start : start + CHUNK], name, draws[start : start + CHUNK]) for start in starts]
    return np.concatenate(parts).astype("uint8")


def luminance(images: tf.Tensor) -> tf.Tensor:
    """Rec. 709's luminance of red, green and blue, whole numbers `(n, height, width, 1)`; of one channel itself."""
    images = tf.cast(images, tf.float32)
    if images.shape[3] == 1:
        return images
    return tf.round(tf.reduce_sum(images * tf.constant(LUMINANCE), axis=3, keepdims=True))


def _edges(images: tf.Tensor) -> tf.Tensor:
    """The gradient's length, a step from black to white being white; the picture goes on beyond its border."""
    padded = tf.pad(luminance(images), [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    kernels = tf.stack([tf.constant(SOBEL), tf.transpose(tf.constant(SOBEL))], axis=2)[:, :, None]
    slopes = tf.nn.conv2d(padded, kernels / 4, 1, "VALID")
    return tf.round(tf.minimum(tf.norm(slopes, axis=3, keepdims=True), 255.0))


def _two_tones(images: tf.Tensor) -> tf.Tensor:
    single = luminance(images)
    return tf.where(single > tf.reduce_mean(single, axis=[1, 2], keepdims=True), 255.0, 0.0)


def _shuffled(images: tf.Tensor, side: int, draws: tf.Tensor) -> tf.Tensor:
    _, height, width, channels = images.shape
    rows, columns = height // side, width // side
    blocks = tf.transpose(tf.reshape(images, [-1, rows, side, columns, side, channels]), [0, 1, 3, 2, 4, 5])
    blocks = tf.reshape(blocks, [-1, rows * columns, side, side, channels])
    blocks = tf.gather(blocks, tf.argsort(draws, axis=1, stable=True), axis=1, batch_dims=1)
    blocks = tf.reshape(blocks, [-1, rows, columns, side, side, channels])
    return tf.reshape(tf.transpose(blocks, [0, 1, 3, 2, 4, 5]), [-1, height, width, channels])
