"""Locally connected layers compared with NumPy and with Keras's convolutions."""

import keras
import numpy as np
import pytest

from cnn_models.analysis import cost
from cnn_models.layers import blur, local

# Of sums of up to 27 products of normal numbers below 5 in float64, in any order: 2 · 28 · 2^-53 · 27 · 25 = 4e-12.
ROUNDING = 4e-12


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def filled(layer, shape, rng):
    layer.build(shape)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


@pytest.mark.parametrize(("strides", "padding"), [((1, 1), "valid"), ((2, 1), "valid"), ((1, 1), "same")])
def test_each_position_of_two_axes_has_separate_weights(rng, strides, padding):
    layer = filled(local.LocallyConnected2D(4, (3, 2), strides, padding, dtype="float64"), (None, 7, 6, 3), rng)
    images = rng.normal(size=(2, 7, 6, 3))
    padded = np.pad(images, ((0, 0), (1, 1), (0, 1), (0, 0))) if padding == "same" else images
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    expected = np.zeros((2, *layer.compute_output_shape((None, 7, 6, 3))[1:]))
    for y, x in np.ndindex(*expected.shape[1:3]):
        window = padded[:, y * strides[0] : y * strides[0] + 3, x * strides[1] : x * strides[1] + 2].reshape(2, -1)
        expected[:, y, x] = window @ kernel[y, x] + bias[y, x]
    np.testing.assert_allclose(layer(images), expected, rtol=0, atol=ROUNDING)


def test_each_position_of_one_axis_has_separate_weights(rng):
    layer = filled(local.LocallyConnected1D(3, 4, 2, activation="relu", dtype="float64"), (None, 11, 2), rng)
    series = rng.normal(size=(5, 11, 2))
    windows = np.stack([series[:, start : start + 4].reshape(5, -1) for start in (0, 2, 4, 6)], axis=1)
    expected = np.einsum("bpi,pif->bpf", windows, layer.kernel.numpy()) + layer.bias.numpy()
    np.testing.assert_allclose(layer(series), np.maximum(expected, 0), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_equal_weights_make_it_a_convolution(rng, strides, padding):
    images = rng.normal(size=(2, 9, 8, 3))
    convolution = filled(keras.layers.Conv2D(4, 3, strides, padding, dtype="float64"), images.shape, rng)
    layer = filled(local.LocallyConnected2D(4, 3, strides, padding, dtype="float64"), images.shape, rng)
    layer.kernel.assign(np.broadcast_to(convolution.kernel.numpy().reshape(-1, 4), layer.kernel.shape))
    layer.bias.assign(np.broadcast_to(convolution.bias.numpy(), layer.bias.shape))
    np.testing.assert_allclose(layer(images), convolution(images), rtol=0, atol=ROUNDING)


def test_another_input_size_than_that_of_building_is_refused():
    layer = local.LocallyConnected2D(2, 3)
    assert layer(keras.Input((9, 8, 1))).shape == (None, 7, 6, 2)
    with pytest.raises(ValueError, match="incompatible with the layer"):
        layer(keras.Input((9, 9, 1)))


def test_initial_weights_have_a_convolutions_variance():
    keras.utils.set_random_seed(0)
    layer, convolution = local.LocallyConnected2D(16, 5), keras.layers.Conv2D(160, 5)
    layer.build((None, 20, 20, 6))
    limit = np.sqrt(6 / (25 * 6 + 25 * 16))  # Glorot's, of one window
    assert 0.99 * limit < np.abs(layer.kernel.numpy()).max() <= limit
    convolution.build((None, 20, 20, 6))  # the same formula, read off Keras's own layer
    assert np.abs(convolution.kernel.numpy()).max() == pytest.approx(np.sqrt(6 / (25 * 6 + 25 * 160)), rel=0.01)


def test_parameters_and_products():
    model = keras.Sequential([keras.Input((28, 28, 1)), local.LocallyConnected2D(6, 5), blur.BlurPool2D(3)])
    assert model.count_params() == 24 * 24 * (25 * 6 + 6)
    assert cost.macs(model) == 24 * 24 * 25 * 6 + 12 * 12 * 9 * 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: local.LocallyConnected2D(1, 3, padding="full"), "padding is"),
        (lambda: local.LocallyConnected2D(1, (3, 0)), "1 or more"),
        (lambda: local.LocallyConnected2D(1, 3).build((None, None, 8, 1)), "fixed size"),
        (lambda: local.LocallyConnected2D(1, 9).build((None, 8, 8, 1)), "does not fit"),
    ],
)
def test_impossible_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_network_of_them_is_saved_and_loaded_safely(tmp_path, rng):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            local.LocallyConnected2D(2, 3, activation="relu", kernel_initializer="he_normal"),
            blur.BlurPool2D(3),
            keras.layers.Reshape((9, 2)),
            local.LocallyConnected1D(2, 2, use_bias=False),
        ]
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    images = rng.normal(size=(3, 8, 8, 1)).astype("float32")
    np.testing.assert_array_equal(again(images), model(images))
    for layer, loaded in zip(model.layers, again.layers, strict=True):
        assert layer.get_config() == loaded.get_config()
