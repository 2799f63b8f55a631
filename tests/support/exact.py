"""Numbers of which sums and products are exact, so that any two ways of computing them agree to the last bit."""

import numpy as np
import tensorflow as tf


def exact(shape, dtype="float32", step=0.25, most=2):
    """Multiples of a step; few different ones, so that many are equal."""
    most = round(most / step)
    return tf.constant(np.random.default_rng(0).integers(-most, most, shape, endpoint=True) * step, dtype)


def with_gradients(function, *arguments, upstream):
    """What a function makes of its arguments, and the gradients in them."""
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        made = function(*arguments)
    return [made, *tape.gradient(made, arguments, upstream)]


def assert_equal(found, expected):
    """Equal types, shapes and numbers, to the last bit."""
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(np.asarray(one, "float64"), np.asarray(other, "float64"))
