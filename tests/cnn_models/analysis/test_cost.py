"""Multiply-accumulates against counts by hand."""

import keras
import pytest
import tensorflow as tf

import cnn_models
from cnn_models.analysis import cost


class Cell(keras.layers.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units))

    def call(self, x):
        return tf.matmul(x, self.kernel)


class Other(keras.layers.Layer):
    def call(self, x):
        return tf.nn.relu(x)


MACS = {
    "linear": 784 * 10,
    "fc-300-100": 784 * 300 + 300 * 100 + 100 * 10,
    "lenet5": 784 * 25 * 6 + 100 * 150 * 16 + 400 * 120 + 120 * 84 + 84 * 10,
    "lenet5-1998": 784 * 150 + 196 * 6 + 100 * 1500 + 25 * 16 + 48_000 + 120 * 84 + 840,
}


@pytest.mark.parametrize("name", MACS)
def test_macs(name):
    assert cost.macs(cnn_models.build(name)) == MACS[name]


def test_a_layer_of_unknown_cost_is_named():
    """All at once."""
    model = keras.Sequential([keras.Input((4, 3)), Cell(2, name="memory"), Cell(2), Other(name="other")])
    with pytest.raises(TypeError, match=r"'memory' is a Cell with weights; Layer 'other' is a Other"):
        cost.macs(model)
