"""Convolutions on blocks of 2×2 pixels, beside TensorFlow's own and Keras's layers."""

import keras
import pytest
import tensorflow as tf

from cnn_models.layers.lecun1998 import SparseConv2D
from lab.learn.fast import blocks
from tests.support.exact import assert_equal, exact, with_gradients

SHAPES = [  # pictures, kernel, padding
    ((12, 8, 1), (5, 5, 1, 6), "same"),
    ((8, 10, 3), (5, 5, 3, 4), "valid"),
    ((10, 12, 2), (9, 5, 2, 1), "same"),
    ((6, 6, 7), (5, 5, 7, 16), "valid"),
]
POOLED = [((2, 3, 4, 6), "float32"), ((1, 2, 2, 64), "float32")] + [
    ((3, 2, 3, 5), kind) for kind in ("float64", "float16", "bfloat16")
]


def as_maps(windows):
    """Windows of 2×2 as maps, `(batch, height, width, channels)`."""
    _, rows, columns, _, channels = windows.shape
    return tf.nn.depth_to_space(tf.reshape(windows, [-1, rows, columns, 4 * channels]), 2)


@pytest.mark.parametrize(("pictures", "kernel", "padding"), SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_convolution_and_its_gradients_are_those_of_tensorflow(pictures, kernel, padding, dtype):
    images, weights, bias = exact((3, *pictures), dtype), exact(kernel, dtype), exact(kernel[-1:], dtype)
    plain = lambda x, k, b: tf.nn.conv2d(x, k, 1, padding.upper()) + b  # noqa: E731
    upstream = exact(plain(images, weights, bias).shape, dtype)
    expected = with_gradients(plain, images, weights, bias, upstream=upstream)
    ways = (
        lambda x, k, b: as_maps(blocks.convolve(x, k, b, padding)),
        lambda x, k, b: blocks.with_gradient_on_blocks(x, k, padding) + b,
    )
    for way in ways:
        assert_equal(with_gradients(way, images, weights, bias, upstream=upstream), expected)


@pytest.mark.parametrize(("shape", "dtype"), POOLED, ids=str)
def test_maxima_and_means_of_windows_are_those_of_the_layers_also_of_equal_values(shape, dtype):
    count, rows, columns, filters = shape
    windows, bias, upstream = (
        exact((count, rows, columns, 4, filters), dtype),
        exact([filters], dtype),
        exact(shape, dtype),
    )
    largest, mean = (kind(2, dtype=dtype) for kind in (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D))
    expected = with_gradients(lambda x, b: largest(tf.nn.relu(as_maps(x) + b)), windows, bias, upstream=upstream)
    assert_equal(with_gradients(blocks.max_pool, windows, bias, upstream=upstream), expected)
    expected = with_gradients(lambda x: mean(as_maps(x)), windows, upstream=upstream)
    assert_equal(with_gradients(blocks.average_pool, windows, upstream=upstream), expected)


def test_of_equal_values_the_first_gets_the_gradient_and_where_relu_is_off_none():
    windows = tf.reshape(tf.constant([[1.0, 1, 1, 1], [0, 2, 2, 2], [-1, 0, 0, -3], [0, 0, 0, 0]]), [4, 1, 1, 4, 1])
    _, gradient, in_bias = with_gradients(blocks.max_pool, windows, tf.zeros(1), upstream=tf.ones([4, 1, 1, 1]))
    assert tf.reshape(gradient, [4, 4]).numpy().tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert in_bias.numpy().tolist() == [2]


def test_batches_of_any_size_are_one_function():
    signature = [tf.TensorSpec([None, 6, 6, 1]), tf.TensorSpec([5, 5, 1, 2])]
    pooled = tf.function(
        lambda x, k: blocks.max_pool(blocks.convolve(x, k, None, "same"), tf.zeros(2)), input_signature=signature
    )
    for count in (1, 5):
        images, kernel = exact((count, 6, 6, 1)), exact((5, 5, 1, 2))
        plain = tf.nn.relu(tf.nn.max_pool2d(tf.nn.conv2d(images, kernel, 1, "SAME"), 2, 2, "VALID"))
        assert_equal([pooled(images, kernel)], [plain])


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (keras.layers.Conv2D(4, 5, padding="same"), (8, 8, 1), True),
        (SparseConv2D([[0]], 5), (8, 8, 1), True),
        (keras.layers.Conv2D(4, 5, padding="same"), (9, 8, 1), False),
        (keras.layers.Conv2D(4, 5), (None, 8, 1), False),
        (keras.layers.Conv2D(4, 3, padding="same"), (8, 8, 1), False),
        (keras.layers.Conv2D(4, 5, strides=2), (8, 8, 1), False),
        (keras.layers.Conv2D(4, 5, dilation_rate=2), (12, 12, 1), False),
        (keras.layers.Conv2D(4, 5, groups=2), (8, 8, 2), False),
        (keras.layers.Conv2D(4, 5, data_format="channels_first"), (8, 8, 2), False),
        (keras.layers.DepthwiseConv2D(5), (8, 8, 1), False),
    ],
)
def test_what_is_computed_on_blocks(layer, shape, expected):
    assert blocks.fits(layer, tf.TensorSpec([None, *shape])) == expected
