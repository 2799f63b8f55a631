"""Pictures on the way into a network, within a graph. How they are shown to it: `lab.learn.views`."""

import math

import numpy as np
import tensorflow as tf

from cnn_models.brightness import network_input
from lab.declare.recipe import Distortion, Elastic, RandomCrop
from lab.learn.views import Batch


def normalise(images: tf.Tensor) -> tf.Tensor:
    """Brightnesses 0…255 of any type as networks take them, float32."""
    return network_input(tf.cast(images, tf.float32))


def distort(
    images: tf.Tensor,
    distortion: Distortion,
    seed: tf.Tensor,
    first: tf.Tensor | int = 0,
    whole: tf.Tensor | None = None,
) -> tf.Tensor:
    """A random affine map for each picture, bilinear, black outside.

    Args:
        images: `(batch, height, width, channels)`, brightnesses 0…255.
        distortion: the largest change of each kind; each is drawn uniformly up to it.
        seed: two integers; equal seeds give equal distortions.
        first, whole: where the pictures are a part of a larger batch, the place of the first of them in
            it, and its size.

    Returns:
        Pictures of the same shape, float32, 0…255.
    """
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    draws = tf.random.stateless_uniform([6, count if whole is None else whole], seed, -1.0, 1.0)
    draw = tf.unstack(draws[:, first : first + count])
    angle = draw[0] * math.radians(distortion.rotation_degrees)
    scale_y, scale_x = 1 + draw[1] * distortion.scale, 1 + draw[2] * distortion.scale
    shear = draw[3] * distortion.shear
    shift_y, shift_x = draw[4] * distortion.shift_pixels, draw[5] * distortion.shift_pixels
    cos, sin = tf.cos(angle), tf.sin(angle)
    # The map from output to input pixels: rotation · shear · scale about the centre, then a shift.
    xx, xy = cos * scale_x, (cos * shear - sin) * scale_y
    yx, yy = sin * scale_x, (sin * shear + cos) * scale_y
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    offset_x = centre_x - xx * centre_x - xy * centre_y + shift_x
    offset_y = centre_y - yx * centre_x - yy * centre_y + shift_y
    zero = tf.zeros_like(angle)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack([xx, xy, offset_x, yx, yy, offset_y, zero, zero], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def crop(images: tf.Tensor, random_crop: RandomCrop, batch: Batch) -> tf.Tensor:
    """Another frame for each picture, see `RandomCrop`.

    Args:
        images: `(batch, height, width, channels)`, brightnesses 0…255.
        random_crop: how far a picture may shift, and whether some are mirrored.
        batch: which part of a batch these pictures are; equal seeds give equal frames.

    Returns:
        Pictures of the same shape, float32, 0…255; every value is that of one pixel.
    """
    height, width = images.shape[1:3]
    draws = tf.random.stateless_uniform([3, batch.whole], batch.seed + 2)
    right, down, side = tf.unstack(draws[:, batch.first : batch.first + tf.size(batch.places)])
    most = random_crop.shift_pixels
    right, down = (tf.floor(draw * (2 * most + 1)) - most for draw in (right, down))
    # Of a mirrored picture column x shows column width - 1 - x.
    direction = tf.where(side < 0.5 if random_crop.flip else tf.zeros_like(side, tf.bool), -1.0, 1.0)
    start = tf.where(direction < 0, width - 1.0, 0.0) + right
    one, zero = tf.ones_like(right), tf.zeros_like(right)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack([direction, zero, start, zero, one, down, zero, zero], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="REFLECT",
    )


def warp(images: tf.Tensor, elastic: Elastic, batch: Batch) -> tf.Tensor:
    """An elastic distortion of each picture, bilinear, black outside, see `Elastic`.

    Args:
        images: `(batch, height, width, channels)`, brightnesses 0…255.
        elastic: how far pixels are taken from, and how alike near ones.
        batch: which part of a batch these pictures are; equal seeds give equal distortions.

    Returns:
        Pictures of the same shape, float32, 0…255.
    """
    height, width = images.shape[1:3]
    draws = tf.random.stateless_uniform([batch.whole, 2, height, width], batch.seed + 4, -1.0, 1.0)
    noise = draws[batch.first : batch.first + tf.size(batch.places)] * (
        elastic.pixels * math.sqrt(3)
    )  # whose std is 1/√3
    along_x = tf.tensordot(noise, smoothing(width, elastic.smoothness), [[3], [1]])
    along_both = tf.tensordot(along_x, smoothing(height, elastic.smoothness), [[2], [1]])  # picture, axis, x, y
    down, right = tf.unstack(tf.transpose(along_both, [0, 1, 3, 2]), axis=1)
    rows, columns = tf.meshgrid(tf.range(float(height)), tf.range(float(width)), indexing="ij")
    return sampled(tf.cast(images, tf.float32), rows + down, columns + right)


def smoothing(count: int, smoothness: float) -> np.ndarray:
    """The matrix `(count, count)` that evens out numbers in a row by a Gaussian and keeps their standard deviation.

    Args:
        count: how many numbers stand in a row.
        smoothness: standard deviation of the Gaussian, in places.
    """
    places = np.arange(count)
    matrix = np.exp(-((places[:, None] - places) ** 2) / (2 * smoothness**2))
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype("float32")


def sampled(images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Pictures read between their pixels, bilinearly, black outside.

    Args:
        images: float32 `(batch, height, width, channels)`.
        rows, columns: float32 `(batch, height, width)`: where each pixel is read, in pixels from the first.

    Returns:
        Pictures of the same shape.
    """
    height, width, channels = images.shape[1:]
    framed = tf.reshape(tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]]), [-1, (height + 2) * (width + 2), channels])
    row, below = _between(rows, height)
    column, beside = _between(columns, width)
    first = (row + 1) * (width + 2) + column + 1
    corners = [(0, (1 - below) * (1 - beside)), (1, (1 - below) * beside)]
    corners += [(width + 2, below * (1 - beside)), (width + 3, below * beside)]
    values = [
        tf.gather(framed, tf.reshape(first + step, [-1, height * width]), batch_dims=1)
        * tf.reshape(share, [-1, height * width, 1])
        for step, share in corners
    ]
    return tf.reshape(tf.add_n(values), [-1, height, width, channels])


def _between(places: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The pixel at or before each place, from -1 to count - 1, and how far beyond it the place is, from 0 to 1."""
    inside = tf.clip_by_value(places, -1.0, float(count))
    before = tf.minimum(tf.floor(inside), count - 1.0)
    return tf.cast(before, tf.int32), inside - before
