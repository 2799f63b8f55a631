"""Multiply-accumulates against counts by hand."""

import keras
import pytest

import cnn_models
from cnn_models.analysis import cost

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
    model = keras.Sequential([keras.Input((4, 3)), keras.layers.LSTM(2, name="memory")])
    with pytest.raises(TypeError, match=r"memory.*LSTM"):
        cost.macs(model)
