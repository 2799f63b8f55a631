"""Brightnesses on the way into a network and back."""

import numpy as np
import tensorflow as tf

from cnn_models.brightness import brightnesses, network_input

LEVELS = np.arange(256, dtype="uint8")


def test_a_network_gets_what_the_slide_says_of_any_kind_of_array():
    expected = [level / 255 - 0.5 for level in range(256)]
    np.testing.assert_array_equal(network_input(LEVELS), expected)
    for values in (LEVELS.astype("float32"), tf.cast(LEVELS, tf.float32)):
        found = np.asarray(network_input(values))
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, expected, atol=6e-8)  # half a step of float32 near 1


def test_every_level_comes_back_and_what_is_beyond_is_cut_off():
    np.testing.assert_array_equal(brightnesses(2 * network_input(LEVELS)), LEVELS)
    assert brightnesses(np.array([-1.5, 1.5])).tolist() == [0, 255]
