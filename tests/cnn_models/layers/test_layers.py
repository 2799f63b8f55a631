"""Our layers against NumPy and scipy, which know nothing of them."""

import keras
import numpy as np
import pytest
import scipy.signal

from cnn_models.layers import lecun1998, losses

# Of float64: sums of up to 84 numbers, together below 100 or so, in whatever order: 2 · 85 · 2^-53 · 100 = 2e-12.
ROUNDING = 1e-11


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_sparse_convolution_is_a_sum_of_correlations(rng):
    connections = [[0, 2], [1], [0, 1, 2]]
    layer = lecun1998.SparseConv2D(connections, 3, dtype="float64")
    images = rng.normal(size=(2, 7, 6, 3))
    layer.build(images.shape)
    layer.bias.assign(rng.normal(size=3))
    kernels = layer.kernel.numpy().reshape(3, 3, 6)
    expected = np.zeros((2, 5, 4, 3))
    number = 0
    for target, sources in enumerate(connections):
        for source in sources:
            for picture in range(2):
                expected[picture, ..., target] += scipy.signal.correlate2d(
                    images[picture, ..., source], kernels[..., number], "valid"
                )
            number += 1
    np.testing.assert_allclose(layer(images), expected + layer.bias.numpy(), rtol=0, atol=ROUNDING)
    assert layer.count_params() == 9 * 6 + 3
    assert layer.compute_output_shape((None, 7, 6, 3)) == (None, 5, 4, 3)


def test_sparse_convolution_refuses_maps_that_are_not_there():
    with pytest.raises(ValueError, match=r"outside 0\.\.1"):
        lecun1998.SparseConv2D([[0, 2]], 3).build((None, 8, 8, 2))


@pytest.mark.parametrize(
    ("layer", "side"),
    [(lecun1998.SparseConv2D([[0]], 3), 3), (lecun1998.TrainableSubsampling2D(), 2)],
    ids=["sparse", "mean"],
)
def test_pictures_that_do_not_fit_are_refused_when_built(layer, side):
    assert keras.Sequential([keras.Input((side, side, 1)), layer]).output_shape == (None, 1, 1, 1)
    with pytest.raises(ValueError, match=f"at least {side}×{side} pixels, got {side}×{side - 1}"):
        type(layer).from_config(layer.get_config())(keras.Input((side, side - 1, 1)))
    with pytest.raises(ValueError, match=f"at least {side}×{side} pixels, got {side - 1}×{side}"):
        layer(keras.Input((side - 1, side, 1)))  # built before, for another size
    with pytest.raises(ValueError, match=r"expects inputs of shape \(batch, height, width, channels\)"):
        type(layer).from_config(layer.get_config())(keras.Input((side, 1)))


@pytest.mark.parametrize("multiplier", [1, 2])
def test_subsampling_is_a_scaled_mean(rng, multiplier):
    layer = lecun1998.TrainableSubsampling2D(multiplier, dtype="float64")
    images = rng.normal(size=(2, 6, 4, 3))
    layer.build(images.shape)
    layer.coefficient.assign(rng.normal(size=3 * multiplier))
    layer.bias.assign(rng.normal(size=3 * multiplier))
    means = images.reshape(2, 3, 2, 2, 2, 3).mean(axis=(2, 4)).repeat(multiplier, axis=-1)
    expected = means * layer.coefficient.numpy() + layer.bias.numpy()
    np.testing.assert_allclose(layer(images), expected, rtol=0, atol=ROUNDING)
    assert layer.compute_output_shape((None, 6, 4, 3)) == (None, 3, 2, 3 * multiplier)


def test_rbf_is_the_negative_squared_distance(rng):
    layer = lecun1998.RBFOutput(dtype="float64")
    x = rng.normal(size=(5, 84))
    prototypes = lecun1998.digit_prototypes()
    expected = -np.array([[np.sum((row - prototype) ** 2) for prototype in prototypes] for row in x])
    np.testing.assert_allclose(layer(x), expected, rtol=ROUNDING)
    assert not layer.trainable_variables


def test_prototypes_are_ten_different_bitmaps():
    prototypes = lecun1998.digit_prototypes()
    assert prototypes.shape == (10, 84)
    assert set(np.unique(prototypes)) == {-1.0, 1.0}
    distances = np.array([[np.sum(a != b) for b in prototypes] for a in prototypes])
    assert distances[~np.eye(10, dtype=bool)].min() >= 4


def test_squash_maps_one_to_one():
    np.testing.assert_allclose(lecun1998.scaled_tanh(np.array([-1.0, 0.0, 1.0])), [-1, 0, 1], atol=1e-5)


def test_initialiser_keeps_to_the_papers_bounds():
    keras.utils.set_random_seed(0)
    values = keras.ops.convert_to_numpy(lecun1998.FanInUniform()((5, 5, 6, 16)))
    assert 0.99 * 2.4 / 150 < np.abs(values).max() <= 2.4 / 150


@pytest.mark.parametrize(
    "layer",
    [
        lecun1998.SparseConv2D([[0], [0, 1]], 3),
        lecun1998.TrainableSubsampling2D(2),
        lecun1998.RBFOutput(),
    ],
)
def test_configuration_survives_a_round_trip(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_map_criterion_is_equation_9(rng):
    penalties = rng.uniform(0, 30, size=(6, 10))
    labels = rng.integers(0, 10, size=6)
    j = 10.0
    expected = [p[d] + np.log(np.exp(-j) + np.exp(-p).sum()) for p, d in zip(penalties, labels, strict=True)]
    loss = losses.MapCriterion(j, reduction=None, dtype="float64")
    np.testing.assert_allclose(loss(labels, -penalties), expected, rtol=0, atol=ROUNDING)
    assert losses.MapCriterion.from_config(loss.get_config()).j == j
