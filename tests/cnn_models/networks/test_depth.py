"""Stacks of 3×3 convolutions: receptive fields, residual bridges, and logits by position."""

import keras
import numpy as np
import pytest

import cnn_models
from cnn_models.networks.depth import stack
from lab.learn import devices
from tests.support import zoo

ROUNDING = 1e-11  # of sums of 784 numbers below 10 in float64: 785 roundings of 1.1e-16 of that, 1e-12


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        *((f"deep-plain-{depth}", 2 * depth + 1) for depth in (1, 2, 3, 4, 6, 8, 12, 16)),
        ("deep-unnormalised-8", 17),
        ("deep-residual-8", 17),
        ("deep-stride-4", 1 + 2 * 2 + 2 * 2 * 2),
        ("deep-pooling-4", 1 + 2 * 2 + 1 + 2 * 2 * 2),
        ("deep-stride-8", 1 + 2 * 2 + 4 * 2 * 2 + 2 * 4 * 2),
        ("deep-pooling-8", 1 + 2 * 2 + 1 + 4 * 2 * 2 + 2 + 2 * 4 * 2),
    ],
)
def test_the_receptive_field_of_the_last_layer(name, pixels):
    assert cnn_models.receptive_field(zoo.built(name), "last").size[0] == pixels


def test_logits_are_the_mean_of_those_at_each_position():
    with devices.precision("float64"):
        model = cnn_models.build("deep-plain-3")
    pictures = np.random.default_rng(0).normal(size=(2, 28, 28, 1))
    by_position = keras.Model(model.inputs[0], model.get_layer("logits_by_position").output)(pictures)
    assert by_position.shape == (2, 28, 28, 10)
    np.testing.assert_allclose(model(pictures), np.mean(by_position, axis=(1, 2)), rtol=0, atol=ROUNDING)


def test_a_residual_net_with_zero_kernels_in_its_bridged_layers_is_shallow():
    """With zero kernels in the bridged layers, the output of the first layer reaches the last one unchanged."""
    with devices.precision("float64"):
        model = cnn_models.build("deep-residual-8")
    for number in range(2, 8):
        kernel = model.get_layer(f"conv{number}").kernel
        kernel.assign(np.zeros(kernel.shape))
    pictures = np.random.default_rng(0).normal(size=(2, 28, 28, 1))
    first, seventh = (keras.Model(model.inputs[0], model.get_layer(f"relu{n}").output)(pictures) for n in (1, 7))
    assert np.abs(first).max() > 0
    np.testing.assert_allclose(seventh, first, rtol=0, atol=ROUNDING)


def test_reductions_halve_the_maps_every_four_layers():
    for growth, layer in (("stride", "conv{}"), ("pooling", "pool{}")):
        model = cnn_models.build(f"deep-{growth}-16", (24, 24, 1))
        assert [model.get_layer(layer.format(n)).output.shape[1] for n in (2, 6, 10)] == [12, 6, 3]
        assert model.get_layer("conv5").output.shape[1] == 12


def test_an_unknown_growth_is_refused():
    with pytest.raises(ValueError, match="plain, residual"):
        stack(name="x", input_shape=(28, 28, 1), classes=10, depth=2, width=2, growth="fast")
