"""Pooling of maps: the maximum before bias and ReLU, and the mean with a faster gradient."""

from collections.abc import Callable

import keras
import tensorflow as tf

Gradient = Callable[[tf.Tensor], tf.Tensor]
# A function that XLA compiles, once for each shape in a process. On a CPU this pays for pieces that move and compare
# values; with convolutions in them, such pieces take longer than TensorFlow's own operations.
compiled = tf.function(jit_compile=True)


def fits(layer: keras.layers.Layer, maps: tf.TypeSpec) -> bool:
    """Whether `max_pool` pools as this layer does: channels last, and fewer values than before."""
    return (
        type(layer) is keras.layers.MaxPooling2D
        and layer.data_format == "channels_last"
        and len(maps.shape) == 4
        and min(layer.strides) > 1
    )


def halves(layer: keras.layers.Layer, maps: tf.TypeSpec) -> bool:
    """Whether a layer pools windows of 2×2 side by side, channels last, leaving out an odd last row or column."""
    return (
        layer.pool_size == (2, 2)
        and layer.strides == (2, 2)
        and layer.padding == "valid"
        and layer.data_format == "channels_last"
        and None not in maps.shape[1:]
    )


def max_pool(layer: keras.layers.MaxPooling2D, maps: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    """The maxima of windows, plus a bias, then ReLU.

    Adding a bias and ReLU change no order, so that they need not be done before: there they cost as many times more
    as windows have values. Of inputs that differ by less than the rounding of the sum, which the layers in their own
    order may take for equal, the gradient goes to the largest.

    Args:
        layer: whose windows.
        maps: `(batch, height, width, channels)`.
        bias: `(channels,)`; None: nothing is added.
    """
    maxima = tf.nn.max_pool2d(maps, layer.pool_size, layer.strides, layer.padding.upper())
    return tf.nn.relu(maxima if bias is None else tf.nn.bias_add(maxima, bias))


@tf.custom_gradient
def average_pool(maps: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """The means of windows of 2×2. Their gradient is a quarter of what comes, four times."""
    height, width = maps.shape[1:3]
    return tf.nn.avg_pool2d(maps, 2, 2, "VALID"), lambda upstream: _to_windows(upstream, height, width)


@compiled
def _to_windows(upstream: tf.Tensor, height: int, width: int) -> tf.Tensor:
    _, rows, columns, channels = upstream.shape
    fours = tf.broadcast_to((upstream / 4)[:, :, None, :, None], [tf.shape(upstream)[0], rows, 2, columns, 2, channels])
    whole = tf.reshape(fours, [-1, 2 * rows, 2 * columns, channels])
    return tf.pad(whole, [[0, 0], [0, height - 2 * rows], [0, width - 2 * columns], [0, 0]])
