"""Batch normalisation as one operation, beside the Keras layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lab.learn.fast import normalisation

SHAPE = (5, 4, 6, 8)
COUNT = 5 * 4 * 6  # summands of a mean


def layer(dtype, **options):
    made = keras.layers.BatchNormalization(momentum=0.9, dtype=dtype, **options)
    made.build(SHAPE)
    for place, variable in enumerate(made.variables):
        variable.assign(np.linspace(0.5, 2 + place, SHAPE[-1]))
    return made


def normalised(function, normaliser, maps, upstream):
    with tf.GradientTape() as tape:
        tape.watch(maps)
        made = function(normaliser, maps)
    asked = [maps, normaliser.gamma.value, normaliser.beta.value]
    moving = [normaliser.moving_mean.value, normaliser.moving_variance.value]
    return [np.asarray(found, "float64") for found in (made, *tape.gradient(made, asked, upstream), *moving)]


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_values_gradients_and_moving_statistics_are_those_of_the_layer(dtype):
    generator = np.random.default_rng(0)
    maps, upstream = (generator.normal(size=SHAPE).astype("float32") for _ in range(2))
    fast, plain = layer(dtype), layer("float64")
    assert normalisation.fits(fast, tf.TensorSpec(SHAPE))
    half = tf.as_dtype(fast.compute_dtype)
    maps, upstream = (np.asarray(tf.cast(array, half), "float64") for array in (maps, upstream))
    expected = normalised(lambda one, x: one(x, training=True), plain, tf.constant(maps), tf.constant(upstream))
    found = normalised(normalisation.normalise, fast, tf.constant(maps, half), tf.constant(upstream, half))
    # Sums of COUNT float32; the largest of them is of squares of maps of deviation 1. Then once into the precision.
    rounding = COUNT * np.finfo("float32").eps + np.finfo("float32" if dtype == "float32" else "float16").eps * (
        8 if half == tf.bfloat16 else 1
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=rounding * max(1, np.abs(other).max()))


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"axis": 1}, {"synchronized": True}])
def test_other_layers_stay(options):
    assert not normalisation.fits(keras.layers.BatchNormalization(**options), tf.TensorSpec(SHAPE))
    assert not normalisation.fits(keras.layers.BatchNormalization(), tf.TensorSpec([5, 8]))
    assert not normalisation.fits(keras.layers.BatchNormalization(), tf.TensorSpec([5, 4, 6, 18]))
    assert not normalisation.fits(keras.layers.BatchNormalization(dtype="float64"), tf.TensorSpec(SHAPE))
    frozen = keras.layers.BatchNormalization(trainable=False)
    assert not normalisation.fits(frozen, tf.TensorSpec(SHAPE))
