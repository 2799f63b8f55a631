"""Blurred subsampling compared with scipy."""

import keras
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from cnn_models.layers import blur


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def test_binomial_weights():
    assert (blur.binomial(2) * 2).tolist() == [1, 1]
    assert (blur.binomial(3) * 4).tolist() == [1, 2, 1]
    assert (blur.binomial(5) * 16).tolist() == [1, 4, 6, 4, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("padding", blur.PADDINGS)
def test_blur_equals_a_correlation_and_a_slice(rng, size, strides, padding):
    images = rng.normal(size=(2, 9, 8, 3))
    weights = np.outer(blur.binomial(size), blur.binomial(size))[np.newaxis, ..., np.newaxis]
    if padding == "valid":
        every = np.stack([scipy.signal.correlate(picture[np.newaxis], weights, "valid")[0] for picture in images])
    else:
        centre = (0, -1, -1, 0) if size % 2 == 0 else 0  # an even window has no middle: it begins at its pixel
        every = scipy.ndimage.correlate(images, weights, mode="mirror", origin=centre)
    layer = blur.BlurPool2D(size, strides, padding, dtype="float64")
    found = np.asarray(layer(images))
    # Sums of up to 25 numbers below 5 whose weights add up to 1: 27 roundings of 5 in either, 3e-14 at most.
    np.testing.assert_allclose(found, every[:, ::strides, ::strides], rtol=0, atol=1e-12)
    assert found.shape == layer.compute_output_shape(images.shape)
    assert not layer.weights


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, 2, 1), {"size": 5}),
        ((9, 2, 1), {"size": 5}),
        ((1, 9, 1), {"size": 2}),
        ((4, 4, 1), {"size": 5, "padding": "valid"}),
        ((None, 2, 1), {"size": 4}),
    ],
)
def test_too_small_pictures_are_refused_when_built(shape, options):
    with pytest.raises(ValueError, match=r"'?blur'?: needs pictures of at least \d×\d pixels"):
        keras.Sequential([keras.Input(shape), blur.BlurPool2D(name="blur", **options)])


@pytest.mark.parametrize("padding", blur.PADDINGS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_the_smallest_accepted_picture_is_blurred(size, padding):
    layer = blur.BlurPool2D(size, padding=padding)
    side = layer.smallest
    assert layer(np.ones((1, side, side, 1))).shape == layer.compute_output_shape((1, side, side, 1))
    if side > 1:
        with pytest.raises(ValueError, match=f"at least {side}×{side} pixels, got {side - 1}×{side}"):
            blur.BlurPool2D(size, padding=padding).build((None, side - 1, side, 1))


def test_a_smaller_picture_is_refused_also_after_it_was_built():
    """The network was built for any size and is then called on a picture that is too small."""
    network = keras.Sequential([keras.Input((None, None, 1)), blur.BlurPool2D(5)])
    assert network(keras.Input((3, 3, 1))).shape == (None, 2, 2, 1)
    with pytest.raises(ValueError, match="at least 3×3 pixels, got 2×3"):
        network(keras.Input((2, 3, 1)))


@pytest.mark.parametrize("shape", [(9, 1), (9, 9, 9, 1), (9, 9, None)])
def test_other_shapes_are_refused_when_built(shape):
    with pytest.raises(ValueError, match=r"expects inputs of shape \(batch, height, width, channels\)"):
        keras.Sequential([keras.Input(shape), blur.BlurPool2D()])


def test_blur_leaves_a_flat_picture_flat():
    flat = np.full((1, 10, 10, 2), 0.7, "float32")
    # 25 weights that add up to 1: 27 roundings of 6e-8 at most.
    np.testing.assert_allclose(blur.BlurPool2D(5)(flat), 0.7, rtol=2e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"size": 0}, "1 or more"), ({"strides": 0}, "1 or more"), ({"padding": "same"}, "one of reflect, valid")],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        blur.BlurPool2D(**options)
