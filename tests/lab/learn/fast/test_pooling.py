"""Pooling of maps, beside the Keras layers that it stands for."""

import keras
import pytest
import tensorflow as tf

from lab.learn.fast import pooling
from tests.support.exact import assert_equal, exact, with_gradients

MAPS = [(4, 6, 1), (5, 7, 3), (7, 4, 8), (2, 2, 64)]  # height, width, channels
KINDS = [(maps, "float32") for maps in MAPS] + [((5, 3, 6), kind) for kind in ("float64", "float16", "bfloat16")]
WINDOWS = [{"pool_size": 3, "strides": 2, "padding": "same"}, {"pool_size": (2, 3), "strides": (3, 2)}]
CASES = [(*kind, {"pool_size": 2}) for kind in KINDS] + [((5, 7, 3), "float32", windows) for windows in WINDOWS]


@pytest.mark.parametrize(("maps", "dtype", "windows"), CASES, ids=str)
def test_maxima_and_gradients_are_those_of_the_layers_also_where_values_are_equal(maps, dtype, windows):
    layer = keras.layers.MaxPooling2D(**windows, dtype=dtype)
    images, bias = exact((3, *maps), dtype), exact(maps[-1:], dtype)
    upstream = exact(layer(images).shape, dtype)
    for biases in ([bias], []):
        expected = with_gradients(lambda x, *bias: layer(tf.nn.relu(x + sum(bias))), images, *biases, upstream=upstream)
        found = with_gradients(lambda x, b=None: pooling.max_pool(layer, x, b), images, *biases, upstream=upstream)
        assert_equal(found, expected)


@pytest.mark.parametrize(("maps", "dtype"), KINDS, ids=str)
def test_means_and_their_gradients_are_those_of_the_layer(maps, dtype):
    layer = keras.layers.AveragePooling2D(2, dtype=dtype)
    images, upstream = exact((3, *maps), dtype), exact((3, maps[0] // 2, maps[1] // 2, maps[2]), dtype)
    expected = with_gradients(layer, images, upstream=upstream)
    assert_equal(with_gradients(pooling.average_pool, images, upstream=upstream), expected)


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
