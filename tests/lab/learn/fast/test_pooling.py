"""Fast pooling beside the Keras layers that it stands for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lab.learn.fast import pooling

MAPS = [(4, 6, 1), (5, 7, 3), (6, 5, 6), (7, 4, 8), (2, 2, 13), (2, 2, 64)]  # height, width, channels
KINDS = [(maps, "float32") for maps in MAPS] + [((5, 3, 6), kind) for kind in ("float64", "float16", "bfloat16")]


def drawn(shape, dtype, step=0.25, most=2):
    """Multiples of a step, so that many are equal and all sums are exact."""
    most = round(most / step)
    return tf.constant(np.random.default_rng(0).integers(-most, most, shape, endpoint=True) * step, dtype)


def with_gradients(function, *arguments, upstream):
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        made = function(*arguments)
    return [made, *tape.gradient(made, arguments, upstream)]


def equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(np.asarray(one, "float64"), np.asarray(other, "float64"))


@pytest.mark.parametrize(("maps", "dtype"), KINDS, ids=str)
def test_values_and_gradients_are_those_of_the_layers_also_where_values_are_equal(maps, dtype):
    layer = keras.layers.MaxPooling2D(2, dtype=dtype)
    images, bias = drawn((3, *maps), dtype), drawn(maps[-1:], dtype)
    upstream = drawn((3, maps[0] // 2, maps[1] // 2, maps[2]), dtype)
    asked = (images, bias)
    expected = with_gradients(lambda x, b: layer(tf.nn.relu(x + b)), *asked, upstream=upstream)
    equal(with_gradients(lambda x, b: pooling.max_pool(layer, x, b), *asked, upstream=upstream), expected)
    equal(with_gradients(pooling.coded_max_pool, *asked, upstream=upstream), expected)


def test_of_equal_values_the_first_gets_the_gradient_and_where_relu_is_off_none():
    images = tf.reshape(tf.constant([[1.0, 1, 0, 2], [1, 1, 2, 2], [-1, 0, -2, -2], [0, 0, -2, -3]]), [1, 4, 4, 1])
    _, gradient, in_bias = with_gradients(pooling.coded_max_pool, images, tf.zeros(1), upstream=tf.ones([1, 2, 2, 1]))
    assert gradient[0, ..., 0].numpy().tolist() == [[1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert in_bias.numpy().tolist() == [2]


@pytest.mark.parametrize(
    "windows", [{"pool_size": 3, "strides": 2, "padding": "same"}, {"pool_size": (2, 3), "strides": (3, 2)}]
)
@pytest.mark.parametrize("biased", [True, False])
def test_windows_that_overlap_or_leave_gaps_are_those_of_the_layers(windows, biased):
    layer = keras.layers.MaxPooling2D(**windows)
    images, biases = drawn((2, 7, 8, 6), "float32"), [drawn(6, "float32")] * biased
    upstream = drawn(layer(images).shape, "float32")
    in_order = lambda x, *bias: layer(tf.nn.relu(x + sum(bias)))  # noqa: E731
    expected = with_gradients(in_order, images, *biases, upstream=upstream)
    found = with_gradients(lambda x, b=None: pooling.max_pool(layer, x, b), images, *biases, upstream=upstream)
    equal(found, expected)


@pytest.mark.parametrize(("maps", "dtype"), KINDS, ids=str)
def test_means_and_their_gradients_are_those_of_the_layer(maps, dtype):
    layer = keras.layers.AveragePooling2D(2, dtype=dtype)
    images = drawn((3, *maps), dtype)
    upstream = drawn((3, maps[0] // 2, maps[1] // 2, maps[2]), dtype)
    expected = with_gradients(layer, images, upstream=upstream)
    equal(with_gradients(pooling.average_pool, images, upstream=upstream), expected)


def test_batches_of_any_size_are_one_function():
    pool = tf.function(pooling.coded_max_pool, input_signature=[tf.TensorSpec([None, 4, 4, 3]), tf.TensorSpec([3])])
    for count in (1, 5):
        images = drawn((count, 4, 4, 3), "float32")
        equal([pool(images, tf.zeros(3))], [tf.nn.relu(tf.nn.max_pool2d(images, 2, 2, "VALID"))])


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (keras.layers.MaxPooling2D(2), True),
        (keras.layers.MaxPooling2D(3, strides=1), False),  # as many values after as before
        (keras.layers.MaxPooling2D(2, data_format="channels_first"), False),
        (keras.layers.GlobalMaxPooling2D(), False),
    ],
)
def test_other_layers_stay(layer, expected):
    assert pooling.fits(layer, tf.TensorSpec([None, 8, 8, 8])) == expected
    assert not pooling.fits(layer, tf.TensorSpec([None, None, 8, 8]))
