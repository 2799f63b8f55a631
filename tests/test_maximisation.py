"""Gradient ascent: it finds what is known to be there, at its size, and the same again."""

import keras
import numpy as np
import pytest

import cnn_models
from cnn_models import maximisation
from cnn_models.maximisation import NAIVE, Ascent, maximise


def templates(count=4, side=7):
    """Smooth random patterns without a mean, `(side, side, 1, count)`."""
    noise = np.random.default_rng(7).normal(size=(count, side + 2, side + 2))
    smooth = sum(noise[:, dy : dy + side, dx : dx + side] for dy in range(3) for dx in range(3))
    return np.moveaxis(smooth - smooth.mean(axis=(1, 2), keepdims=True), 0, -1)[:, :, np.newaxis].astype("float32")


def planted(activation=None, bias=0.0, normalised=False, side=20):
    """A convolution whose kernels are `templates`, and what follows it."""
    layers = [keras.Input((side, side, 1)), keras.layers.Conv2D(4, 7, activation=activation, name="conv")]
    if normalised:
        layers += [keras.layers.BatchNormalization(name="norm"), keras.layers.ReLU(name="relu")]
    model = keras.Sequential(layers)
    model.get_layer("conv").set_weights([templates(), np.full(4, bias, "float32")])
    if normalised:
        scale, shift, mean, variance = np.full(4, 0.7), np.full(4, -5.0), np.arange(4.0), np.full(4, 9.0)
        model.get_layer("norm").set_weights([scale, shift, mean, variance])
    return model


def correlations(pictures):
    wanted = np.moveaxis(templates(), -1, 0)
    pairs = zip(pictures, wanted, strict=True)
    return [np.corrcoef(found.ravel(), template.ravel())[0, 1] for found, template in pairs]


@pytest.mark.parametrize(
    ("options", "layer"),
    [
        ({}, "conv"),
        ({"activation": "relu", "bias": -50.0}, "conv"),  # silent on noise: no slope but before the activation
        ({"normalised": True}, "relu"),
    ],
)
def test_a_planted_template_is_recovered(options, layer):
    found = maximise(planted(**options), layer)
    assert found.pictures.shape == (4, 7, 7, 1)
    assert min(correlations(found.pictures)) > 0.9
    assert (found.after > found.before).all()


def test_plain_ascent_finds_nothing_where_a_rectifier_is_silent():
    found = maximise(planted(normalised=True), "relu", NAIVE)
    assert not found.after.any()
    assert max(np.abs(correlations(found.pictures))) < 0.5


def test_equal_seeds_give_equal_pictures_and_batches_do_not_matter():
    model = planted()
    first = maximise(model, "conv", seed=3)
    np.testing.assert_array_equal(maximise(model, "conv", seed=3).pictures, first.pictures)
    np.testing.assert_allclose(maximise(model, "conv", seed=3, batch_size=1).pictures, first.pictures, atol=1e-5)
    short = Ascent(steps=2)  # many steps lead from any noise to the one template there is
    assert (
        np.abs(maximise(model, "conv", short, seed=4).pictures - maximise(model, "conv", short, seed=3).pictures).max()
        > 1e-3
    )


def test_pictures_are_bounded_and_plain_ascent_is_rougher_on_a_normalised_network():
    keras.utils.set_random_seed(1)
    model = cnn_models.build("bn-6")
    ours, plain = (maximise(model, "relu6", how, channels=range(8)).pictures for how in (Ascent(), NAIVE))
    assert np.sqrt((ours**2).mean(axis=(1, 2, 3))).max() <= 0.5 + 1e-5
    assert np.abs(plain).max() <= 1
    assert roughness(plain) > 1.2 * roughness(ours)


def roughness(pictures):
    """Mean squared step to the next pixel, by the mean square."""
    return sum((np.diff(pictures, axis=axis) ** 2).mean() for axis in (1, 2)) / (pictures**2).mean()


@pytest.mark.parametrize(("layer", "side"), [("c1", 5), ("s2", 6), ("c3", 14), ("c5", 28)])
def test_pictures_have_the_size_of_the_receptive_field(layer, side):
    found = maximise(cnn_models.build("lenet5-relu"), layer, Ascent(steps=1), channels=[0, 2])
    assert found.pictures.shape == (2, side, side, 1)
    (top, bottom), (left, right) = found.box
    assert (bottom - top + 1, right - left + 1) == (side, side)


def test_the_network_is_left_as_it_was():
    model = planted("relu")
    maximise(model, "conv", Ascent(steps=1))
    assert model.get_layer("conv").activation is keras.activations.relu
    assert model(np.random.default_rng(0).normal(size=(1, 20, 20, 1))).numpy().min() == 0


def test_a_network_without_a_size_gets_one_and_colours_are_kept():
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3, strides=2, name="conv")])
    found = maximise(model, "conv", Ascent(steps=2), low=0, high=255)
    assert found.pictures.shape == (2, 3, 3, 3)


def vector_model():
    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(3, name="dense")])


@pytest.mark.parametrize(
    ("model", "layer", "options", "message"),
    [
        (planted, "convv", {}, "Did you mean conv"),
        (planted, "conv", {"channels": [4]}, "channels 0 to 3"),
        (planted, "conv", {"channels": []}, "channels 0 to 3"),
        (vector_model, "dense", {}, "not one picture"),
    ],
)
def test_what_cannot_be_is_refused(model, layer, options, message):
    with pytest.raises(ValueError, match=message):
        maximise(model(), layer, **options)


def test_a_layer_that_gives_no_maps_is_refused():
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Reshape((8, 8), name="lines")])
    with pytest.raises(ValueError, match="neither maps"):
        maximisation.named(model, "lines")
