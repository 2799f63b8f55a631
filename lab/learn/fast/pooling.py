"""Pooling: the maximum with bias and ReLU, and the mean.

Pieces marked with `compiled` are compiled by XLA, once for each shape in a process.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

OFF = 4  # the code of a window whose maximum is not above zero
BLOCK = 8  # channels; TensorFlow's own pooling computes on so many at once

compiled = tf.function(jit_compile=True)


def fits(layer: keras.layers.Layer, maps: tf.TypeSpec) -> bool:
    """Whether the functions of this module pool as this layer does: channels last, and fewer values than before."""
    return (
        type(layer) in (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
        and layer.data_format == "channels_last"
        and min(layer.strides) > 1
        and None not in maps.shape[1:]
    )


def halves(layer: keras.layers.Layer) -> bool:
    """Whether a layer pools windows of 2×2 side by side, and leaves out an odd last row or column."""
    return layer.pool_size == (2, 2) and layer.strides == (2, 2) and layer.padding == "valid"


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
    if halves(layer) and maps.shape[-1] % BLOCK:
        return coded_max_pool(maps, tf.zeros(maps.shape[-1], maps.dtype) if bias is None else bias)
    maxima = tf.nn.max_pool2d(maps, layer.pool_size, layer.strides, layer.padding.upper())
    return tf.nn.relu(maxima if bias is None else tf.nn.bias_add(maxima, bias))


@tf.custom_gradient
def coded_max_pool(maps: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple]]:
    """The maxima of windows of 2×2, plus a bias, then ReLU; which of the four it was is kept in a byte.

    Of equal values the first counts, as in TensorFlow, row by row.
    """
    pooled, codes = _coded_maxima(maps, bias)
    height, width = maps.shape[1:3]

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _to_maxima(upstream, codes, height, width), _to_bias(upstream, codes)

    return pooled, gradient


@compiled
def _coded_maxima(maps: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Maxima plus bias, and codes: 0, 1 above, 2, 3 below, `OFF`. By rows first: neighbours lie in one piece there."""
    _, height, width, channels = maps.shape
    rows, columns = height // 2, width // 2
    pairs = tf.reshape(maps[:, : 2 * rows, : 2 * columns], [-1, rows, 2, 2 * columns * channels])
    above, below = pairs[:, :, 0], pairs[:, :, 1]
    taller = tf.reshape(tf.maximum(above, below), [-1, rows, columns, 2, channels])
    codes = tf.reshape(tf.cast(below > above, tf.uint8) * 2, tf.shape(taller))
    left, right = taller[:, :, :, 0], taller[:, :, :, 1]
    code_left, code_right = codes[:, :, :, 0], codes[:, :, :, 1] + 1
    code_equal = tf.minimum(code_left, code_right)
    code = tf.where(left > right, code_left, tf.where(right > left, code_right, code_equal))
    sums = tf.maximum(left, right) + bias
    return tf.nn.relu(sums), tf.where(sums > 0, code, tf.constant(OFF, tf.uint8))


@compiled
def _to_maxima(upstream: tf.Tensor, codes: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The gradient in the maps: each window's in the place that its code says."""
    _, rows, columns, channels = upstream.shape
    places = [tf.where(codes == code, upstream, tf.zeros_like(upstream)) for code in range(OFF)]
    lines = [
        tf.reshape(tf.stack(pair, axis=3), [-1, rows, 1, 2 * columns * channels]) for pair in (places[:2], places[2:])
    ]
    whole = tf.reshape(tf.concat(lines, axis=2), [-1, 2 * rows, 2 * columns, channels])
    return _with_border(whole, height, width)


@compiled
def _to_bias(upstream: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    """The gradient in the bias, summed in float32 at least."""
    wide = tf.cast(upstream, tf.float64 if upstream.dtype == tf.float64 else tf.float32)
    return tf.cast(tf.reduce_sum(tf.where(codes < OFF, wide, tf.zeros_like(wide)), axis=[0, 1, 2]), upstream.dtype)


@tf.custom_gradient
def average_pool(maps: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """The means of windows of 2×2. Their gradient is a quarter of what comes, four times."""
    height, width = maps.shape[1:3]
    return tf.nn.avg_pool2d(maps, 2, 2, "VALID"), lambda upstream: _to_windows(upstream, height, width)


@compiled
def _to_windows(upstream: tf.Tensor, height: int, width: int) -> tf.Tensor:
    _, rows, columns, channels = upstream.shape
    fours = tf.broadcast_to((upstream / 4)[:, :, None, :, None], [tf.shape(upstream)[0], rows, 2, columns, 2, channels])
    return _with_border(tf.reshape(fours, [-1, 2 * rows, 2 * columns, channels]), height, width)


def _with_border(maps: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Maps with zeros in the last row and column that no window covers, if there are such."""
    return tf.pad(maps, [[0, 0], [0, height - maps.shape[1]], [0, width - maps.shape[2]], [0, 0]])
