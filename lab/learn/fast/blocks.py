"""Convolutions of few channels, on blocks of 2×2 pixels.

A few channels fill the vectors of a processor badly: TensorFlow's convolutions compute eight channels at once, or
sixteen. With blocks of 2×2 pixels as positions there are four times as many, of inputs and of outputs, and
(k + 1)²/k² times as many products, 1.44 for kernels of 5×5. That pays for a network's first convolution, and more so
where a pooling of 2×2 follows: its windows come as channels, which need not be put in their rows first. Of other
convolutions it pays for the gradient in the inputs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from cnn_models.layers.lecun1998 import SparseConv2D
from lab.learn.fast.pooling import compiled

# Channels below which it takes less time (an AMD EPYC with AVX2, batch 128; maps of 14×14, kernels of 5×5).
FIRST = 4  # of a first convolution: 1.4 ms against 3.5 for one channel
INPUTS = 8  # of the gradient in inputs: 3.0 ms against 5.5 for six channels, 3.5 against 3.8 for eight
OFF = 4  # the code of a window whose maximum is not above zero


def fits(layer: Any, maps: Any) -> bool:
    """Whether the functions of this module compute a layer's convolution of these maps.

    Args:
        layer: any layer.
        maps: its input, of which the shape is asked, `(batch, height, width, channels)`.
    """
    if len(maps.shape) != 4 or None in maps.shape[1:]:
        return False
    if type(layer) is SparseConv2D:
        sides, padding, usual = (layer.kernel_size,) * 2, "valid", True
    elif type(layer) is keras.layers.Conv2D:
        usual = layer.strides == layer.dilation_rate == (1, 1) and layer.groups == 1
        sides, padding = layer.kernel_size, layer.padding
        usual = usual and padding in ("same", "valid") and layer.data_format == "channels_last"
    else:
        return False
    made = (
        maps.shape[1:3] if padding == "same" else [side - k + 1 for side, k in zip(maps.shape[1:3], sides, strict=True)]
    )
    # The padding of such kernels is whole blocks, and smaller ones have too many products with zeros.
    return usual and all(side in (5, 9) for side in sides) and all(side % 2 == 0 for side in (*maps.shape[1:3], *made))


def convolve(pictures: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None, padding: str) -> tf.Tensor:
    """A convolution with stride 1, whose maps come as windows of 2×2 values.

    Args:
        pictures: `(batch, height, width, channels)`, both sides even.
        kernel: `(rows, columns, channels, filters)`, see `fits`.
        bias: `(filters,)`, or None.
        padding: "same" or "valid".

    Returns:
        `(batch, rows of windows, columns of windows, 4, filters)`.
    """
    maps = tf.nn.conv2d(_blocks(pictures), _kernel_of_blocks(kernel), 1, padding.upper())
    if bias is not None:
        maps = tf.nn.bias_add(maps, tf.tile(bias, [4]))
    return tf.reshape(maps, [-1, *maps.shape[1:3], 4, kernel.shape[3]])


@tf.custom_gradient
def max_pool(windows: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
    """The maximum of each window, plus a bias, then ReLU; a byte keeps which value it was.

    Of equal values the first gets the gradient, as in TensorFlow. See also `lab.learn.fast.pooling.max_pool`.

    Args:
        windows: see `convolve`.
        bias: `(filters,)`.

    Returns:
        `(batch, rows, columns, filters)`.
    """
    pooled, codes = _maxima(windows, bias)
    return pooled, lambda upstream: _in_maxima(upstream, codes)


@tf.custom_gradient
def average_pool(windows: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """The mean of each window, `(batch, rows, columns, filters)`."""
    return _means(windows), _in_means


@compiled
def _blocks(pictures: tf.Tensor) -> tf.Tensor:
    """Pictures with blocks as positions, `(batch, height / 2, width / 2, 4 · channels)`."""
    _, height, width, channels = pictures.shape
    split = tf.reshape(pictures, [-1, height // 2, 2, width // 2, 2, channels])
    return tf.reshape(tf.transpose(split, [0, 1, 3, 2, 4, 5]), [-1, height // 2, width // 2, 4 * channels])


def with_gradient_on_blocks(maps: tf.Tensor, kernel: tf.Tensor, padding: str) -> tf.Tensor:
    """A convolution with stride 1, whose gradient in the maps is computed on blocks; see `convolve`."""

    @tf.custom_gradient
    def convolved(maps: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], Sequence[tf.Tensor]]]:
        def gradients(upstream: tf.Tensor) -> Sequence[tf.Tensor]:
            options = {"strides": [1, 1, 1, 1], "padding": padding.upper()}
            _, height, width, channels = maps.shape
            in_blocks = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=[tf.shape(maps)[0], height // 2, width // 2, 4 * channels],
                filter=_kernel_of_blocks(kernel),
                out_backprop=tf.nn.space_to_depth(upstream, 2),
                **options,
            )
            in_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=maps, filter_sizes=kernel.shape, out_backprop=upstream, **options
            )
            return tf.nn.depth_to_space(in_blocks, 2), in_kernel

        return tf.nn.conv2d(maps, kernel, 1, padding.upper()), gradients

    return convolved(maps, kernel)


def _kernel_of_blocks(kernel: tf.Tensor) -> tf.Tensor:
    """The kernel at the four places of a window, between zeros: `(blocks, blocks, 4 · channels, 4 · filters)`."""
    rows, columns, channels, filters = kernel.shape
    places = [tf.pad(kernel, [[y, 1 - y], [x, 1 - x], [0, 0], [0, 0]]) for y in (0, 1) for x in (0, 1)]
    high, wide = (rows + 1) // 2, (columns + 1) // 2
    split = tf.reshape(tf.stack(places, axis=3), [high, 2, wide, 2, channels, 4 * filters])
    return tf.reshape(tf.transpose(split, [0, 2, 1, 3, 4, 5]), [high, wide, 4 * channels, 4 * filters])


@compiled
def _maxima(windows: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    first, second, third, fourth = tf.unstack(windows, axis=3)
    above, below = tf.maximum(first, second), tf.maximum(third, fourth)
    code_above, code_below = tf.cast(second > first, tf.uint8), 2 + tf.cast(fourth > third, tf.uint8)
    sums = tf.maximum(above, below) + bias
    codes = tf.where(sums > 0, tf.where(below > above, code_below, code_above), tf.constant(OFF, tf.uint8))
    return tf.nn.relu(sums), codes


@compiled
def _in_maxima(upstream: tf.Tensor, codes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The gradients in the windows, and in the bias, which is summed in float32 at least."""
    places = tf.reshape(tf.range(OFF), [OFF, 1])
    chosen = tf.cast(codes, tf.int32)[:, :, :, None] == places
    in_windows = tf.where(chosen, upstream[:, :, :, None], tf.zeros([], upstream.dtype))
    wide = tf.where(codes < OFF, upstream, tf.zeros([], upstream.dtype))
    wide = wide if upstream.dtype == tf.float64 else tf.cast(wide, tf.float32)
    return in_windows, tf.cast(tf.reduce_sum(wide, axis=[0, 1, 2]), upstream.dtype)


@compiled
def _means(windows: tf.Tensor) -> tf.Tensor:
    first, second, third, fourth = tf.unstack(windows, axis=3)
    return (first + second + third + fourth) / 4


@compiled
def _in_means(upstream: tf.Tensor) -> tf.Tensor:
    batch, rows, columns, filters = tf.unstack(tf.shape(upstream))
    return tf.broadcast_to((upstream / 4)[:, :, :, None], [batch, rows, columns, 4, filters])
