"""Pictures on the way into a network, within a graph. How they are shown to it: `lab.learn.views`."""

import math

import tensorflow as tf

from cnn_models.brightness import network_input
from lab.declare.recipe import Distortion, RandomCrop
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
